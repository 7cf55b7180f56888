#include "agent/session/admission.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/executor/step_runner.h"
#include "agent/journal/backup_journal.h"
#include "agent/journal/signed_run.h"
#include "agent/verify/decisions.h"
#include "agent/verify/signed_plan.h"
#include "agent/verify/verify_run.h"
#include "common/base/canonical_json.h"
#include "common/base/fault_point.h"
#include "common/base/log.h"
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

// --- Signed plans. ---

// What a controller that nobody believes may have noted of a run that is barred.
constexpr size_t kLongestKey = 100;
constexpr size_t kLongestDigest = 64;

Refusal Untrusted(const absl::Status& refusal) { return Invalid(WithHint(refusal)); }

// Of a run that the journal did not know when it was to be undone: nothing to undo, and nothing to do.
Admission JudgeBarred(const std::vector<StepRecord>& records, const v1::Dispatch& dispatch) {
  if (dispatch.direction() != v1::DIRECTION_UNDO) {
    return Invalid(absl::StrCat("the journal did not know ", dispatch.run(),
                                " when it was to be undone: nothing of it was done, and nothing is any more; "
                                "start another rollout"));
  }
  if (dispatch.step().size() > kLongestKey) return Invalid("the step's key is longer than any that there is");
  if (dispatch.step() != kRollbackGate && Succeeded(records, dispatch.step(), v1::DIRECTION_UNDO)) {
    return AlreadyDone{};
  }
  Admitted nothing;
  nothing.step.set_key(dispatch.step());
  return nothing;
}

// Whether people whom the agent trusts have signed what the step is about to do.
struct SignedStep {
  absl::Status refusal;
  // To be noted before it begins.
  Decisions fresh;
};

absl::StatusOr<SignedStep> CheckSigned(pg::Connection* connection, const PinnedPlan& pinned,
                                       const v1::Step& step, const v1::Dispatch& dispatch, const Trust& trust,
                                       absl::Time now) {
  SignedStep checked;
  const absl::StatusOr<std::string> rollout = RolloutOf(dispatch.run(), dispatch.target());
  checked.refusal = rollout.status();
  if (!rollout.ok()) return checked;
  const bool undo = dispatch.direction() == v1::DIRECTION_UNDO;
  if (!undo) {
    checked.refusal = VerifyPinned(trust, dispatch.target(), dispatch.run(), pinned).status();
    if (!checked.refusal.ok()) return checked;
  }
  const DecidedRun run{.target = dispatch.target(),
                       .rollout = *rollout,
                       .plan_digest = pinned.compiled.plan_digest(),
                       .compiled_digest = pinned.digest,
                       .plan_key = pinned.signature.has_value() ? pinned.signature->public_key() : ""};
  if (!undo && NeedsDecisions(step)) {
    ASSIGN_OR_RETURN(const Decisions noted, ReadDropDecisions(connection, dispatch.run()));
    absl::StatusOr<Decisions> drop =
        VerifyDrop(trust, run, dispatch.step(), noted,
                   Decisions(dispatch.decisions().begin(), dispatch.decisions().end()), now);
    checked.refusal = drop.status();
    if (!drop.ok()) return checked;
    checked.fresh = *std::move(drop);
  }
  if (dispatch.has_override()) {
    checked.refusal = VerifyOverride(trust, run, dispatch.step(), dispatch.override(), now);
    if (checked.refusal.ok()) checked.fresh.push_back(dispatch.override().signature());
  }
  return checked;
}

absl::Status Note(FencedTransaction& transaction, const std::string& run, const Decisions& decisions) {
  for (const v1::DecisionSignature& decision : decisions) {
    RETURN_IF_ERROR(RecordDecision(transaction, run, decision));
  }
  return absl::OkStatus();
}

