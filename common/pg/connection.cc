#include "common/pg/connection.h"

#include <libpq-fe.h>

#include <algorithm>
#include <exception>
#include <pqxx/connection.hxx>
#include <pqxx/errorhandler.hxx>
#include <pqxx/nontransaction.hxx>
#include <pqxx/prepared_statement.hxx>
#include <pqxx/result>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pg/connect_policy.h"
#include "common/pg/error.h"

namespace curlew::pg {
namespace {

std::string QuotedValue(absl::string_view value) {
  std::string quoted = "'";
  for (char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

// `options.conninfo`, completed; INVALID_ARGUMENT where libpq cannot parse it.
absl::StatusOr<std::string> Conninfo(const ConnectOptions& options) {
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(options.conninfo.c_str(), nullptr), &PQconninfoFree);
  if (parsed == nullptr) {
    return base::WithDetail(
        absl::InvalidArgumentError("the connection string is malformed (not shown: it may hold a password)"),
        base::kHint, "try it with psql");
  }
  const int64_t connect_timeout_s =
      std::max<int64_t>(absl::ToInt64Seconds(absl::Ceil(options.connect_timeout, absl::Seconds(1))), 1);
  // What a person has given in the conninfo goes before the defaults, save for the name, which we rely on.
  std::vector<std::pair<std::string, std::string>> defaults = {
      {"connect_timeout", absl::StrCat(connect_timeout_s)},
      {"keepalives_idle", "30"},
      {"keepalives_interval", "10"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", "60000"}};
  std::string conninfo = absl::StrCat("client_encoding=UTF8 application_name=",
                                      QuotedValue(absl::string_view(options.application_name).substr(0, 63)));
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    const absl::string_view keyword = option->keyword;
    if (option->val == nullptr || keyword == "application_name" || keyword == "client_encoding") continue;
    std::erase_if(defaults, [&](const auto& entry) { return entry.first == keyword; });
    absl::StrAppend(&conninfo, " ", keyword, "=", QuotedValue(option->val));
  }
  for (const auto& [keyword, value] : defaults) absl::StrAppend(&conninfo, " ", keyword, "=", value);
  return conninfo;
}

Result ToResult(const pqxx::result& from) {
  std::vector<std::string> columns;
  for (pqxx::row::size_type c = 0; c < from.columns(); ++c) columns.emplace_back(from.column_name(c));
  std::vector<std::vector<std::optional<std::string>>> rows;
  rows.reserve(from.size());
  for (const auto& row : from) {
    auto& values = rows.emplace_back();
    values.reserve(columns.size());
    for (const auto& field : row) {
      if (field.is_null()) {
        values.emplace_back(std::nullopt);
      } else {
        values.emplace_back(std::in_place, field.c_str(), field.size());
      }
    }
  }
  return Result(std::move(columns), std::move(rows), static_cast<int64_t>(from.affected_rows()));
}

}  // namespace

class Connection::Impl {
 public:
  Impl(const std::string& conninfo, const ConnectOptions& options)
      : options_(options), session_(conninfo), handle_(ConnectPolicy::last()), quiet_(session_) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    session_.inhibit_reactivation(true);
#pragma GCC diagnostic pop
    session_.set_verbosity(pqxx::connection_base::terse);
    // Only now, because it would be the session's one transaction to libpqxx: BEGIN and COMMIT are ours.
    statements_.emplace(session_);
    pid_ = PQbackendPID(handle_);
  }

  absl::Status SetUp() {
    return Execute(
               "SELECT set_config('statement_timeout', $1, false),"
               "       set_config('idle_in_transaction_session_timeout', $2, false),"
               // A database or role may say otherwise, and our literals would mean something else.
               "       set_config('standard_conforming_strings', 'on', false)",
               {absl::StrCat(absl::ToInt64Milliseconds(options_.statement_timeout)),
                absl::StrCat(absl::ToInt64Milliseconds(options_.idle_in_transaction_timeout))})
        .status();
  }

  absl::StatusOr<Result> Execute(absl::string_view sql, const std::vector<Param>& params) {
    {
      absl::MutexLock lock(&mutex_);
      running_ = true;
      cancelled_ = false;
    }
    // Lippincott: what is thrown is judged only after `running_` has been taken back, because a cancellation
    // that is on its way waits for nobody.
    std::optional<Result> result;
    std::exception_ptr thrown;
    try {
      result = ToResult(Send(std::string(sql), params));
    } catch (const std::exception&) {
      thrown = std::current_exception();
    }
    Canceller canceller;
    {
      absl::MutexLock lock(&mutex_);
      running_ = false;
      canceller = cancelled_ ? Canceller::kUs : Canceller::kNobody;
    }
    if (result.has_value()) return *std::move(result);
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception&) {
      return FromCurrentException(canceller, Lost());
    }
  }

  void Cancel() {
    // The lock is held until the server has been told: the statement cannot end meanwhile for its caller, so
    // the cancellation cannot meet the next one.
    absl::MutexLock lock(&mutex_);
    if (!running_) return;
    cancelled_ = true;
    std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> cancel(PQgetCancel(handle_), &PQfreeCancel);
    char why[256];
    // What can fail is only reaching the server; then the statement's own connection tells.
    if (cancel != nullptr) PQcancel(cancel.get(), why, sizeof why);
  }

