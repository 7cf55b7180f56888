#include "cli/lint_plan.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/lint/hazards.h"
#include "common/plan/plan_reader.h"
#include "common/plan/yaml_reader.h"
#include "curlew/v1/plan.pb.h"

namespace curlew::cli {
namespace {

constexpr absl::string_view kAcknowledged = "acknowledged by the plan";

// The byte-exact place of a line and column.
sql::Place Exact(absl::string_view text, plan::Place place) {
  size_t offset = 0;
  for (int line = 1; line < place.line && offset < text.size(); ++line) {
    offset = std::min(text.find('\n', offset), text.size() - 1) + 1;
  }
  sql::Place exact{.offset = offset, .line = place.line, .column = 1};
  while (exact.offset < text.size() && exact.line == place.line && exact.column < place.column) {
    exact = sql::PlaceAt(text, exact.offset + 1, exact);
  }
  return exact;
}

// A plan's own text, and where the next statement is looked for in it.
class Yaml {
 public:
  explicit Yaml(absl::string_view text) : text_(text) {}

  // Looks from there on.
  void GoTo(plan::Place place) { at_ = Exact(text_, place); }

  // Puts a finding to its place in the file: where its first line stands, else where its text's key does.
  void Settle(lint::Finding& finding) {
    const absl::string_view statement = finding.statement;
    const absl::string_view first = absl::StripTrailingAsciiWhitespace(
        statement.substr(0, std::min(statement.find('\n'), statement.size())));
    const size_t found = first.empty() ? absl::string_view::npos : text_.find(first, at_.offset);
    const int own_column = finding.place.column;
    finding.place = at_;
    if (found == absl::string_view::npos) return;
    finding.place = sql::PlaceAt(text_, found, at_);
    finding.indent = std::max(0, finding.place.column - own_column);
    const bool passed = finding.kind == lint::Finding::Kind::kStatement;
    at_ = sql::PlaceAt(text_, found + (passed ? first.size() : 0), finding.place);
  }

 private:
  absl::string_view text_;
  sql::Place at_;
};

lint::Finding NotValid(const absl::Status& status, absl::string_view text, absl::string_view file) {
  lint::Finding finding;
  finding.kind = lint::Finding::Kind::kUnread;
  finding.file = std::string(file);
  finding.place = Exact(text, plan::PlaceOf(status));
  const size_t begin = finding.place.offset;
  finding.statement = std::string(absl::StripTrailingAsciiWhitespace(
      text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin)));
  lint::Hazard hazard;
  hazard.code = std::string(lint::kInvalidPlan);
  hazard.severity = lint::Severity::kError;
  hazard.message = std::string(status.message());
  finding.report.hazards.push_back(std::move(hazard));
  return finding;
}

}  // namespace

bool IsPlan(absl::string_view file, absl::string_view text) {
  if (absl::EndsWith(file, ".yaml") || absl::EndsWith(file, ".yml")) return true;
  if (absl::EndsWith(file, ".sql")) return false;
  const absl::string_view head = absl::StripLeadingAsciiWhitespace(text.substr(0, 1 << 20));
  return absl::StartsWith(head, "operations:") || absl::StrContains(head, "\noperations:") ||
         (absl::StartsWith(head, "{") && absl::StrContains(head, "\"operations\""));
}

std::string LintPlan(absl::string_view text, absl::string_view file,
                     const std::function<lint::ScriptJudge()>& new_judge, const lint::FindingSink& sink) {
  v1::Plan plan;
  plan::Places places;
  absl::Status status = plan::ReadYamlWithPlaces(text, file, &plan, &places);
  if (status.ok()) status = plan::AtPlace(plan::Validate(plan), file, places);
  if (!status.ok()) {
    sink(NotValid(status, text, file));
    return "";
  }
  Yaml yaml(text);
  const auto& acknowledged = plan.settings().acknowledge();
  int others = 0;
  for (int i = 0; i < plan.operations_size(); ++i) {
    if (!plan.operations(i).has_sql()) {
      ++others;
      continue;
    }
    const v1::Sql& sql = plan.operations(i).sql();
    for (const auto& [key, script] : {std::pair("up", sql.up()), std::pair("down", sql.down())}) {
      if (script.empty()) continue;
      yaml.GoTo(places.Find(absl::StrCat("operations[", i, "].sql.", key)));
      lint::LintScript(script, file, new_judge(), [&](lint::Finding finding) {
        std::erase_if(finding.report.hazards,
                      [](const lint::Hazard& h) { return h.code == "no-lock-timeout"; });
        for (const lint::Hazard& hazard : finding.report.hazards) {
          if (std::find(acknowledged.begin(), acknowledged.end(), hazard.code) != acknowledged.end()) {
            finding.allowed.emplace(hazard.code, kAcknowledged);
          }
        }
        yaml.Settle(finding);
        sink(std::move(finding));
      });
    }
  }
  if (others == 0) return "";
  return absl::StrCat(file, ": ", others, others == 1 ? " operation is" : " operations are",
                      " safe by construction (curlew plan explain)");
}

}  // namespace curlew::cli
