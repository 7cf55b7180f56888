// How an agent becomes the only one that works on a database.
#ifndef CURLEW_AGENT_JOURNAL_TAKEOVER_H_
#define CURLEW_AGENT_JOURNAL_TAKEOVER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/guard/cancel_token.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// A database that is this agent's.
struct Tenure {
  int64_t epoch = 0;
  int server_version_num = 0;
  std::string database;
  // "" where the role may not read it.
  std::string system_identifier;
  int timeline = 0;
};

struct TakeoverOptions {
  // application_name is set by the takeover.
  pg::ConnectOptions connect;
  std::string target;
  std::string agent_id;
  std::string instance_id;
  // How long the predecessor's backends may take to go.
  absl::Duration deadline = absl::Seconds(30);
};

// Connects, refuses what an agent cannot work with (a transaction pooler, a standby, a database that lives as
// another target), installs or migrates the journal, ends every backend of the predecessor, takes the work
// lock exclusively, raises the epoch and commits synchronously. None of this agent's own sessions with the
// database may be open, except idle ones: they are ended too. FAILED_PRECONDITION with base::kHint for what
// is refused; CANCELLED; errors as in common/pg/error.h.
absl::StatusOr<Tenure> TakeOver(const TakeoverOptions& options, const CancelToken& cancel);

// Whether the journal is still at `tenure`'s epoch and the database is the same one. Errors as in
// common/pg/error.h.
absl::StatusOr<bool> StillMine(const TakeoverOptions& options, const Tenure& tenure);
// The same, by a connection that is there.
absl::StatusOr<bool> StillMine(pg::Connection* connection, const TakeoverOptions& options,
                               const Tenure& tenure);

// FAILED_PRECONDITION where something between the agent and the server (pgbouncer, a proxy) may hand
// statements of one connection to several backends: then no lock and no setting would hold.
absl::Status RefusePooler(pg::Connection* first, pg::Connection* second);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_JOURNAL_TAKEOVER_H_
