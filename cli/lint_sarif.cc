#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/lint_output.h"
#include "common/lint/hazards.h"
#include "nlohmann/json.hpp"

namespace curlew::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kSchema[] =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

std::string Dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace); }

const char* Level(lint::Severity severity) {
  switch (severity) {
    case lint::Severity::kError:
      return "error";
    case lint::Severity::kWarning:
      return "warning";
    case lint::Severity::kNotice:
      return "note";
  }
  return "none";
}

// A path as a URI reference; what RFC 3986 does not allow in it goes as %XX.
std::string Uri(absl::string_view file) {
  if (file == "-") return "stdin";
  std::string uri = file[0] == '/' ? "file://" : "";
  for (const char c : file) {
    const bool plain = absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                       absl::string_view("-._~/!$&'()*+,=@").find(c) != absl::string_view::npos;
    if (plain) {
      uri += c;
    } else {
      absl::StrAppendFormat(&uri, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return uri;
}

Json Rules() {
  Json rules = Json::array();
  for (const lint::HazardInfo& info : lint::HazardInfos()) {
    rules.push_back({{"id", std::string(info.code)},
                     {"shortDescription", {{"text", std::string(info.title)}}},
                     {"fullDescription", {{"text", std::string(info.help)}}},
                     {"help", {{"text", std::string(info.help)}}},
                     {"defaultConfiguration", {{"level", Level(info.severity)}}}});
  }
  return rules;
}

int RuleIndex(absl::string_view code) {
  const lint::HazardInfo* info = lint::FindHazard(code);
  return info == nullptr ? -1 : static_cast<int>(info - lint::HazardInfos().data());
}

// From the hazard's place to the end of its line, or of the statement; the end is behind the last character.
Json Region(const lint::Finding& finding, const lint::Hazard& hazard) {
  const sql::Place start = lint::PlaceOf(finding, hazard);
  const size_t from = std::min(static_cast<size_t>(hazard.offset), finding.statement.size());
  lint::Hazard last = hazard;
  last.offset =
      static_cast<int>(std::min(finding.statement.find_first_of("\r\n", from), finding.statement.size()));
  const sql::Place end = lint::PlaceOf(finding, last);
  return {{"startLine", start.line},
          {"startColumn", start.column},
          {"endLine", end.line},
          {"endColumn", std::max(end.column, start.column + 1)}};
}

Json ResultOf(const lint::Finding& finding, const lint::Hazard& hazard) {
  std::string message = hazard.message;
  if (!hazard.safe_sql.empty()) absl::StrAppend(&message, "\n\nSafe way:\n", hazard.safe_sql);
  if (!hazard.operation.empty())
    absl::StrAppend(&message, "\n\nAs an operation of a plan:\n", hazard.operation);
  Json result = {{"ruleId", hazard.code}};
  if (const int rule = RuleIndex(hazard.code); rule >= 0) result["ruleIndex"] = rule;
  result["level"] = Level(hazard.severity);
  result["message"] = {{"text", message}};
  const Json place = {{"artifactLocation", {{"uri", Uri(finding.file)}}},
                      {"region", Region(finding, hazard)}};
  result["locations"] = Json::array({{{"physicalLocation", place}}});
  Json suppressions = Json::array();
  if (const std::string* reason = AllowedReason(finding, hazard)) {
    suppressions.push_back({{"kind", "inSource"}, {"justification", *reason}});
  }
  result["suppressions"] = std::move(suppressions);
  return result;
}

// Results go out as they come; what stands around them is small.
class LintSarif : public LintOutput {
 public:
  explicit LintSarif(std::ostream& out) : out_(out) {}
  void Add(const lint::Finding& finding) override {
    for (const lint::Hazard& hazard : finding.report.hazards) {
      Begin();
      out_ << (first_ ? "\n" : ",\n") << Dump(ResultOf(finding, hazard));
      first_ = false;
    }
  }
  void Note(absl::string_view) override {}
  void Finish(const LintCounts&) override {
    Begin();
    out_ << "\n]}]}\n";
  }

 private:
  void Begin() {
    if (begun_) return;
    begun_ = true;
    const Json driver = {{"name", "curlew"}, {"version", CURLEW_VERSION}, {"rules", Rules()}};
    out_ << "{\"$schema\": " << Dump(kSchema)
         << ",\n\"version\": \"2.1.0\",\n\"runs\": [{\"tool\": {\"driver\": " << Dump(driver)
         << "},\n\"columnKind\": \"unicodeCodePoints\",\n\"results\": [";
  }

  std::ostream& out_;
  bool begun_ = false, first_ = true;
};

}  // namespace

std::unique_ptr<LintOutput> MakeLintSarif(std::ostream& out) { return std::make_unique<LintSarif>(out); }

}  // namespace curlew::cli
