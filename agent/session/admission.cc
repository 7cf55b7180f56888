#include "agent/session/admission.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/executor/step_runner.h"
#include "agent/journal/backup_journal.h"
#include "common/base/canonical_json.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

const StepRecord* Find(const std::vector<StepRecord>& records, const std::string& step,
                       v1::Direction direction) {
  for (const StepRecord& record : records) {
    if (record.step == step && record.direction == direction) return &record;
  }
  return nullptr;
}

bool Succeeded(const std::vector<StepRecord>& records, const std::string& step, v1::Direction direction) {
  const StepRecord* record = Find(records, step, direction);
  return record != nullptr && record->succeeded;
}

// As the controller judges it, too.
bool IsIrreversible(const v1::Step& step) {
  switch (step.action().kind_case()) {
    case v1::Action::kVerify:
    case v1::Action::kWait:
    case v1::Action::kAnalyze:
    case v1::Action::kBackup:
    case v1::Action::kMeasure:
      return false;
    default:
      return step.phase() == v1::PHASE_DROP && !step.has_undo() && !step.preflight();
  }
}

// Whether the step's work is one transaction, which the journal's row commits with: what the journal does not
// know has not happened.
bool IsOneTransaction(const v1::Step& step) {
  const v1::Action& action = step.action();
  return action.has_install_trigger() ||
         (action.has_execute_sql() && !action.execute_sql().has_each_partition());
}

Refusal Invalid(std::string message) {
  return {.reason = v1::NACK_REASON_INVALID, .message = std::move(message)};
}

std::optional<Refusal> CheckDo(const v1::CompiledPlan& compiled, const std::vector<StepRecord>& records,
                               int index) {
  for (const StepRecord& record : records) {
    if (record.direction == v1::DIRECTION_UNDO && record.step != kRollbackGate) {
      return Invalid(
          absl::StrCat("step ", record.step, " of the run has been undone: nothing of it is done any more"));
    }
  }
  for (int i = 0; i < index; ++i) {
    if (!Succeeded(records, compiled.steps(i).key(), v1::DIRECTION_DO)) {
      return Invalid(absl::StrCat("step ", compiled.steps(i).key(), ", which comes before ",
                                  compiled.steps(index).key(),
                                  ", is not done, as the target's journal has it"));
    }
  }
  return std::nullopt;
}

std::optional<Refusal> CheckUndo(const v1::CompiledPlan& compiled, const std::vector<StepRecord>& records,
                                 int index) {
  for (int i = index + 1; i < compiled.steps_size(); ++i) {
    const std::string& key = compiled.steps(i).key();
    if (IsIrreversible(compiled.steps(i)) && Succeeded(records, key, v1::DIRECTION_DO)) {
      return Invalid(absl::StrCat("step ", key,
                                  " was done, and what it dropped cannot be brought back: the"
                                  " run cannot be undone any more"));
    }
    if (compiled.steps(i).has_undo() && Succeeded(records, key, v1::DIRECTION_DO) &&
        !Succeeded(records, key, v1::DIRECTION_UNDO)) {
      return Invalid(absl::StrCat("step ", key, ", which comes after ", compiled.steps(index).key(),
                                  ", was done and is not undone yet"));
    }
  }
  return std::nullopt;
}

// Pins the plan that the command brings. Nothing where all is well.
absl::StatusOr<std::optional<Refusal>> Pin(pg::Connection* connection, const v1::Dispatch& dispatch,
                                           const std::string& instance_id) {
  if (!dispatch.has_compiled_plan()) {
    return std::optional<Refusal>(Refusal{.reason = v1::NACK_REASON_NEED_PLAN,
                                          .message = "the journal does not have the compiled plan"});
  }
  const std::string digest = base::CanonicalDigest(dispatch.compiled_plan());
  if (digest != dispatch.compiled_digest()) {
    return std::optional<Refusal>(
        Invalid(absl::StrCat("the digest of the compiled plan does not match: it is ", digest,
                             ", the command says ", dispatch.compiled_digest())));
  }
  ASSIGN_OR_RETURN(auto transaction,
                   FencedTransaction::Begin(connection, {dispatch.epoch(), instance_id}, {}));
  RETURN_IF_ERROR(PinPlan(transaction, dispatch.run(), dispatch.compiled_plan(), digest));
  base::FaultPoint("pin.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  base::FaultPoint("pin.after_commit");
  return std::optional<Refusal>();
}

}  // namespace

