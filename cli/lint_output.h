// The forms in which lint prints what it finds, one file each: lint_text.cc, lint_json.cc, ...
#ifndef CURLEW_CLI_LINT_OUTPUT_H_
#define CURLEW_CLI_LINT_OUTPUT_H_

#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "cli/text.h"
#include "common/lint/finding.h"

namespace curlew::cli {

// What was found in all, without what is allowed.
struct LintCounts {
  int files = 0, statements = 0, unread = 0;
  int errors = 0, warnings = 0, notices = 0, allowed = 0;
  void Add(const lint::Finding& finding);
};

// Prints findings as they come. Any bytes of a file give valid output.
class LintOutput {
 public:
  virtual ~LintOutput() = default;
  virtual void Add(const lint::Finding& finding) = 0;
  // Something about a file for people; the other forms leave it out.
  virtual void Note(absl::string_view note) = 0;
  // After the last one.
  virtual void Finish(const LintCounts& counts) = 0;
};

// For people. Statements without hazards are printed only where `verbosity` says so.
enum class LintVerbosity { kHazards, kAll };
std::unique_ptr<LintOutput> MakeLintText(std::ostream& out, const Style& style, LintVerbosity verbosity);
// A list of objects with file, line, statement, locks, ...: docs/lint.md.
std::unique_ptr<LintOutput> MakeLintJson(std::ostream& out);
// SARIF 2.1.0 of OASIS.
std::unique_ptr<LintOutput> MakeLintSarif(std::ostream& out);
// Commands of GitHub's workflows that annotate lines.
std::unique_ptr<LintOutput> MakeLintGithub(std::ostream& out);

// The reason for which a hazard is allowed; null where it counts.
const std::string* AllowedReason(const lint::Finding& finding, const lint::Hazard& hazard);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_LINT_OUTPUT_H_
