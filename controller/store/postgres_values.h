// Protos in and out of statements of PostgreSQL.
#ifndef CURLEW_CONTROLLER_STORE_POSTGRES_VALUES_H_
#define CURLEW_CONTROLLER_STORE_POSTGRES_VALUES_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "controller/store/change.h"
#include "controller/store/postgres_session.h"
#include "google/protobuf/message.h"

namespace curlew::store {

// Bytes travel in hexadecimal digits, and SQL says so (decode, encode): bytea's own format is a setting of
// the server's.
inline std::string Hex(absl::string_view bytes) { return absl::BytesToHexString(bytes); }
inline std::string Hex(const google::protobuf::Message& message) { return Hex(message.SerializeAsString()); }

// A bytea column that a query gives as encode(column, 'hex').
inline std::string BytesOf(const pg::Result& rows, int64_t row, int column) {
  return absl::HexStringToBytes(rows.Text(row, column));
}

// The whole rollout of a row of table rollout, which the query calls r, in hexadecimal digits.
inline constexpr char kWholeRollout[] =
    "encode(r.rollout || coalesce((SELECT string_agg(u.run, ''::bytea ORDER BY u.position)"
    " FROM curlew_controller.run AS u WHERE u.rollout = r.name), ''::bytea), 'hex')";

// The proto in such a column. Errors as ParseProto.
template <typename Message>
absl::StatusOr<Message> ReadProto(const pg::Result& rows, int64_t row, int column, absl::string_view store) {
  return ParseProto<Message>(BytesOf(rows, row, column), store);
}

// Parameters (below, at most) of a query for a page: one row more tells whether there is a next one.
inline std::vector<pg::Param> PageParams(const PageRange& range) {
  return {absl::StrCat(range.below), absl::StrCat(range.limit + 1)};
}

// How many of `rows` (sequence, ...) are of the page. Sets `next`.
inline int64_t CutPage(const pg::Result& rows, const PageRange& range, std::string* next) {
  const int64_t count = std::min<int64_t>(rows.size(), range.limit);
  *next = rows.size() > count ? PageToken(rows.Int(count - 1, 0)) : "";
  return count;
}

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_POSTGRES_VALUES_H_
