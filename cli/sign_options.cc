#include "cli/sign_options.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/gate_view.h"
#include "cli/key_view.h"
#include "cli/names.h"
#include "cli/pki_view.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "common/base/error_detail.h"
#include "common/base/hash.h"
#include "common/base/id.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/signing/signing_key.h"
#include "common/signing/statements.h"

namespace curlew::cli {
namespace {

v1::DecisionStatement NewDecision(v1::DecisionKind kind, const SignOptions& options,
                                  const v1::Rollout& rollout, absl::Time now) {
  v1::DecisionStatement statement;
  statement.set_id(NewStatementId());
  statement.set_kind(kind);
  statement.set_rollout(rollout.name());
  statement.set_plan_digest(rollout.plan_digest());
  *statement.mutable_expire_time() = StatementTime(now + options.expires);
  return statement;
}

// Says that the decision is about what the run is pinned to.
absl::Status AddRun(const v1::Run& run, v1::DecisionStatement* statement) {
  if (run.compiled_digest().empty()) {
    return base::WithDetail(absl::FailedPreconditionError(absl::StrCat("target ", run.target(),
                                                                       " has not been compiled: there is "
                                                                       "nothing yet to decide about")),
                            base::kHint, "sign when the rollout has come to the gate");
  }
  (*statement->mutable_compiled_digests())[run.target()] = run.compiled_digest();
  return absl::OkStatus();
}

absl::StatusOr<v1::DecisionSignature> Sign(const SignOptions& options,
                                           const v1::DecisionStatement& statement) {
  ASSIGN_OR_RETURN(const signing::SigningKey key, signing::SigningKey::Load(options.key));
  return signing::Sign(key, statement);
}

bool IsStage(const v1::EnvironmentStage* stage, std::initializer_list<v1::StageState> states) {
  return std::find(states.begin(), states.end(), stage->state()) != states.end();
}

// The step that the run stands at, where it waits there or has failed; or nullptr.
const v1::StepStatus* StandsAt(const v1::Run& run) {
  const auto stands = [](const v1::StepStatus& step) {
    return step.waits() || step.has_override() || step.state() == v1::STEP_STATE_FAILED;
  };
  if (run.state() == v1::RUN_STATE_ROLLING_BACK || run.rollback_gate().state() == v1::STEP_STATE_FAILED) {
    return stands(run.rollback_gate()) ? &run.rollback_gate() : nullptr;
  }
  for (const v1::StepStatus& step : run.steps()) {
    if (step.state() == v1::STEP_STATE_SUCCEEDED) continue;
    const bool at_work = run.state() == v1::RUN_STATE_RUNNING || run.state() == v1::RUN_STATE_DROPPING ||
                         run.state() == v1::RUN_STATE_FAILED;
    return at_work && stands(step) ? &step : nullptr;
  }
  return nullptr;
}

}  // namespace

void AddSignOptions(CLI::App& verb, SignOptions& options) {
  CLI::Option* key =
      verb.add_option(
              "--sign-key", options.key,
              "Sign it with this private key (curlew key create), for agents that run signed plans alone")
          ->type_name(kFileType);
  AddOptionalDuration(verb, "--expires", options.expires, "How long the signature counts (default: 24h)")
      ->needs(key);
}

std::string NewStatementId() {
  constexpr int kLetters = 40;
  constexpr size_t kDigits = 32;
  return base::Sha256Hex(base::RandomId(kLetters)).substr(0, kDigits);
}

google::protobuf::Timestamp StatementTime(absl::Time time) {
  google::protobuf::Timestamp whole = base::ToProto(time);
  whole.set_nanos(0);
  return whole;
}

absl::StatusOr<const v1::Gate*> GateToSign(const v1::Rollout& rollout, const std::string& id) {
  const v1::Gate* gate = FindGate(rollout, id);
  if (gate == nullptr && id.empty()) {
    for (const v1::EnvironmentStage& stage : rollout.stages()) {
      if (IsStage(&stage, {v1::STAGE_STATE_SOAKING, v1::STAGE_STATE_DONE})) continue;
      if (gate == nullptr && stage.before_drop().has_reached_time()) gate = &stage.before_drop();
    }
  }
  const std::string name = Bare(rollout.name());
  if (gate == nullptr) {
    return base::WithDetail(
        absl::FailedPreconditionError(id.empty() ? absl::StrCat(name, " stands at no gate before DROP now")
                                                 : absl::StrCat(name, " has no gate \"", id, "\"")),
        base::kHint, absl::StrCat("curlew rollout show ", name, " says where it stands"));
  }
  const v1::EnvironmentStage* stage = StageOf(rollout, *gate);
  if (stage != nullptr && stage->before_drop().id() == gate->id()) return gate;
  return base::WithDetail(
      absl::InvalidArgumentError(absl::StrCat("gate ", gate->id(),
                                              " is none before DROP, and only approvals of "
                                              "those are signed")),
      base::kHint, "leave --sign-key out: no agent asks for a signature there");
}

absl::StatusOr<v1::DecisionSignature> SignDrop(const SignOptions& options, const v1::Rollout& rollout,
                                               const v1::Gate& gate, absl::Time now) {
  v1::DecisionStatement statement = NewDecision(v1::DECISION_KIND_DROP, options, rollout, now);
  const v1::EnvironmentStage* stage = StageOf(rollout, gate);
  for (const v1::Run& run : rollout.runs()) {
    if (stage == nullptr || run.environment() != stage->environment()) continue;
    if (run.state() != v1::RUN_STATE_SKIPPED) RETURN_IF_ERROR(AddRun(run, &statement));
  }
  return Sign(options, statement);
}

absl::StatusOr<v1::DecisionSignature> SignOverride(const SignOptions& options, const v1::Rollout& rollout,
                                                   const std::string& target, const std::string& step,
                                                   absl::Time now) {
  v1::DecisionStatement statement = NewDecision(v1::DECISION_KIND_OVERRIDE, options, rollout, now);
  const std::string name = Bare(rollout.name());
  std::map<std::string, std::vector<std::string>> targets_at;
  for (const v1::Run& run : rollout.runs()) {
    if (!target.empty() && run.target() != target) continue;
    const v1::StepStatus* at = StandsAt(run);
    if (at == nullptr || (!step.empty() && at->key() != step)) continue;
    targets_at[at->key()].push_back(run.target());
    statement.set_step(at->key());
    RETURN_IF_ERROR(AddRun(run, &statement));
  }
  if (targets_at.size() == 1) return Sign(options, statement);
  if (targets_at.empty()) {
    return base::WithDetail(
        absl::FailedPreconditionError(absl::StrCat(
            name, target.empty() ? " has no target" : absl::StrCat(": target ", target, " is not one"),
            " that waits at ", step.empty() ? "a step" : step,
            ", or has failed there: there is nothing to sign")),
        base::kHint, absl::StrCat("curlew rollout show ", name, " says where it stands"));
  }
  std::vector<std::string> places;
  for (const auto& [key, targets] : targets_at) {
    places.push_back(absl::StrCat(key, " (", absl::StrJoin(targets, ", "), ")"));
  }
  return base::WithDetail(
      absl::FailedPreconditionError(absl::StrCat("a signature is about one step, and the targets of ", name,
                                                 " stand at several: ", absl::StrJoin(places, "; "))),
      base::kHint, "name one with --target");
}

std::string RenderSigned(const v1::DecisionSignature& signature, absl::Time now) {
  const v1::DecisionStatement& statement = signature.statement();
  std::string out = absl::StrCat(
      "  signed       ",
      statement.kind() == v1::DECISION_KIND_DROP
          ? "that DROP may begin"
          : absl::StrCat("that step ", Printable(statement.step()), " need not wait, or is left out"),
      "\n  rollout      ", Printable(Bare(statement.rollout())), "\n  plan digest  ",
      Printable(statement.plan_digest()), "\n");
  const std::map<std::string, std::string> digests(statement.compiled_digests().begin(),
                                                   statement.compiled_digests().end());
  for (const auto& [target, digest] : digests) {
    absl::StrAppend(&out, "  compiled     ", Printable(digest), "  ", Printable(target), "\n");
  }
  absl::StrAppend(&out, "  by key       ", ShortKeyId(signature.public_key()), "\n  signature    ",
                  Validity(absl::InfinitePast(), base::FromProto(statement.expire_time()), now), "\n");
  return out;
}

}  // namespace curlew::cli
