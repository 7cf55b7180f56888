// What has been done to a target, as its journal has it. Writes commit with the work that they tell of.
#ifndef CURLEW_AGENT_JOURNAL_JOURNAL_H_
#define CURLEW_AGENT_JOURNAL_JOURNAL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/journal/fenced_transaction.h"
#include "common/pg/connection.h"
#include "curlew/v1/agent.pb.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/signature.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// One try at one step, in one direction.
struct StepAttempt {
  std::string run;
  std::string step;
  v1::Direction direction = v1::DIRECTION_DO;
  int attempt = 0;
  int64_t epoch = 0;
  // Of the agent that makes it.
  std::string instance_id = "";
  Fence fence() const { return {epoch, instance_id}; }
};

// What the journal knows of a step in one direction.
struct StepRecord {
  std::string step;
  v1::Direction direction = v1::DIRECTION_DO;
  bool succeeded = false;  // else only an intent
  int64_t rows = 0;
};

// A heap that a backfill walks.
struct Leaf {
  uint32_t oid = 0;
  std::string name;  // qualified and quoted
};

// All functions: errors as in common/pg/error.h. Connection and transaction are used, not kept.

// Pins the compiled plan of a run. Idempotent. FAILED_PRECONDITION where another one is pinned.
absl::Status PinPlan(FencedTransaction& transaction, const std::string& run, const v1::CompiledPlan& compiled,
                     const std::string& digest);
// The pinned plan; nothing where none is. DATA_LOSS where what is stored does not have its digest any more.
struct PinnedPlan {
  v1::CompiledPlan compiled;
  std::string digest;
  // What the run was begun by (signed_run.h); nothing where the agent asked for no signature then. One that
  // cannot be read any more is empty.
  std::optional<v1::PlanSignature> signature = std::nullopt;
  // Nothing of the run was ever done, and nothing may be (BarRun): there is no compiled plan.
  bool barred = false;
};
absl::StatusOr<std::optional<PinnedPlan>> ReadPlan(pg::Connection* connection, const std::string& run);

// What the journal has of runs, the newest first.
struct RunJournals {
  std::vector<v1::RunJournal> runs;
  // Whether there are no others.
  bool whole = false;
};
// The newest `limit` runs, by the time at which they were pinned. Keys of steps are sorted.
absl::StatusOr<RunJournals> ReadRunJournals(pg::Connection* connection, int limit);

// What is known of the steps of a run, in no order.
absl::StatusOr<std::vector<StepRecord>> ReadSteps(pg::Connection* connection, const std::string& run);
// Work that cannot run in a transaction is about to begin. True where an earlier attempt had said so already.
absl::StatusOr<bool> RecordIntent(FencedTransaction& transaction, const StepAttempt& attempt);
// The step is done once the transaction has committed.
absl::Status RecordSuccess(FencedTransaction& transaction, const StepAttempt& attempt, int64_t rows);

// A row that failed, and what PostgreSQL said, for whoever looks into the database.
absl::Status RecordProblem(FencedTransaction& transaction, const StepAttempt& attempt,
                           const std::string& row_key, const std::string& sqlstate,
                           const std::string& message);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_JOURNAL_JOURNAL_H_
