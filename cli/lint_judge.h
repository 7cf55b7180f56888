// Judges of scripts: offline, or against a database.
#ifndef CURLEW_CLI_LINT_JUDGE_H_
#define CURLEW_CLI_LINT_JUDGE_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/lint/lint_script.h"

namespace curlew::cli {

// Makes a judge for each script. What it needs of a database lives as long as the function or a judge does.
// `conninfo` is a libpq connection string, or "" for none; the catalogue is read once. Statuses of
// pg::Connection::Connect and pg::ReadCatalogue.
absl::StatusOr<std::function<lint::ScriptJudge()>> MakeLintJudges(const std::string& conninfo,
                                                                  absl::Duration connect_timeout);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_LINT_JUDGE_H_
