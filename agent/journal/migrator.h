// Schema curlew in a target: made, and brought up to date.
#ifndef CURLEW_AGENT_JOURNAL_MIGRATOR_H_
#define CURLEW_AGENT_JOURNAL_MIGRATOR_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// The version of the journal that this agent works with.
int JournalVersion();

// The version that is in force; 0 where there is no journal. Errors as in common/pg/error.h.
absl::StatusOr<int> ReadJournalVersion(pg::Connection* connection);

// Applies the migrations that are missing, each in one transaction, and verifies each. Idempotent; several at
// a time wait for each other. FAILED_PRECONDITION where the journal was written by a newer agent; ABORTED
// where another migrates at this moment (try again); errors as in common/pg/error.h.
absl::Status MigrateJournal(pg::Connection* connection);

// Takes everything back. Fails, and changes nothing, while dual-write functions live in the schema.
absl::Status RemoveJournal(pg::Connection* connection);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_JOURNAL_MIGRATOR_H_
