#include "controller/store/postgres_token_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/store/change.h"
#include "controller/store/postgres_record_store.h"
#include "controller/store/postgres_values.h"
#include "controller/store/record.h"
#include "controller/store/token.h"

namespace curlew::store {
namespace {

constexpr char kNewest[] =
    "SELECT sequence, encode(token, 'hex') FROM curlew_controller.token WHERE name = $1"
    " ORDER BY sequence DESC LIMIT 1";

}  // namespace

absl::Status PostgresTokenStore::AddToken(const TokenEntry& entry, const Record& record) {
  RETURN_IF_ERROR(CheckToken(entry));
  RETURN_IF_ERROR(CheckRecord(record));
  // The fence puts all writers in one order: nobody adds another in between.
  ASSIGN_OR_RETURN(PostgresWork work, session_->BeginFenced("cannot store the token", fence_));
  ASSIGN_OR_RETURN(const pg::Result same,
                   work.Execute("SELECT name FROM curlew_controller.token WHERE hash = $1", {entry.hash}));
  if (!same.empty()) return SameHash(same.Text(0, 0));
  ASSIGN_OR_RETURN(const pg::Result newest, work.Execute(kNewest, {entry.token.name()}));
  if (!newest.empty()) {
    ASSIGN_OR_RETURN(const v1::Token token, ReadProto<v1::Token>(newest, 0, 1, session_->name()));
    RETURN_IF_ERROR(CheckFollows(token, entry.token));
  }
  RETURN_IF_ERROR(work.Execute("INSERT INTO curlew_controller.token (name, hash, token)"
                               " VALUES ($1, $2, decode($3, 'hex'))",
                               {entry.token.name(), entry.hash, Hex(entry.token)})
                      .status());
  RETURN_IF_ERROR(WriteRecord(work, record));
  return work.Commit();
}

absl::StatusOr<v1::Token> PostgresTokenStore::RevokeToken(const v1::Token& revocation, const Record& record) {
  RETURN_IF_ERROR(CheckRevocation(revocation));
  RETURN_IF_ERROR(CheckRecord(record));
  ASSIGN_OR_RETURN(PostgresWork work, session_->BeginFenced("cannot revoke the token", fence_));
  ASSIGN_OR_RETURN(const pg::Result newest, work.Execute(kNewest, {revocation.name()}));
  if (newest.empty()) return NoToken(revocation.name());
  ASSIGN_OR_RETURN(v1::Token token, ReadProto<v1::Token>(newest, 0, 1, session_->name()));
  if (token.has_revoke_time()) return token;
  token = Revoked(std::move(token), revocation);
  RETURN_IF_ERROR(work.Execute("UPDATE curlew_controller.token SET token = decode($1, 'hex')"
                               " WHERE sequence = $2::bigint",
                               {Hex(token), absl::StrCat(newest.Int(0, 0))})
                      .status());
  RETURN_IF_ERROR(WriteRecord(work, record));
  RETURN_IF_ERROR(work.Commit());
  return token;
}

absl::StatusOr<std::vector<TokenEntry>> PostgresTokenStore::ListTokens(const Page& page, std::string* next) {
  ASSIGN_OR_RETURN(const PageRange range, ReadPage(page));
  ASSIGN_OR_RETURN(PostgresWork work, session_->Begin("cannot list the tokens"));
  ASSIGN_OR_RETURN(const pg::Result rows,
                   work.Execute("SELECT sequence, encode(token, 'hex'), hash FROM curlew_controller.token"
                                " WHERE sequence < $1::bigint ORDER BY sequence DESC LIMIT $2::bigint",
                                PageParams(range)));
  std::vector<TokenEntry> entries;
  for (int64_t row = 0, count = CutPage(rows, range, next); row < count; ++row) {
    ASSIGN_OR_RETURN(v1::Token token, ReadProto<v1::Token>(rows, row, 1, session_->name()));
    entries.push_back({.hash = rows.Text(row, 2), .token = std::move(token)});
  }
  return entries;
}

}  // namespace curlew::store
