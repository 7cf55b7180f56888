// The session in which statements run that no transaction can fence.
#ifndef CURLEW_AGENT_EXECUTOR_CONCURRENT_SESSION_H_
#define CURLEW_AGENT_EXECUTOR_CONCURRENT_SESSION_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/attempt/acting_role.h"
#include "agent/attempt/run_context.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// A session outside any transaction that holds the work lock, and so ends with the agent's tenure. It is used
// for one attempt. Not thread-safe. Errors as in common/pg/error.h and FencedTransaction.
class ConcurrentSession {
 public:
  // Connects, ends what an earlier attempt at a step of the run left running, and takes the work lock.
  // `context` must outlive the session.
  static absl::StatusOr<ConcurrentSession> Open(const RunContext& context);

  // Runs one statement, however long it takes, as the role that acts for the owner of what it changes
  // (acting_role.h), and reports once a second how far it is and whom it waits for.
  // UNAVAILABLE where the lease has run out: nothing is begun then; CANCELLED.
  absl::Status Execute(const std::string& sql);

  // Removes what a failed statement left behind: `drop` runs for a minute at most, on a new session where
  // this one is broken, and also after a cancel. Best effort: the next attempt, or the undo, does the rest.
  template <typename Drop>
  void CleanUp(const Drop& drop) {
    if (!Revive()) return;
    drop(connection_.get());
    connection_->Execute("SET statement_timeout = 0").IgnoreError();
  }

  // What the statements are for, in front of what is reported: "partition 3 of 7, ". "" at first.
  void SetSubject(const std::string& subject) { subject_ = subject; }

  // For looking into the catalogue.
  pg::Connection* connection() const { return connection_.get(); }
  const RunContext& context() const { return *context_; }

 private:
  ConcurrentSession(const RunContext& context, std::unique_ptr<pg::Connection> connection, ActingRoles roles)
      : context_(&context), connection_(std::move(connection)), roles_(std::move(roles)) {}
  bool Revive();

  const RunContext* context_;
  std::unique_ptr<pg::Connection> connection_;
  ActingRoles roles_;
  std::string subject_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_CONCURRENT_SESSION_H_
