// Queries that people write for views.
#ifndef CURLEW_COMMON_SQL_QUERY_H_
#define CURLEW_COMMON_SQL_QUERY_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/sql/identifier.h"

namespace pg_query {
class Node;
class ResTarget;
class SelectStmt;
}  // namespace pg_query

namespace curlew::sql {

// A column that a query reads, as far as its text tells.
struct ColumnUse {
  std::optional<TableName>
      table;           // absent where none stands before the column: any table of the query that has it
  std::string column;  // "*" for all of the table
  friend bool operator==(const ColumnUse&, const ColumnUse&) = default;
  friend auto operator<=>(const ColumnUse&, const ColumnUse&) = default;
};

// One query.
struct Query {
  std::string text;  // without semicolon, and white space and comments around it
  // The tables and views that it names, sorted; the schema is public where none is written, and pg_catalog
  // for pg_...
  std::vector<TableName> tables;
  // The columns that it names, sorted.
  std::vector<ColumnUse> uses;
  // The functions that it calls, by their names without a schema; sorted.
  std::vector<std::string> functions;
  // Names of its own columns, in order. Absent where the text alone does not tell (`*`).
  std::optional<std::vector<std::string>> columns;
};

// Reads exactly one SELECT (or VALUES, TABLE, WITH ... SELECT). INVALID_ARGUMENT with the place for what does
// not parse, for several statements and other kinds, for INTO, FOR UPDATE and the like, parameters, and WITH
// that writes. Thread-safe.
absl::StatusOr<Query> ParseQuery(absl::string_view text);

// The name that PostgreSQL gives a column of a SELECT list: the one after AS, or what it takes from the
// expression, "?column?" at last.
std::string ColumnName(const pg_query::ResTarget& target);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_QUERY_H_
