// Migrations as people write them, with what they are tried on: tests/from_sql/cases/NNN-name.sql.
#ifndef CURLEW_TESTS_FROM_SQL_CASE_H_
#define CURLEW_TESTS_FROM_SQL_CASE_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "curlew/v1/plan.pb.h"

namespace curlew::from_sql {

// A file has two parts, after the lines "--- before" and "--- migration", and above them comments that say
// more:
//   -- expect: add_column, create_index     operations that the plan must have at least
//   -- sql: breaks-applications             hazards that the plan must acknowledge, and no others ("none")
//   -- volatile: uid, created_at            columns whose values differ from run to run
//   -- offline: refused                     by the text alone the plan does not fit the database, and is
//   refused when
//                                           it is compiled or begins
//   -- offline: differs                     the text alone gives another schema: docs/from-sql.md says where
struct Case {
  std::string name;  // "001-crm-add-plan"
  std::string before, migration;
  std::vector<std::string> expect;
  std::string hazards;  // sorted, with commas; "*" where any will do
  std::vector<std::string> volatile_columns;
  bool offline_refused = false, offline_differs = false;
};

// For gtest's messages.
void PrintTo(const Case& c, std::ostream* out);

// All of them, in the order of their names.
std::vector<Case> AllCases();

// Names of the operations of a plan, in its order.
std::vector<std::string> OperationNames(const v1::Plan& plan);

// pg_dump's output in a normal form: its statements sorted, and the lines of CREATE TABLE too, so that the
// order of columns does not count.
std::string NormalDump(absl::string_view dump);

// For gtest: "001_crm_add_plan".
std::string TestName(std::string name);

}  // namespace curlew::from_sql

#endif  // CURLEW_TESTS_FROM_SQL_CASE_H_
