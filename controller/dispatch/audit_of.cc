#include "controller/dispatch/audit_of.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/base/hash.h"
#include "common/base/proto_time.h"

namespace curlew::dispatch {
namespace {

std::vector<const v1::Gate*> GatesOf(const v1::Rollout& rollout) {
  std::vector<const v1::Gate*> gates;
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    gates.push_back(&stage.before());
    for (const v1::Wave& wave : stage.waves()) gates.push_back(&wave.before());
    gates.push_back(&stage.before_drop());
  }
  return gates;
}

std::vector<std::string> Signatures(const v1::Gate& gate) {
  std::vector<std::string> signatures;
  for (const v1::Approval& approval : gate.approvals())
    signatures.push_back(approval.signature().signature());
  return signatures;
}

// The gate that an input without one was about: the one where that shows.
const v1::Gate* ChangedGate(const v1::Rollout& before, const v1::Rollout& after) {
  const auto old = GatesOf(before), now = GatesOf(after);
  for (size_t i = 0; i < old.size() && i < now.size(); ++i) {
    if (old[i]->approvals_size() != now[i]->approvals_size() || old[i]->has_skip() != now[i]->has_skip() ||
        Signatures(*old[i]) != Signatures(*now[i])) {
      return now[i];
    }
  }
  return nullptr;
}

const v1::Gate* GateOf(const v1::Rollout& before, const v1::Rollout& after, const std::string& id) {
  if (id.empty()) return ChangedGate(before, after);
  for (const v1::Gate* gate : GatesOf(after)) {
    if (gate->id() == id) return gate;
  }
  return nullptr;
}

// "max_workers=2 batch_target=1.5s limits.replica_lag_ms=500".
std::string TextOf(const v1::Tuning& tuning) {
  std::vector<std::string> parts;
  if (tuning.max_workers() != 0) parts.push_back(absl::StrCat("max_workers=", tuning.max_workers()));
  if (tuning.has_batch_target()) {
    parts.push_back(
        absl::StrCat("batch_target=", absl::FormatDuration(base::FromProto(tuning.batch_target()))));
  }
  const std::map<std::string, double> limits(tuning.limits().begin(), tuning.limits().end());
  for (const auto& [name, limit] : limits) parts.push_back(absl::StrCat("limits.", name, "=", limit));
  return absl::StrJoin(parts, " ");
}

class Author {
 public:
  Author(const v1::Rollout& before, const v1::Rollout& after) : before_(before), after_(after) {}

  bool operator()(const rollout::Started& input) {
    Detail("plan", after_.plan());
    Detail("digest", after_.plan_digest());
    for (const auto& [key, value] : after_.labels()) Detail(absl::StrCat("label.", key), value);
    return Deed("start", input.actor, "");
  }
  bool operator()(const rollout::Approved& input) {
    const v1::Gate* gate = GateOf(before_, after_, input.gate);
    Detail("gate", gate != nullptr ? gate->id() : input.gate);
    if (gate != nullptr) Detail("cover", gate->cover());
    Signature(input.signature);
    return Deed("approve", input.actor, input.reason);
  }
  bool operator()(const rollout::GateSkipped& input) {
    const v1::Gate* gate = GateOf(before_, after_, input.gate);
    Detail("gate", gate != nullptr ? gate->id() : input.gate);
    return Deed("skip-gate", input.actor, input.reason);
  }
  bool operator()(const rollout::TargetSkipped& input) {
    Detail("target", input.target);
    return Deed("skip-target", input.actor, input.reason);
  }
  bool operator()(const rollout::CheckReported& input) {
    if (input.actor.empty()) return false;  // nobody's word, but a measurement
    Detail("check", input.check);
    Detail("target", input.target);
    Detail("state", v1::CheckState_Name(input.state));
    return Deed("report-check", input.actor, input.message);
  }
  bool operator()(const rollout::PauseAsked& input) { return Deed("pause", input.actor, input.reason); }
  bool operator()(const rollout::ResumeAsked& input) { return Deed("resume", input.actor, input.reason); }
  bool operator()(const rollout::AbortAsked& input) { return Deed("abort", input.actor, input.reason); }
  bool operator()(const rollout::RollbackAsked& input) {
    Detail("environment", input.environment);
    return Deed("rollback", input.actor, input.reason);
  }
  bool operator()(const rollout::OverrideAsked& input) {
    Detail("target", input.target);
    Signature(input.signature);
    return Deed("override", input.actor, input.reason);
  }
  bool operator()(const rollout::SkipAsked& input) {
    Detail("target", input.target);
    Detail("step", input.step);
    Signature(input.signature);
    return Deed("skip-step", input.actor, input.reason);
  }
  bool operator()(const rollout::TuneAsked& input) {
    Detail("target", input.target);
    Detail("tuning", TextOf(input.tuning));
    Detail("reset", absl::StrJoin(input.reset, ","));
    return Deed("tune", input.actor, input.reason);
  }
  // Nobody asked for these.
  bool operator()(const rollout::Compiled&) { return false; }
  bool operator()(const rollout::CompileFailed&) { return false; }
  bool operator()(const rollout::AgentReady&) { return false; }
  bool operator()(const rollout::AgentLost&) { return false; }
  bool operator()(const rollout::AttemptAcked&) { return false; }
  bool operator()(const rollout::AttemptNacked&) { return false; }
  bool operator()(const rollout::AttemptEnded&) { return false; }
  bool operator()(const rollout::HoldersChanged&) { return false; }
  bool operator()(const rollout::Ticked&) { return false; }

  v1::AuditEntry Take() { return std::move(entry_); }

 private:
  bool Deed(absl::string_view action, const std::string& actor, const std::string& reason) {
    entry_.set_action(absl::StrCat("rollout.", action));
    entry_.set_actor(actor);
    entry_.set_reason(reason);
    return true;
  }
  // Whose signature (the id of the key), and which: the whole stands in the rollout.
  void Signature(const std::optional<v1::DecisionSignature>& signature) {
    if (!signature.has_value()) return;
    std::string key;
    absl::Base64Unescape(signature->public_key(), &key);
    Detail("key_id", base::Sha256Hex(key));
    Detail("statement", signature->statement().id());
  }
  void Detail(const std::string& name, const std::string& value) {
    if (!value.empty()) (*entry_.mutable_details())[name] = value;
  }

  const v1::Rollout& before_;
  const v1::Rollout& after_;
  v1::AuditEntry entry_;
};

}  // namespace

std::optional<v1::AuditEntry> AuditOf(const v1::Rollout& before, const v1::Rollout& after,
                                      const rollout::Input& input, absl::Time now) {
  Author author(before, after);
  if (!std::visit(author, input)) return std::nullopt;
  v1::AuditEntry entry = author.Take();
  entry.set_resource(after.name());
  *entry.mutable_time() = base::ToProto(now);
  return entry;
}

}  // namespace curlew::dispatch
