// The proof: psql with the script, and the plan made of it, end in the same database.
#ifndef CURLEW_TESTS_FROM_SQL_PROOF_H_
#define CURLEW_TESTS_FROM_SQL_PROOF_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/from_sql/from_sql.h"
#include "curlew/v1/step.pb.h"
#include "tests/from_sql/case.h"
#include "tests/support/pg_test.h"

namespace curlew::from_sql {

class ProofTest : public testing::PgTest {
 protected:
  // A database as the case begins with.
  std::string Before(const Case& c);
  // Runs a script by psql; the test fails where it does.
  void Psql(const std::string& conninfo, const std::string& script);
  // The conversion, once with all that the database knows, once by the text alone.
  absl::StatusOr<Conversion> ConvertFor(const Case& c, const std::string& conninfo);
  static absl::StatusOr<Conversion> ConvertText(const Case& c);
  // Reads the plan back from its YAML, and compiles it as `plan explain` does.
  absl::StatusOr<v1::CompiledPlan> Compile(const Conversion& conversion, const std::string& conninfo);
  // Schema and rows, in a normal form.
  std::string Dump(const Case& c, const std::string& conninfo);

 private:
  std::string Rows(const Case& c, const std::string& conninfo);
};

}  // namespace curlew::from_sql

#endif  // CURLEW_TESTS_FROM_SQL_PROOF_H_
