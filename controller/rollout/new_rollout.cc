#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/canonical_json.h"
#include "common/base/proto_time.h"
#include "common/plan/waves.h"
#include "controller/rollout/draft.h"
#include "controller/rollout/gates.h"
#include "controller/rollout/machine.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::rollout {
namespace {

v1::Gate NewGate(std::string id, const v1::GatePolicy& policy, absl::Time now) {
  v1::Gate gate;
  gate.set_id(std::move(id));
  gate.set_required_approvals(policy.approvals());
  *gate.mutable_policy() = policy;
  if (!HasConditions(policy)) *gate.mutable_open_time() = base::ToProto(now);
  return gate;
}

std::vector<plan::AssignedWave> WavesOf(const v1::Environment& environment) {
  if (auto waves = plan::AssignWaves(environment); waves.ok()) return *std::move(waves);
  // Not valid: all together, as if it listed none.
  v1::Environment plain = environment;
  plain.clear_waves();
  return plan::AssignWaves(plain).value();
}

v1::Wave NewWave(absl::string_view environment, plan::AssignedWave assigned, int max_parallel,
                 absl::Time now) {
  v1::Wave wave;
  wave.set_name(assigned.policy.name());
  wave.set_state(v1::WAVE_STATE_PENDING);
  for (std::string& target : assigned.targets) wave.add_targets(std::move(target));
  if (HasConditions(assigned.policy.before())) {
    *wave.mutable_before() =
        NewGate(absl::StrCat(environment, "/", wave.name(), "/before"), assigned.policy.before(), now);
  }
  *wave.mutable_bake() = assigned.policy.bake();
  wave.set_max_parallel(assigned.policy.max_parallel() > 0 ? assigned.policy.max_parallel() : max_parallel);
  return wave;
}

std::string PolicyDigest(const std::vector<v1::Environment>& environments) {
  v1::ApplyEnvironmentsRequest all;
  for (const v1::Environment& environment : environments) {
    *all.add_environments() = environment;
    all.mutable_environments(all.environments_size() - 1)->clear_etag();
  }
  return base::CanonicalDigest(all);
}

}  // namespace

v1::Rollout NewRollout(RolloutSpec spec, const std::vector<v1::Environment>& environments, absl::Time now) {
  v1::Rollout rollout;
  rollout.set_name(std::move(spec.name));
  rollout.set_plan(std::move(spec.plan));
  rollout.set_plan_digest(std::move(spec.plan_digest));
  rollout.set_plan_author(std::move(spec.plan_author));
  rollout.set_creator(std::move(spec.creator));
  rollout.mutable_labels()->insert(spec.labels.begin(), spec.labels.end());
  rollout.mutable_after()->Assign(spec.after.begin(), spec.after.end());
  rollout.set_policy_digest(PolicyDigest(environments));
  *rollout.mutable_create_time() = base::ToProto(now);
  *rollout.mutable_update_time() = base::ToProto(now);
  rollout.set_etag("v1");
  for (const v1::Environment& environment : environments) {
    const absl::string_view bare = BareName(environment.name());
    v1::EnvironmentStage& stage = *rollout.add_stages();
    stage.set_environment(environment.name());
    stage.set_state(v1::STAGE_STATE_PENDING);
    *stage.mutable_before() = NewGate(absl::StrCat(bare, "/before"), environment.before(), now);
    *stage.mutable_before_drop() =
        NewGate(absl::StrCat(bare, "/before-drop"), environment.before_drop(), now);
    *stage.mutable_soak() = environment.soak();
    *stage.mutable_policy() = environment;
    // They stand in the waves, and may be thousands.
    stage.mutable_policy()->clear_targets();
    stage.mutable_policy()->clear_labels();
    std::map<std::string, std::string> wave_of;
    for (plan::AssignedWave& assigned : WavesOf(environment)) {
      *stage.add_waves() = NewWave(bare, std::move(assigned), environment.max_parallel(), now);
    }
    for (const v1::Wave& wave : stage.waves()) {
      for (const std::string& target : wave.targets()) wave_of[target] = wave.name();
    }
    for (const std::string& target : environment.targets()) {
      v1::Run& run = *rollout.add_runs();
      run.set_name(absl::StrCat(rollout.name(), "/runs/", target));
      run.set_target(target);
      run.set_environment(environment.name());
      run.set_wave(wave_of[target]);
      run.set_state(v1::RUN_STATE_PENDING);
    }
  }
  return rollout;
}

}  // namespace curlew::rollout
