#include "tests/simulation/policies.h"

#include <string>

#include "common/base/proto_time.h"

namespace curlew::simulation {
namespace {

google::protobuf::Duration Seconds(int seconds) { return base::ToProto(absl::Seconds(seconds)); }

v1::HealthCheck NewCheck(const std::string& name, Random& random) {
  v1::HealthCheck check;
  check.set_name(name);
  *check.mutable_interval() = Seconds(3 + random.Below(8));
  *check.mutable_timeout() = Seconds(2);
  return check;
}

void DrawGate(v1::GatePolicy& gate, int approvals, Random& random) {
  gate.set_approvals(random.Below(approvals + 1));
  if (random.Chance(0.15)) *gate.mutable_approval_expires() = Seconds(20 + random.Below(60));
  if (random.Chance(0.15)) *gate.mutable_soak() = Seconds(random.Below(20));
  if (random.Chance(0.1)) {
    v1::Window& window = *gate.add_windows();
    window.set_cron("*/2 * * * *");
    *window.mutable_duration() = Seconds(60);
  }
  if (random.Chance(0.1)) {
    v1::HealthCheck check = NewCheck("up", random);
    check.mutable_http()->set_url("http://up");
    *check.mutable_hold() = Seconds(random.Below(15));
    *gate.add_checks() = check;
  }
  if (random.Chance(0.1)) {
    v1::HealthCheck check = NewCheck("lag", random);
    check.mutable_agent()->set_name("lag");
    *gate.add_checks() = check;
  }
  if (random.Chance(0.1)) {
    v1::HealthCheck check;
    check.set_name("deployed");
    check.mutable_reported();
    *gate.add_checks() = check;
  }
}

}  // namespace

void DrawPolicies(v1::Environment& environment, Random& random) {
  DrawGate(*environment.mutable_before(), 1, random);
  DrawGate(*environment.mutable_before_drop(), 2, random);
  *environment.mutable_soak() = Seconds(random.Below(20));
  environment.set_max_parallel(random.Below(3));
  if (environment.targets_size() > 1 && random.Chance(0.5)) {
    v1::WavePolicy& canary = *environment.add_waves();
    canary.set_name("canary");
    canary.set_count(1);
    *canary.mutable_bake() = Seconds(random.Below(20));
    v1::WavePolicy& rest = *environment.add_waves();
    rest.set_name("rest");
    *rest.mutable_bake() = Seconds(random.Below(10));
    if (random.Chance(0.3)) DrawGate(*rest.mutable_before(), 1, random);
  }
  if (random.Chance(0.3)) environment.set_max_failed(1);
  if (random.Chance(0.3)) {
    environment.set_on_failure(random.Chance(0.5) ? v1::FAILURE_ACTION_CONTINUE
                                                  : v1::FAILURE_ACTION_ROLLBACK);
  }
  if (random.Chance(0.4)) {
    environment.set_max_unavailable(1);
    *environment.mutable_target_deadline() = Seconds(5 + random.Below(40));
  }
  if (random.Chance(0.1)) {
    v1::Window& every = *environment.add_freezes()->mutable_every();
    every.set_cron("*/3 * * * *");
    *every.mutable_duration() = Seconds(60);
  }
  if (random.Chance(0.2)) {
    v1::HealthCheck check = NewCheck("errors", random);
    check.mutable_agent()->set_name("errors");
    check.set_failure_threshold(1 + random.Below(3));
    *environment.add_health() = check;
    if (random.Chance(0.5)) environment.set_on_unhealthy(v1::HEALTH_ACTION_ROLLBACK);
  }
}

}  // namespace curlew::simulation