// What is asked for of a run that the journal does not know. What is refused leaves no trace: the signature
// is not used up, and the plan not pinned to what the schema is now.
absl::StatusOr<Admission> AdmitUnknown(pg::Connection* connection, const v1::Dispatch& dispatch,
                                       const std::string& instance_id, const Trust& trust, absl::Time now) {
  // The name goes into the journal, into names of files and of restore points.
  const absl::Status name = RolloutOf(dispatch.run(), dispatch.target()).status();
  if (!name.ok()) return Admission(Untrusted(name));
  if (dispatch.compiled_digest().size() > kLongestDigest) {
    return Admission(Invalid("the digest of the compiled plan is none"));
  }
  const Fence fence{dispatch.epoch(), instance_id};
  if (dispatch.direction() == v1::DIRECTION_UNDO) {
    ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection, fence, {}));
    RETURN_IF_ERROR(BarRun(transaction, dispatch.run(), dispatch.compiled_digest()));
    RETURN_IF_ERROR(transaction.Commit());
    return JudgeBarred({}, dispatch);
  }
  if (!dispatch.has_plan() && !dispatch.has_compiled_plan()) {
    return Admission(
        Refusal{.reason = v1::NACK_REASON_NEED_PLAN, .message = "the journal does not have the plan"});
  }
  if (!dispatch.has_plan()) {
    return Admission(Untrusted(NotTrusted(
        absl::StrCat("target ", dispatch.target(),
                     ": the controller sent no plan with its signatures, and this agent runs signed plans "
                     "alone"),
        "run a controller of this agent's version")));
  }
  ASSIGN_OR_RETURN(const OwnCompilation own,
                   VerifyRun(connection, trust,
                             {.target = dispatch.target(),
                              .run = dispatch.run(),
                              .plan = &dispatch.plan(),
                              .signatures = &dispatch.plan_signatures(),
                              .compiled_digest = dispatch.compiled_digest(),
                              .compiler_version = dispatch.compiled_plan().compiler_version()},
                             now));
  if (!own.refusal.ok()) return Admission(Untrusted(own.refusal));
  Admission admission = Judge(own.run.compiled, {}, dispatch);
  if (auto* refusal = std::get_if<Refusal>(&admission)) refusal->run_was_unknown = true;
  const auto* admitted = std::get_if<Admitted>(&admission);
  if (admitted == nullptr) return admission;
  const PinnedPlan pinned{
      .compiled = own.run.compiled, .digest = own.run.digest, .signature = own.run.signature};
  ASSIGN_OR_RETURN(const SignedStep checked,
                   CheckSigned(connection, pinned, admitted->step, dispatch, trust, now));
  if (!checked.refusal.ok()) return Admission(Untrusted(checked.refusal));
  base::FaultPoint("pin.verified");
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection, fence, {}));
  RETURN_IF_ERROR(PinSignedPlan(transaction, dispatch.run(), own.run));
  RETURN_IF_ERROR(Note(transaction, dispatch.run(), checked.fresh));
  base::FaultPoint("pin.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  base::FaultPoint("pin.after_commit");
  spdlog::info(base::WithFields("a signed plan is verified, compiled and pinned",
                                {{"target", dispatch.target()},
                                 {"run", dispatch.run()},
                                 {"plan_digest", own.run.compiled.plan_digest()},
                                 {"compiled_digest", own.run.digest},
                                 {"signature", own.run.signature.statement().id()},
                                 {"public_key", own.run.signature.public_key()}}));
  return admission;
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
                                const std::string& instance_id, const Trust* trust, absl::Time now) {
  ASSIGN_OR_RETURN(std::optional<PinnedPlan> pinned, ReadPlan(connection, dispatch.run()));
  const bool was_unknown = !pinned.has_value();
  if (was_unknown && trust != nullptr) {
    return AdmitUnknown(connection, dispatch, instance_id, *trust, now);
  }
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
  Admission admission =
      pinned->barred ? JudgeBarred(records, dispatch) : Judge(pinned->compiled, records, dispatch);
  if (auto* done = std::get_if<AlreadyDone>(&admission);
      done != nullptr && dispatch.direction() == v1::DIRECTION_DO) {
    ASSIGN_OR_RETURN(done->backups, ReadBackups(connection, dispatch.run(), dispatch.step()));
  }
  if (auto* refusal = std::get_if<Refusal>(&admission)) refusal->run_was_unknown = was_unknown;
  const auto* admitted = std::get_if<Admitted>(&admission);
  if (trust == nullptr || pinned->barred || admitted == nullptr) return admission;
  ASSIGN_OR_RETURN(const SignedStep checked,
                   CheckSigned(connection, *pinned, admitted->step, dispatch, *trust, now));
  if (!checked.refusal.ok()) return Admission(Untrusted(checked.refusal));
  if (checked.fresh.empty()) return admission;
  ASSIGN_OR_RETURN(auto transaction,
                   FencedTransaction::Begin(connection, {dispatch.epoch(), instance_id}, {}));
  RETURN_IF_ERROR(Note(transaction, dispatch.run(), checked.fresh));
  RETURN_IF_ERROR(transaction.Commit());
  return admission;
}

}  // namespace curlew::agent
