// Parts of a statement as text again: what an operation wants in a field.
#ifndef CURLEW_COMMON_FROM_SQL_TEXT_H_
#define CURLEW_COMMON_FROM_SQL_TEXT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/sql/identifier.h"
#include "pg_query.pb.h"

namespace curlew::from_sql {

using Nodes = google::protobuf::RepeatedPtrField<pg_query::Node>;

// A tree as SQL. It is printed and read back: absent where that does not give the same tree, because what is
// printed then may mean something else.
std::optional<std::string> Printed(const pg_query::Node& statement);

// An expression that a plan takes: over the columns of one row. Columns may have the row's table, or its
// alias, before them; that is left out. Absent for what a plan does not take (subqueries, aggregates).
std::optional<std::string> ExpressionText(const pg_query::Node& expression,
                                          const std::vector<std::string>& tables = {});

// A type as SQL writes it.
std::optional<std::string> TypeText(const pg_query::TypeName& type);

// The strings of a list of String nodes.
std::vector<std::string> Strings(const Nodes& nodes);

// The name that a list of String nodes spells; its schema is "" where none is written.
sql::TableName NameOf(const Nodes& parts);

// The name as SQL, with the schema only where there is one.
std::string Spelled(const sql::TableName& name);

// The text of a value in DefElem and the like: a constant, a word, a type's name.
std::string ValueText(const pg_query::Node& value);
// The whole number there; absent where it is none.
std::optional<int64_t> Number(const pg_query::Node& value);

// The columns that an expression names, sorted.
std::vector<std::string> ColumnsOf(const pg_query::Node& expression);

// Whether a message of `type` stands anywhere in the tree.
bool Holds(const google::protobuf::Message& tree, const google::protobuf::Descriptor* type);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_TEXT_H_
