// One harness that puts an operation through its whole life on a real server.
#ifndef CURLEW_TESTS_SUPPORT_OPERATION_HARNESS_H_
#define CURLEW_TESTS_SUPPORT_OPERATION_HARNESS_H_

#include "curlew/v1/step.pb.h"
#include "tests/support/pg_test.h"

namespace curlew::testing {

// A table "Peo ple" (id, "Ph one", tenant, age, note) with 1,000 rows and an index people_tenant on
// (tenant, note), under names that need quotes; and what every operation must bear.
class OperationTest : public PgTest {
 protected:
  // `operations` is the list of a plan in YAML. Runs each phase up to CONSTRAIN and back, comparing pg_dump
  // with that of before and the compiled plan with the first; then everything. Afterwards pg_dump must hold
  // `expected` and nothing of Curlew's. Leaves the conninfo in conninfo_ and the compiled plan in compiled_.
  void ExpectLife(absl::string_view operations, absl::string_view expected);
  // Compiles the operations against the table; the message of the refusal, or "" where there is none.
  std::string Refusal(absl::string_view operations);

  std::string conninfo_;
  v1::CompiledPlan compiled_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_SUPPORT_OPERATION_HARNESS_H_
