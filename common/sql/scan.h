// Looks for names in statements of other sessions.
#ifndef CURLEW_COMMON_SQL_SCAN_H_
#define CURLEW_COMMON_SQL_SCAN_H_

#include "absl/strings/string_view.h"

namespace curlew::sql {

// Whether `query` names both the table and the column (names as in the catalogue, not quoted) as identifiers;
// in comments and strings they do not count. A query that cannot be read, because pg_stat_activity cut it
// off, counts where it holds both names in any way. `SELECT *` and INSERT without a column list name nothing
// and cannot be recognised. Thread-safe.
bool MentionsColumn(absl::string_view query, absl::string_view table, absl::string_view column);

// The same for a table or view as a whole. Its schema does not count: a table of that name in another schema
// is taken for it. What reaches it through a view, a function or an inherited table cannot be recognised.
// Thread-safe.
bool MentionsTable(absl::string_view query, absl::string_view table);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_SCAN_H_
