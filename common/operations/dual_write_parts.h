// What the files of DualWrite share: names of its own objects, and pieces of SQL. Private to them.
#ifndef CURLEW_COMMON_OPERATIONS_DUAL_WRITE_PARTS_H_
#define CURLEW_COMMON_OPERATIONS_DUAL_WRITE_PARTS_H_

#include <string>
#include <vector>

#include "common/operations/table_work.h"
#include "common/sql/sql_text.h"

namespace curlew::operations {

// Names, by the hash of the table or, where numbers are given, of the column.
// '~' sorts behind every other ASCII character, so that Curlew's triggers run last.
inline std::string InsertTrigger(const std::string& hash) { return "~curlew_insert_" + hash; }
inline std::string UpdateTrigger(const std::string& hash) { return "~curlew_update_" + hash; }
inline std::string CountTrigger(const std::string& hash) { return "~curlew_count_" + hash; }
// A column that is numbered has a trigger of its own, which fires before the others.
inline std::string NumberTrigger(const std::string& hash) { return "~curlew_fill_" + hash; }
inline std::string NumberFunction(const std::string& hash) { return "curlew.number_" + hash; }
inline std::string DualWriteFunction(const std::string& hash) { return "curlew.dual_write_" + hash; }
inline std::string CountFunction(const std::string& hash) { return "curlew.count_writes_" + hash; }
// Settings of the transaction by which the row trigger tells the statement trigger what it saw.
inline std::string OldSetting(const std::string& hash) { return "curlew.wrote_old_" + hash; }
inline std::string NewSetting(const std::string& hash) { return "curlew.wrote_new_" + hash; }

// The setting that names the table which a backfill writes; '' where none does.
inline constexpr char kBackfillSetting[] =
    "COALESCE(pg_catalog.current_setting('curlew.backfill', true), '')";

// A function's body as a string, in dollars.
sql::SqlText Quoted(const sql::SqlText& body);
// `a` and `b`, both of one type, as a boolean that is never NULL.
sql::SqlText Same(const sql::SqlText& a, const sql::SqlText& b, bool has_equality);
// Whether an UPDATE changed the column, down to its bytes.
sql::SqlText Changed(absl::string_view column, absl::string_view type, absl::string_view collation);
// Whether a new column of the link is NULL in `row`.
sql::SqlText NullIn(const Link& link, absl::string_view row);
sql::SqlText Join(const std::vector<sql::SqlText>& parts, absl::string_view separator);
// The column as people know it.
std::string LabelOf(const Link& link, const NewColumn& column);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_DUAL_WRITE_PARTS_H_
