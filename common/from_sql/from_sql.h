// Ordinary SQL -> a plan: what operations can say becomes operations, the rest `sql` with its hazards named.
#ifndef CURLEW_COMMON_FROM_SQL_FROM_SQL_H_
#define CURLEW_COMMON_FROM_SQL_FROM_SQL_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::from_sql {

// A script. `file` is for messages and comments.
struct Script {
  std::string file;
  std::string text;
};

struct Options {
  // Name of the plan; empty: made from the name of the first file.
  std::string name;
  // The whole catalogue of the database that the script is for, or nullptr where only the text is known. It
  // must outlive the call. With it IF EXISTS, names that PostgreSQL chooses and what depends on what are
  // exact, and the plan is compiled; what the compiler refuses becomes `sql`.
  const v1::Schema* schema = nullptr;
};

// Where an operation of the plan comes from.
struct Origin {
  std::string place;      // "0042_add_plan.sql:7", of each statement that it says, separated by ", "
  std::string statement;  // the first line of the (first) statement
  std::string why;        // why it is `sql`; empty for other operations
  std::vector<std::string> notes;
};

// A plan and what people should know of it.
struct Conversion {
  v1::Plan plan;
  std::vector<Origin> origins;  // of each operation
  // "FILE:LINE: STATEMENT: why it is left out", for statements that have no part in the plan.
  std::vector<std::string> left_out;
  // Hazards that the plan acknowledges, and the operations that have them, by their numbers.
  std::map<std::string, std::vector<int>> hazards;
  int statements = 0;          // that change something
  int became_operations = 0;   // those of them of which nothing became `sql`
  bool knew_database = false;  // whether Options::schema was given
};

// Converts scripts, one after the other, into one plan. The plan is valid (plan::Validate); run, it ends in
// the schema that psql ends in with the scripts, apart from the order of columns, or it is refused when it is
// compiled. INVALID_ARGUMENT, each line "FILE:LINE:COLUMN: what; what to do", for what does not parse,
// commands of psql, COPY, roles that are set, and statements that concern more than the database or cannot
// run in a transaction. Pure and thread-safe.
absl::StatusOr<Conversion> Convert(const std::vector<Script>& scripts, const Options& options);

// The plan in YAML with comments: where it comes from, the statement of each operation, why something is
// `sql`, which statement has which hazard. plan::ReadPlan reads it.
std::string ToYaml(const Conversion& conversion);

// The operations that say one statement, as a list in YAML; "" where (a part of) it would only be `sql`,
// where it changes nothing or does not parse. By the text alone.
std::string OperationFor(absl::string_view statement);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_FROM_SQL_H_
