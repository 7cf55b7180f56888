// Definitions from the catalogue, with one column put in the place of another.
#ifndef CURLEW_COMMON_SQL_REWRITE_H_
#define CURLEW_COMMON_SQL_REWRITE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/sql/expression.h"
#include "common/sql/identifier.h"
#include "common/sql/sql_text.h"

namespace curlew::sql {

// Which column takes the place of which.
struct ColumnChange {
  absl::string_view from;
  absl::string_view to;
};

// `definition` (of pg_get_indexdef) as CREATE INDEX CONCURRENTLY `name`, with the column changed in keys,
// INCLUDE, expressions and predicate. INTERNAL where the definition cannot be read, UNIMPLEMENTED where it
// cannot be written again exactly; so for the others.
absl::StatusOr<SqlText> RewriteIndex(absl::string_view definition, ColumnChange change,
                                     absl::string_view name);

// `definition` (of pg_get_constraintdef, FOREIGN KEY) as ALTER TABLE `table` ADD CONSTRAINT `name` ... NOT
// VALID with the referencing column changed.
absl::StatusOr<SqlText> RewriteForeignKey(absl::string_view definition, ColumnChange change,
                                          const TableName& table, absl::string_view name);

// `definition` (of pg_get_statisticsobjdef) as CREATE STATISTICS `name` with the column changed.
absl::StatusOr<SqlText> RewriteStatistics(absl::string_view definition, ColumnChange change,
                                          const TableName& name);

// The expression of `definition` (of pg_get_constraintdef, CHECK). UNIMPLEMENTED for NO INHERIT.
absl::StatusOr<Expression> CheckExpression(absl::string_view definition);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_REWRITE_H_