Admission Judge(const v1::CompiledPlan& compiled, const std::vector<StepRecord>& records,
                const v1::Dispatch& dispatch) {
  if (dispatch.step() == kRollbackGate) {
    if (!compiled.has_rollback_gate() || dispatch.direction() != v1::DIRECTION_UNDO) {
      return Invalid("the compiled plan has no gate before its rollback");
    }
    // Looked at anew each time: sessions come back.
    Admitted gate{.step = compiled.rollback_gate(), .settings = compiled.settings()};
    gate.step.set_key(kRollbackGate);
    return gate;
  }
  int index = 0;
  while (index < compiled.steps_size() && compiled.steps(index).key() != dispatch.step()) ++index;
  if (index == compiled.steps_size()) {
    return Invalid(absl::StrCat("the compiled plan has no step ", dispatch.step()));
  }
  std::optional<Refusal> refusal;
  switch (dispatch.direction()) {
    case v1::DIRECTION_DO:
      refusal = CheckDo(compiled, records, index);
      break;
    case v1::DIRECTION_UNDO:
      refusal = CheckUndo(compiled, records, index);
      break;
    default:
      refusal = Invalid("the command does not say whether to do or to undo the step");
  }
  if (refusal.has_value()) return *std::move(refusal);
  const StepRecord* record = Find(records, dispatch.step(), dispatch.direction());
  if (record != nullptr && record->succeeded) return AlreadyDone{.rows = record->rows};
  Admitted admitted{.step = compiled.steps(index), .settings = compiled.settings()};
  // An author's own undo need not bear being run where nothing was done. It is journaled all the same, so
  // that every step that the controller is told is undone is so by the journal, too.
  if (dispatch.direction() == v1::DIRECTION_UNDO && IsOneTransaction(compiled.steps(index)) &&
      Find(records, dispatch.step(), v1::DIRECTION_DO) == nullptr) {
    admitted.step.clear_undo();
  }
  return admitted;
}

absl::StatusOr<Admission> Admit(pg::Connection* connection, const v1::Dispatch& dispatch,
                                const std::string& instance_id) {
  ASSIGN_OR_RETURN(std::optional<PinnedPlan> pinned, ReadPlan(connection, dispatch.run()));
  const bool was_unknown = !pinned.has_value();
  if (was_unknown) {
    ASSIGN_OR_RETURN(std::optional<Refusal> refusal, Pin(connection, dispatch, instance_id));
    if (refusal.has_value()) return Admission(*std::move(refusal));
    pinned = PinnedPlan{.compiled = dispatch.compiled_plan(), .digest = dispatch.compiled_digest()};
  }
  if (pinned->digest != dispatch.compiled_digest()) {
    return Admission(Invalid(absl::StrCat("the run is pinned to the compiled plan ", pinned->digest,
                                          ", the command is for ", dispatch.compiled_digest())));
  }
  ASSIGN_OR_RETURN(const std::vector<StepRecord> records, ReadSteps(connection, dispatch.run()));
  Admission admission = Judge(pinned->compiled, records, dispatch);
  if (auto* done = std::get_if<AlreadyDone>(&admission);
      done != nullptr && dispatch.direction() == v1::DIRECTION_DO) {
    ASSIGN_OR_RETURN(done->backups, ReadBackups(connection, dispatch.run(), dispatch.step()));
  }
  if (auto* refusal = std::get_if<Refusal>(&admission)) refusal->run_was_unknown = was_unknown;
  return admission;
}

}  // namespace curlew::agent
