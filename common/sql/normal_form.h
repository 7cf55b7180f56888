// Whether two pieces of SQL say the same, as far as their texts tell.
#ifndef CURLEW_COMMON_SQL_NORMAL_FORM_H_
#define CURLEW_COMMON_SQL_NORMAL_FORM_H_

#include "absl/strings/string_view.h"

namespace curlew::sql {

// Whether the one is what the catalogue may print (pg_get_expr, pg_get_indexdef, pg_get_constraintdef,
// pg_get_viewdef, pg_get_triggerdef, pg_get_statisticsobjdef, pg_get_functiondef,
// policies' clauses) where the other was written.
// Either may be the printed one; both may. It sees through
//   * parentheses, spelling of types and operators, IN and = ANY (ARRAY[...]), BETWEEN, LIKE and ~~, ASC,
//   default
//     order of NULLs, IS NOT DISTINCT FROM;
//   * CONCURRENTLY, IF NOT EXISTS, OR REPLACE, USING btree, EXECUTE PROCEDURE, quotes of storage parameters;
//   * the order of a function's options, and those that say the default;
//   * public and pg_catalog in front of names that are not built in under the bare name too;
//   * the table in front of columns of a query over one table, and names that PostgreSQL gives a column
//   itself;
//   * casts that stand in one of the two only: of constants, of arrays of them, and to text (the server adds
//     that to varchar columns).
// Conservative: it may be false for what means the same. It is true for different meanings only where an
// explicit cast of that kind makes the difference. False where one does not parse. Thread-safe.
bool SameSql(absl::string_view a, absl::string_view b);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_NORMAL_FORM_H_
