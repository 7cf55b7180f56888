// One harness that puts an operation through its whole life on a real server.
#ifndef CURLEW_TESTS_SUPPORT_OPERATION_HARNESS_H_
#define CURLEW_TESTS_SUPPORT_OPERATION_HARNESS_H_

#include "curlew/v1/schema.pb.h"
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

  // Compiles the operations and runs them all on a fresh database; the message of the first error, or "".
  // Leaves the same as ExpectLife.
  std::string RunError(absl::string_view operations);
  // The same, but no step after those of the phase `last`.
  std::string RunUntil(absl::string_view operations, v1::Phase last);
  // All on the database as it is now.
  std::string RunAgain(absl::string_view operations);
  // Runs the undo of all steps before DROP, after RunError; the message of the error, or "".
  std::string Undo();
  // After ExpectLife, RunError and RunAgain: how the schema differs from what Apply promised.
  std::vector<std::string> Unpromised();

  // SQL that is run beside the table's, before anything else.
  std::string setup_;
  std::string conninfo_;
  v1::CompiledPlan compiled_;

 private:
  // Compiles for conninfo_ and notes what is promised.
  absl::Status Prepare(absl::string_view operations);

  v1::Scope scope_;
  v1::Schema promised_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_SUPPORT_OPERATION_HARNESS_H_
