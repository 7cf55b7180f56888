#include "cli/lint_output.h"

namespace curlew::cli {

const std::string* AllowedReason(const lint::Finding& finding, const lint::Hazard& hazard) {
  const auto allowed = finding.allowed.find(hazard.code);
  return allowed == finding.allowed.end() ? nullptr : &allowed->second;
}

void LintCounts::Add(const lint::Finding& finding) {
  statements += finding.kind == lint::Finding::Kind::kStatement;
  unread += finding.kind == lint::Finding::Kind::kUnread;
  for (const lint::Hazard& hazard : finding.report.hazards) {
    if (AllowedReason(finding, hazard) != nullptr) {
      ++allowed;
      continue;
    }
    switch (hazard.severity) {
      case lint::Severity::kError:
        ++errors;
        break;
      case lint::Severity::kWarning:
        ++warnings;
        break;
      case lint::Severity::kNotice:
        ++notices;
        break;
    }
  }
}

}  // namespace curlew::cli
