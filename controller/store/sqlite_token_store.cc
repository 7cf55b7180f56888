#include "controller/store/sqlite_token_store.h"

#include <utility>

#include "SQLiteCpp/Statement.h"
#include "SQLiteCpp/Transaction.h"
#include "common/base/status_macros.h"
#include "controller/store/change.h"
#include "controller/store/record.h"
#include "controller/store/sqlite_error.h"
#include "controller/store/sqlite_values.h"
#include "controller/store/token.h"

namespace curlew::store {
namespace {

using SQLite::Statement;
using SQLite::Transaction;

constexpr char kNewest[] = "SELECT sequence, token FROM token WHERE name = ? ORDER BY sequence DESC LIMIT 1";

}  // namespace

absl::Status SqliteTokenStore::AddToken(const TokenEntry& entry, const Record& record) {
  RETURN_IF_ERROR(CheckToken(entry));
  RETURN_IF_ERROR(CheckRecord(record));
  return CatchSqlite(path(), "cannot store the token", [&]() -> absl::Status {
    Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
    Statement same(*database_, "SELECT name FROM token WHERE hash = ?");
    same.bind(1, entry.hash);
    if (same.executeStep()) return SameHash(same.getColumn(0).getString());
    Statement newest(*database_, kNewest);
    newest.bind(1, entry.token.name());
    if (newest.executeStep()) {
      ASSIGN_OR_RETURN(const v1::Token token, ReadProto<v1::Token>(newest.getColumn(1), path()));
      RETURN_IF_ERROR(CheckFollows(token, entry.token));
    }
    Statement insert(*database_, "INSERT INTO token (name, hash, token) VALUES (?, ?, ?)");
    insert.bind(1, entry.token.name());
    insert.bind(2, entry.hash);
    BindProto(insert, 3, entry.token);
    insert.exec();
    records_->Write(record);
    transaction.commit();
    return absl::OkStatus();
  });
}

absl::StatusOr<v1::Token> SqliteTokenStore::RevokeToken(const v1::Token& revocation, const Record& record) {
  RETURN_IF_ERROR(CheckRevocation(revocation));
  RETURN_IF_ERROR(CheckRecord(record));
  return CatchSqlite(path(), "cannot revoke the token", [&]() -> absl::StatusOr<v1::Token> {
    Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
    Statement newest(*database_, kNewest);
    newest.bind(1, revocation.name());
    if (!newest.executeStep()) return NoToken(revocation.name());
    ASSIGN_OR_RETURN(v1::Token token, ReadProto<v1::Token>(newest.getColumn(1), path()));
    if (token.has_revoke_time()) return token;
    token = Revoked(std::move(token), revocation);
    Statement update(*database_, "UPDATE token SET token = ? WHERE sequence = ?");
    BindProto(update, 1, token);
    update.bind(2, newest.getColumn(0).getInt64());
    update.exec();
    records_->Write(record);
    transaction.commit();
    return token;
  });
}

absl::StatusOr<std::vector<TokenEntry>> SqliteTokenStore::ListTokens(const Page& page, std::string* next) {
  ASSIGN_OR_RETURN(const PageRange range, ReadPage(page));
  return CatchSqlite(path(), "cannot list the tokens", [&] {
    Statement select(
        *database_,
        "SELECT sequence, token, hash FROM token WHERE sequence < ? ORDER BY sequence DESC LIMIT ?");
    return ReadPageOf<TokenEntry>(select, 1, range, next, [&](Statement& row) -> absl::StatusOr<TokenEntry> {
      ASSIGN_OR_RETURN(v1::Token token, ReadProto<v1::Token>(row.getColumn(1), path()));
      return TokenEntry{.hash = row.getColumn(2).getString(), .token = std::move(token)};
    });
  });
}

}  // namespace curlew::store
