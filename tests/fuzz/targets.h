// What ./dev fuzz feeds with bytes, and replay_test.cc with the bytes that have been of interest.
#ifndef CURLEW_TESTS_FUZZ_TARGETS_H_
#define CURLEW_TESTS_FUZZ_TARGETS_H_

#include "absl/strings/string_view.h"

namespace curlew::fuzz {

// Each takes any bytes, and ends the process with a line on standard error where a promise of what it calls
// does not hold. They keep nothing from one call to the next.

// common/plan: the bytes as a plan and as environments in YAML; behind a byte 0, as a plan's protobuf.
void FuzzPlan(absl::string_view bytes);

// common/lint and common/sql: the bytes as a script, and as each single thing that SQL is read for.
void FuzzLint(absl::string_view bytes);

// controller/session and controller/dispatch: the bytes as what agents say and operators ask, in any order,
// to the real engine and session manager; where the first byte is 3 more than a multiple of 4,
// agent/session's admission: the bytes as a plan, a command and what the journal knows.
void FuzzSession(absl::string_view bytes);

}  // namespace curlew::fuzz

#endif  // CURLEW_TESTS_FUZZ_TARGETS_H_
