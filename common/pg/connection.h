// A session with a PostgreSQL server. This folder is the only one that touches libpqxx.
#ifndef CURLEW_COMMON_PG_CONNECTION_H_
#define CURLEW_COMMON_PG_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace curlew::pg {

// How to connect.
struct ConnectOptions {
  // A libpq connection string or URI. PGPASSFILE, service files and the PG* environment work as with psql.
  std::string conninfo;
  // At most 63 bytes; longer ones are cut.
  std::string application_name = "curlew";
  absl::Duration connect_timeout = absl::Seconds(10);
  // statement_timeout of the session; zero for none.
  absl::Duration statement_timeout = absl::ZeroDuration();
  // idle_in_transaction_session_timeout of the session; zero for none.
  absl::Duration idle_in_transaction_timeout = absl::Seconds(60);
};

// A parameter of a statement: a text in PostgreSQL's input format, or NULL.
using Param = std::optional<std::string>;

// A parameter for text[], name[], oid[] and so on.
Param ArrayParam(const std::vector<std::string>& elements);

// Rows in PostgreSQL's text format. A value; independent of its connection.
class Result {
 public:
  Result() = default;
  Result(std::vector<std::string> columns, std::vector<std::vector<std::optional<std::string>>> rows,
         int64_t affected)
      : columns_(std::move(columns)), rows_(std::move(rows)), affected_(affected) {}

  int64_t size() const { return static_cast<int64_t>(rows_.size()); }
  bool empty() const { return rows_.empty(); }
  const std::vector<std::string>& columns() const { return columns_; }
  // Rows that an INSERT, UPDATE or DELETE touched.
  int64_t affected() const { return affected_; }
  bool IsNull(int64_t row, int column) const { return !rows_[row][column].has_value(); }
  // "" for NULL.
  std::string Text(int64_t row, int column) const { return rows_[row][column].value_or(""); }
  // 0 for NULL. CHECK-fails on what is no integer.
  int64_t Int(int64_t row, int column) const;
  // 0 for NULL.
  double Double(int64_t row, int column) const;
  // false for NULL.
  bool Bool(int64_t row, int column) const { return Text(row, column) == "t"; }
  // The elements of a one-dimensional array; none for NULL. An element that is NULL is "".
  std::vector<std::string> Array(int64_t row, int column) const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<std::optional<std::string>>> rows_;
  int64_t affected_ = 0;
};

// One session: it is never silently made anew, so advisory locks and settings last as long as the object.
// Not thread-safe, except Cancel. Statuses as in error.h.
class Connection {
 public:
  // Connects. UNAVAILABLE; PERMISSION_DENIED; NOT_FOUND for a database that does not exist; INVALID_ARGUMENT
  // for a malformed conninfo. No message holds a password.
  static absl::StatusOr<std::unique_ptr<Connection>> Connect(const ConnectOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs `sql`. Outside a transaction each call commits by itself (and so CONCURRENTLY works); inside one it
  // is part of it. Without params `sql` may hold several statements; the last one's result is returned.
  absl::StatusOr<Result> Execute(absl::string_view sql, const std::vector<Param>& params = {});

  // Cancels the statement that runs on this connection, if any; it then ends with CANCELLED unless it was
  // quicker. Never touches a later statement. Thread-safe; returns when the server has been told.
  void Cancel();

  // Drops what the session holds (advisory locks, settings, temporary tables, LISTEN) and sets it up anew.
  // Fails inside a transaction.
  absl::Status Reset();

  // Process id of the backend.
  int backend_pid() const;
  // For example 150015.
  int server_version_num() const;
  // False once the server has closed the session, as far as the kernel knows. No round trip.
  bool alive() const;
  // Whether a transaction is open, however it was begun.
  bool in_transaction() const;

 private:
  friend class Transaction;
  class Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A READ COMMITTED transaction on a connection; rolled back unless committed. While it lives,
// Connection::Execute runs inside it. One at a time on a connection. Not thread-safe.
class Transaction {
 public:
  enum class Mode { kReadWrite, kReadOnlySnapshot /* REPEATABLE READ READ ONLY */ };
  // FAILED_PRECONDITION where one is open already.
  static absl::StatusOr<std::unique_ptr<Transaction>> Begin(Connection* connection,
                                                            Mode mode = Mode::kReadWrite);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  absl::StatusOr<Result> Execute(absl::string_view sql, const std::vector<Param>& params = {});
  // DATA_LOSS where the connection broke while committing: it may or may not have happened. Where a statement
  // has failed before, rolls back and returns that one's status.
  absl::Status Commit();
  // Never fails; a broken connection has rolled back already.
  void Rollback();

 private:
  explicit Transaction(Connection* connection) : connection_(connection) {}
  Connection* connection_;
  bool open_ = true;
  absl::Status first_error_;
};

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_CONNECTION_H_
