// What one input costs a rollout of thousands of targets: the machine looks at every run, once or a few
// times.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <iostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/controller/rollout/fleet.h"

namespace curlew::rollout {
namespace {

constexpr int kSteps = 20;

v1::CompiledPlan LongPlan() {
  v1::CompiledPlan plan;
  plan.set_schema_fingerprint(std::string(64, 'f'));
  for (int i = 0; i < kSteps; ++i) {
    v1::Step& step = *plan.add_steps();
    step.set_key(absl::StrCat("s0-", i, "-public.contacts-phone-number"));
    step.set_title("fill public.contacts.phone_number from phone, in batches by ctid");
    step.set_phase(i < 15 ? v1::PHASE_ADD : v1::PHASE_DROP);
    step.mutable_action()->mutable_execute_sql()->add_statements("SELECT 1");
  }
  return plan;
}

// All targets at work, in four waves of which the last has most; built by hand, as 100,000 inputs take time.
v1::Rollout AtWork(int targets, absl::Time now) {
  std::vector<std::string> names;
  for (int i = 0; i < targets; ++i) names.push_back(absl::StrCat("production-crm-", i));
  const v1::Environment environment = testing::Fleet(names, R"(
target_deadline: 10h
max_unavailable: 5
max_failed: 3
before: {approvals: 1, windows: [{cron: "0 0 * * *", duration: 24h}], checks: [{name: lag, agent: {name: lag}}]}
before_drop: {approvals: 2}
)");
  v1::Rollout rollout =
      NewRollout({.name = "rollouts/r", .plan = "plans/p", .plan_digest = "digest", .creator = "alice"},
                 {environment}, now);
  for (v1::Run& run : *rollout.mutable_runs()) run.set_epoch(1);
  rollout = Advance(rollout, Started{"alice"}, now)->state;
  const Compiled first{.target = names[0], .plan = LongPlan(), .digest = "compiled"};
  rollout = Advance(rollout, first, now)->state;
  for (v1::Run& run : *rollout.mutable_runs()) {
    const std::string target = run.target(), name = run.name();
    run = rollout.runs(0);
    run.set_target(target);
    run.set_name(name);
    run.set_state(v1::RUN_STATE_COMPILED);
    run.clear_compilation();
    v1::CheckStatus& status = *rollout.mutable_stages(0)->mutable_before()->add_checks();
    status.set_check("lag");
    status.set_target(target);
    status.set_state(v1::CHECK_STATE_PASSING);
    status.mutable_time()->set_seconds(absl::ToUnixSeconds(now));
    status.mutable_since()->set_seconds(absl::ToUnixSeconds(now));
  }
  rollout = Advance(rollout, Ticked{}, now)->state;
  rollout = Advance(rollout, Approved{"", "bob"}, now)->state;
  for (v1::Run& run : *rollout.mutable_runs()) {
    run.set_state(v1::RUN_STATE_RUNNING);
    run.clear_compilation();
  }
  return Advance(rollout, Ticked{}, now)->state;
}

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// The cheapest of some rounds, in CPU milliseconds for each input.
double Cost(const v1::Rollout& rollout, absl::Time now) {
  double best = 1e9;
  const std::string target = rollout.runs(rollout.runs_size() / 2).target();
  for (int round = 0; round < 3; ++round) {
    v1::Rollout state = rollout;
    const double begun = CpuSeconds();
    int inputs = 0;
    for (int attempt = 1; attempt <= 5; ++attempt) {
      for (const Input& input :
           {Input(AttemptAcked{target, attempt}),
            Input(AttemptEnded{
                .target = target, .attempt = attempt, .outcome = v1::ATTEMPT_STATE_SUCCEEDED})}) {
        absl::StatusOr<Transition> next = Advance(state, input, now);
        EXPECT_TRUE(next.ok() && !next->events.empty()) << next.status();
        state = std::move(next->state);
        ++inputs;
      }
    }
    best = std::min(best, (CpuSeconds() - begun) * 1000 / inputs);
  }
  return best;
}

TEST(CostTest, GrowsWithTheTargetsAndNotFaster) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  const double few = Cost(AtWork(500, now), now);
  const v1::Rollout large = AtWork(2000, now);
  const double many = Cost(large, now);
  std::cout << "an input costs " << few << " ms of CPU with 500 targets of " << kSteps << " steps, " << many
            << " ms with 2000 (state: " << large.ByteSizeLong() / 1000 << " kB)\n";
  EXPECT_LT(many, 12 * few) << "four times as many targets";
}

}  // namespace
}  // namespace curlew::rollout
