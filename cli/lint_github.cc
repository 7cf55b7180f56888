#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/lint_output.h"

namespace curlew::cli {
namespace {

// As @actions/core's command.ts escapes them.
std::string Data(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"%", "%25"}, {"\r", "%0D"}, {"\n", "%0A"}});
}
std::string Property(absl::string_view text) {
  return absl::StrReplaceAll(Data(text), {{":", "%3A"}, {",", "%2C"}});
}

class LintGithub : public LintOutput {
 public:
  explicit LintGithub(std::ostream& out) : out_(out) {}
  void Add(const lint::Finding& finding) override {
    for (const lint::Hazard& hazard : finding.report.hazards) {
      if (AllowedReason(finding, hazard) != nullptr) continue;
      const sql::Place place = lint::PlaceOf(finding, hazard);
      std::string message = hazard.message;
      if (!hazard.safe_sql.empty()) absl::StrAppend(&message, "\nSafe way:\n", hazard.safe_sql);
      if (!hazard.operation.empty())
        absl::StrAppend(&message, "\nAs an operation of a plan:\n", hazard.operation);
      out_ << "::" << lint::SeverityName(hazard.severity) << " file=" << Property(finding.file)
           << ",line=" << place.line << ",col=" << place.column << ",title=" << Property(hazard.code)
           << "::" << Data(message) << "\n";
    }
  }
  void Note(absl::string_view) override {}
  void Finish(const LintCounts&) override {}

 private:
  std::ostream& out_;
};

}  // namespace

std::unique_ptr<LintOutput> MakeLintGithub(std::ostream& out) { return std::make_unique<LintGithub>(out); }

}  // namespace curlew::cli
