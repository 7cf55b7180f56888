#include "tests/controller/rollout/fleet.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "common/plan/plan_reader.h"

namespace curlew::rollout::testing {

v1::Environment Fleet(const std::vector<std::string>& targets, absl::string_view yaml) {
  v1::Environment environment;
  const absl::Status status =
      plan::ReadYaml(absl::StrCat("name: environments/production\n", yaml), "environment.yaml", &environment);
  EXPECT_TRUE(status.ok()) << status;
  environment.mutable_targets()->Assign(targets.begin(), targets.end());
  return environment;
}

Driver Started(const v1::Environment& environment) {
  Driver driver({environment});
  driver.Start();
  driver.CompileAll({environment.targets().begin(), environment.targets().end()});
  return driver;
}

std::string StageIs(const Driver& driver) {
  return v1::StageState_Name(driver.state().stages(0).state()).substr(sizeof("STAGE_STATE_") - 1);
}

std::string WaveIs(const Driver& driver, int wave) {
  return v1::WaveState_Name(driver.state().stages(0).waves(wave).state()).substr(sizeof("WAVE_STATE_") - 1);
}

std::string RunIs(const Driver& driver, const std::string& target) {
  return v1::RunState_Name(driver.run(target).state()).substr(sizeof("RUN_STATE_") - 1);
}

std::vector<std::string> Waits(const Driver& driver) {
  std::vector<std::string> lines;
  for (const v1::Waiting& waiting : driver.state().waiting()) {
    std::string line = v1::WaitCause_Name(waiting.cause()).substr(sizeof("WAIT_CAUSE_") - 1);
    if (waiting.has_until()) {
      absl::StrAppend(
          &line, " until ",
          absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", base::FromProto(waiting.until()), absl::UTCTimeZone()));
    }
    for (const std::string& part : {waiting.gate(), waiting.target()}) {
      if (!part.empty()) absl::StrAppend(&line, " ", part);
    }
    lines.push_back(line);
  }
  return lines;
}

int Told(const Driver& driver, v1::EventType type) {
  return static_cast<int>(std::count_if(driver.history().begin(), driver.history().end(),
                                        [&](const v1::Event& event) { return event.type() == type; }));
}

}  // namespace curlew::rollout::testing
