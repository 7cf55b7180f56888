// Whether a command makes sense, judged by the pinned plan and the journal; and, where the agent runs signed
// plans alone, whether people whom it trusts have signed what is asked for.
#ifndef CURLEW_AGENT_SESSION_ADMISSION_H_
#define CURLEW_AGENT_SESSION_ADMISSION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/journal/journal.h"
#include "agent/verify/trust.h"
#include "common/pg/connection.h"
#include "curlew/v1/agent.pb.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// Do it.
struct Admitted {
  v1::Step step;
  v1::PlanSettings settings;
};
// It is done already: the journal says so.
struct AlreadyDone {
  int64_t rows = 0;
  // What the step has made; not told by Judge.
  std::vector<v1::BackupResult> backups = {};
};
// Not so.
struct Refusal {
  v1::NackReason reason = v1::NACK_REASON_INVALID;
  std::string message;
  // Whether the journal had nothing of the run before this command.
  bool run_was_unknown = false;
};
using Admission = std::variant<Admitted, AlreadyDone, Refusal>;

// Judges a step by its plan and by what the journal knows of the run. Pure. A step is done when every one
// before it has been, and nothing of the run was undone; it is undone when everything done after it, that has
// an undo, is undone.
Admission Judge(const v1::CompiledPlan& compiled, const std::vector<StepRecord>& records,
                const v1::Dispatch& dispatch);

// Judge, with the plan and the records from the target's journal; pins the plan where the command brings it
// and none is pinned, for the agent `instance_id`. Errors as in common/pg/error.h and FencedTransaction.
//
// With `trust` (null for none; not kept) what is pinned is what this agent has compiled itself, from the plan
// that the command brings, which must be signed (agent/verify/verify_run.h). A step is done where the
// signature of its run still counts, and a step that NeedsDecisions where approvers have signed, too, which
// is noted first; an override counts where an approver has signed it, else the command is refused. An undo
// needs no more than the pinned plan. The undo of a run that the journal does not know is only noted, and the
// run barred: there is nothing of it.
absl::StatusOr<Admission> Admit(pg::Connection* connection, const v1::Dispatch& dispatch,
                                const std::string& instance_id, const Trust* trust = nullptr,
                                absl::Time now = absl::Now());

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_SESSION_ADMISSION_H_
