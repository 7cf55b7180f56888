// Ways back that steps have made, and values that they have measured, as the journal has them.
#ifndef CURLEW_AGENT_JOURNAL_BACKUP_JOURNAL_H_
#define CURLEW_AGENT_JOURNAL_BACKUP_JOURNAL_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/journal/fenced_transaction.h"
#include "agent/journal/journal.h"
#include "common/pg/connection.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

// All functions: errors as in common/pg/error.h. Connection and transaction are used, not kept.

// What the attempt's step has made. Replaces what an earlier attempt has.
absl::Status RecordBackup(FencedTransaction& transaction, const StepAttempt& attempt,
                          const v1::BackupResult& backup);
// What the step has made: one, or nothing.
absl::StatusOr<std::vector<v1::BackupResult>> ReadBackups(pg::Connection* connection, const std::string& run,
                                                          const std::string& step);

// Values by the name of what was measured.
using Measurements = std::map<std::string, std::optional<std::string>>;
// Replaces those of the same names.
absl::Status RecordMeasurements(FencedTransaction& transaction, const std::string& run,
                                const Measurements& values);
// All of the run.
absl::StatusOr<Measurements> ReadMeasurements(pg::Connection* connection, const std::string& run);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_JOURNAL_BACKUP_JOURNAL_H_
