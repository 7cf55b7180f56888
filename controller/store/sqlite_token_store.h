// The bearer tokens in a SQLite store.
#ifndef CURLEW_CONTROLLER_STORE_SQLITE_TOKEN_STORE_H_
#define CURLEW_CONTROLLER_STORE_SQLITE_TOKEN_STORE_H_

#include <string>
#include <vector>

#include "SQLiteCpp/Database.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/rollout_store.h"
#include "controller/store/sqlite_record_store.h"

namespace curlew::store {

// The tokens of a SqliteRolloutStore. Not thread-safe, as the store.
class SqliteTokenStore : public TokenStore {
 public:
  // Both must outlive it.
  SqliteTokenStore(SQLite::Database* database, SqliteRecordStore* records)
      : database_(database), records_(records) {}

  absl::Status AddToken(const TokenEntry& entry, const Record& record) override;
  absl::StatusOr<v1::Token> RevokeToken(const v1::Token& revocation, const Record& record) override;
  absl::StatusOr<std::vector<TokenEntry>> ListTokens(const Page& page, std::string* next) override;

 private:
  const std::string& path() const { return database_->getFilename(); }

  SQLite::Database* const database_;
  SqliteRecordStore* const records_;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_SQLITE_TOKEN_STORE_H_
