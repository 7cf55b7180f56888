// Findings as a linter makes them, for tests of the forms in which they are printed.
#ifndef CURLEW_TESTS_CLI_LINT_FINDINGS_H_
#define CURLEW_TESTS_CLI_LINT_FINDINGS_H_

#include <sstream>
#include <string>

#include "cli/lint_output.h"
#include "common/lint/finding.h"

namespace curlew::cli {

// A change of a type, in line 12, with an error in its second line and what it locks.
inline lint::Finding TypeChange() {
  lint::Finding finding;
  finding.file = "db/42.sql";
  finding.statement = "ALTER TABLE orders\n\tALTER größe TYPE numeric";
  finding.place = {.offset = 100, .line = 12, .column = 3};
  finding.report.locks = {{"orders", lint::LockMode::kAccessExclusive, false},
                          {"\"Order Lines\"", lint::LockMode::kShareRowExclusive, true}};
  finding.report.blocks_reads = finding.report.blocks_writes = true;
  finding.report.rewrites = true;
  lint::Hazard hazard;
  hazard.code = "rewrites-table";
  hazard.severity = lint::Severity::kError;
  hazard.message = "orders is written anew, 100% of it: nobody reads or writes";
  hazard.safe_sql = "ALTER TABLE orders ADD x numeric;\n-- then fill it";
  hazard.operation = "- change_type: {table: orders}";
  hazard.offset = 34;
  finding.report.hazards = {hazard};
  return finding;
}

// A statement without hazards.
inline lint::Finding Harmless() {
  lint::Finding finding;
  finding.file = "db/42.sql";
  finding.statement = "SELECT 1";
  finding.place = {.offset = 0, .line = 1, .column = 1};
  return finding;
}

// A piece that did not parse; its bytes are no UTF-8.
inline lint::Finding Unread() {
  lint::Finding finding;
  finding.kind = lint::Finding::Kind::kUnread;
  finding.file = "a b,c:d%.sql";
  finding.statement = "SELECT \xFF\x1B[31m FOO";
  finding.place = {.offset = 5, .line = 2, .column = 1};
  lint::Hazard hazard;
  hazard.code = "syntax-error";
  hazard.severity = lint::Severity::kError;
  hazard.message = "syntax error at \xFE\r\n\"FOO\"";
  hazard.offset = 14;
  finding.report.hazards = {hazard};
  return finding;
}

// What `output` prints of the findings.
template <typename Make>
std::string Print(Make make, const std::vector<lint::Finding>& findings) {
  std::ostringstream out;
  const auto output = make(out);
  LintCounts counts;
  counts.files = 1;
  for (const lint::Finding& finding : findings) {
    counts.Add(finding);
    output->Add(finding);
  }
  output->Finish(counts);
  return out.str();
}

}  // namespace curlew::cli

#endif  // CURLEW_TESTS_CLI_LINT_FINDINGS_H_