  int pid() const { return pid_; }
  int server_version() const { return session_.server_version(); }

  bool alive() const {
    // Once for what lies there, once for the end that follows it.
    return PQconsumeInput(handle_) != 0 && PQconsumeInput(handle_) != 0 && PQstatus(handle_) == CONNECTION_OK;
  }

  PGTransactionStatusType transaction() const { return PQtransactionStatus(handle_); }

 private:
  pqxx::result Send(const std::string& sql, const std::vector<Param>& params) {
    if (params.empty()) return statements_->exec(sql);
    std::vector<const char*> values;
    for (const Param& param : params) values.push_back(param.has_value() ? param->c_str() : nullptr);
    return statements_->exec_params(sql, pqxx::prepare::make_dynamic_params(values.begin(), values.end()));
  }

  std::string Lost() const {
    const char* host = PQhost(handle_);
    // The server's last words come first, what libpq makes of them after that.
    absl::string_view words = PQerrorMessage(handle_);
    words = words.substr(0, words.find('\n'));
    return absl::StrCat("the session with the server at \"", host == nullptr ? "" : host, "\" (backend ",
                        pid_, ") was lost", words.empty() ? "" : ": ", words);
  }

  const ConnectOptions options_;
  Session session_;
  PGconn* const handle_;  // owned by session_, which never makes another one
  pqxx::quiet_errorhandler quiet_;
  std::optional<pqxx::nontransaction> statements_;
  int pid_ = 0;

  absl::Mutex mutex_;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() = default;

absl::StatusOr<std::unique_ptr<Connection>> Connection::Connect(const ConnectOptions& options) {
  ASSIGN_OR_RETURN(const std::string conninfo, Conninfo(options));
  std::unique_ptr<Impl> impl;
  try {
    impl = std::make_unique<Impl>(conninfo, options);
  } catch (const std::exception&) {
    return FromCurrentException(Canceller::kNobody, "the server closed the connection while it was made");
  }
  RETURN_IF_ERROR(impl->SetUp());
  return std::unique_ptr<Connection>(new Connection(std::move(impl)));
}

absl::StatusOr<Result> Connection::Execute(absl::string_view sql, const std::vector<Param>& params) {
  return impl_->Execute(sql, params);
}

void Connection::Cancel() { impl_->Cancel(); }

absl::Status Connection::Reset() {
  RETURN_IF_ERROR(Execute("DISCARD ALL").status());
  return impl_->SetUp();
}

int Connection::backend_pid() const { return impl_->pid(); }
int Connection::server_version_num() const { return impl_->server_version(); }
bool Connection::alive() const { return impl_->alive(); }

bool Connection::in_transaction() const {
  const PGTransactionStatusType state = impl_->transaction();
  return state == PQTRANS_INTRANS || state == PQTRANS_INERROR;
}

absl::StatusOr<std::unique_ptr<Transaction>> Transaction::Begin(Connection* connection, Mode mode) {
  if (connection->in_transaction()) {
    return absl::FailedPreconditionError("a transaction is open on this connection already");
  }
  RETURN_IF_ERROR(connection
                      ->Execute(mode == Mode::kReadOnlySnapshot
                                    ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                                    : "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
                      .status());
  return std::unique_ptr<Transaction>(new Transaction(connection));
}

Transaction::~Transaction() { Rollback(); }

absl::StatusOr<Result> Transaction::Execute(absl::string_view sql, const std::vector<Param>& params) {
  auto result = connection_->Execute(sql, params);
  if (!result.ok() && first_error_.ok()) first_error_ = result.status();
  return result;
}

absl::Status Transaction::Commit() {
  if (!open_) return absl::FailedPreconditionError("the transaction has ended already");
  switch (connection_->impl_->transaction()) {
    case PQTRANS_INTRANS:
      break;
    case PQTRANS_INERROR:
      // COMMIT would "succeed" and roll back.
      Rollback();
      if (!first_error_.ok()) return first_error_;
      return absl::FailedPreconditionError("rolled back instead of committed: a statement has failed before");
    case PQTRANS_IDLE:
      open_ = false;
      return absl::InternalError("the transaction was ended by a statement inside it");
    case PQTRANS_ACTIVE:
    case PQTRANS_UNKNOWN:
      open_ = false;
      return absl::UnavailableError("the session was lost before COMMIT: the transaction has rolled back");
  }
  open_ = false;
  absl::Status status = connection_->Execute("COMMIT").status();
  // Sent and not answered: nobody here knows.
  if (absl::IsUnavailable(status) && !connection_->alive()) {
    return absl::DataLossError(absl::StrCat("whether COMMIT took effect is not known: ", status.message()));
  }
  return status;
}

void Transaction::Rollback() {
  if (!open_) return;
  open_ = false;
  if (connection_->in_transaction()) (void)connection_->Execute("ROLLBACK");
}

}  // namespace curlew::pg
