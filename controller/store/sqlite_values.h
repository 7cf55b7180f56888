// Protos in and out of statements of SQLite. What is here throws SQLite::Exception.
#ifndef CURLEW_CONTROLLER_STORE_SQLITE_VALUES_H_
#define CURLEW_CONTROLLER_STORE_SQLITE_VALUES_H_

#include <string>
#include <utility>
#include <vector>

#include "SQLiteCpp/Column.h"
#include "SQLiteCpp/Statement.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"
#include "controller/store/change.h"
#include "google/protobuf/message.h"

namespace curlew::store {

inline void BindBytes(SQLite::Statement& statement, int index, const std::string& bytes) {
  statement.bind(index, static_cast<const void*>(bytes.data()), static_cast<int>(bytes.size()));
}

inline void BindProto(SQLite::Statement& statement, int index, const google::protobuf::Message& message) {
  BindBytes(statement, index, message.SerializeAsString());
}

inline std::string Bytes(const SQLite::Column& column) {
  return std::string(static_cast<const char*>(column.getBlob()), column.getBytes());
}

// The proto in a column of the store at `path`. Errors as ParseProto.
template <typename Message>
absl::StatusOr<Message> ReadProto(const SQLite::Column& column, absl::string_view path) {
  return ParseProto<Message>(
      {static_cast<const char*>(column.getBlob()), static_cast<size_t>(column.getBytes())}, path);
}

// The rows of `select` (sequence, ...), newest first, each made by `read` from its statement: of those below
// the range's number, as many as it holds. The last two parameters of `select`, `index` and the one after it,
// are these. Sets `next`.
template <typename Row, typename Read>
absl::StatusOr<std::vector<Row>> ReadPageOf(SQLite::Statement& select, int index, const PageRange& range,
                                            std::string* next, Read read) {
  select.bind(index, range.below);
  select.bind(index + 1, range.limit + 1);  // one more tells whether there is a next page
  std::vector<Row> rows;
  int64_t last = 0;
  next->clear();
  while (select.executeStep()) {
    if (static_cast<int>(rows.size()) == range.limit) {
      *next = PageToken(last);
      break;
    }
    last = select.getColumn(0).getInt64();
    ASSIGN_OR_RETURN(Row row, read(select));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_SQLITE_VALUES_H_
