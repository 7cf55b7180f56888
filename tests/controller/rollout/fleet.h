// An environment of several targets, for tests of gates, waves and policies.
#ifndef CURLEW_TESTS_CONTROLLER_ROLLOUT_FLEET_H_
#define CURLEW_TESTS_CONTROLLER_ROLLOUT_FLEET_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "curlew/v1/rollout.pb.h"
#include "tests/controller/rollout/driver.h"

namespace curlew::rollout::testing {

// "production" of the targets, as this YAML says besides (fields of Environment). Fails the test where that
// cannot be read.
v1::Environment Fleet(const std::vector<std::string>& targets, absl::string_view yaml = "");

// A driver at 2027-01-15 08:00 UTC, a Friday, whose rollout through the environment has been started, and
// whose runs have been compiled as far as they are asked for.
Driver Started(const v1::Environment& environment);

// The state of the only stage; of its n-th wave; of a run: without prefix.
std::string StageIs(const Driver& driver);
std::string WaveIs(const Driver& driver, int wave);
std::string RunIs(const Driver& driver, const std::string& target);

// What is waited for, a line for each: "WINDOW until 2027-01-16T02:00:00Z production/before", without what is
// not there.
std::vector<std::string> Waits(const Driver& driver);

// How often the whole history has the event.
int Told(const Driver& driver, v1::EventType type);

}  // namespace curlew::rollout::testing

#endif  // CURLEW_TESTS_CONTROLLER_ROLLOUT_FLEET_H_
