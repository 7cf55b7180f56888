// What a run was begun by, and what was decided about it, where the agent runs signed plans alone.
#ifndef CURLEW_AGENT_JOURNAL_SIGNED_RUN_H_
#define CURLEW_AGENT_JOURNAL_SIGNED_RUN_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/journal/fenced_transaction.h"
#include "common/pg/connection.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"
#include "curlew/v1/signature.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// A run that its agent has compiled itself, from a plan that was signed.
struct SignedRun {
  v1::Plan plan;
  v1::PlanSignature signature;
  // What it was compiled against.
  v1::Schema snapshot;
  v1::CompiledPlan compiled;
  std::string digest;        // of `compiled`
  std::string steps_digest;  // of what is executed alone
};

// All functions: errors as in common/pg/error.h. Connection and transaction are used, not kept.

// Pins the compiled plan of a run, with what it was begun by. Idempotent. FAILED_PRECONDITION where another
// one is pinned, or the same one by another signature; ALREADY_EXISTS where another run was begun by this
// signature.
absl::Status PinSignedPlan(FencedTransaction& transaction, const std::string& run, const SignedRun& pinned);

// Notes that nothing of a run was ever done, and that nothing may be: PinnedPlan::barred, without a plan. No
// effect where the run is known.
absl::Status BarRun(FencedTransaction& transaction, const std::string& run,
                    const std::string& compiled_digest);

// The run that was begun by the signature with this id; nothing where none was.
absl::StatusOr<std::optional<std::string>> RunBegunBy(pg::Connection* connection,
                                                      const std::string& signature_id);

// Notes a signed decision that a step is about to begin by. Idempotent.
absl::Status RecordDecision(FencedTransaction& transaction, const std::string& run,
                            const v1::DecisionSignature& decision);
// The decisions about DROP that were noted for the run. What cannot be read any more is left out: it decides
// nothing.
absl::StatusOr<std::vector<v1::DecisionSignature>> ReadDropDecisions(pg::Connection* connection,
                                                                     const std::string& run);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_JOURNAL_SIGNED_RUN_H_
