#include "common/pg/error.h"

#include <exception>
#include <pqxx/except.hxx>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error_detail.h"
#include "common/pg/connect_policy.h"

namespace curlew::pg {
namespace {

struct Rule {
  absl::string_view prefix;  // of a SQLSTATE
  absl::StatusCode code;
};

// The first that fits counts: single states before their classes.
constexpr Rule kRules[] = {
    {"08", absl::StatusCode::kUnavailable},
    {"57P", absl::StatusCode::kUnavailable},
    {"53300", absl::StatusCode::kUnavailable},
    {"25P03", absl::StatusCode::kUnavailable},
    {"25P04", absl::StatusCode::kUnavailable},
    {"25006", absl::StatusCode::kUnavailable},
    {"55P03", absl::StatusCode::kDeadlineExceeded},
    {"57014", absl::StatusCode::kDeadlineExceeded},
    {"40", absl::StatusCode::kAborted},
    {"72", absl::StatusCode::kAborted},
    {"42P04", absl::StatusCode::kAlreadyExists},
    {"42P06", absl::StatusCode::kAlreadyExists},
    {"42P07", absl::StatusCode::kAlreadyExists},
    {"42701", absl::StatusCode::kAlreadyExists},
    {"42710", absl::StatusCode::kAlreadyExists},
    {"42723", absl::StatusCode::kAlreadyExists},
    {"23505", absl::StatusCode::kAlreadyExists},
    {"42P01", absl::StatusCode::kNotFound},
    {"42703", absl::StatusCode::kNotFound},
    {"42704", absl::StatusCode::kNotFound},
    {"42883", absl::StatusCode::kNotFound},
    {"3D000", absl::StatusCode::kNotFound},
    {"3F000", absl::StatusCode::kNotFound},
    {"42501", absl::StatusCode::kPermissionDenied},
    {"28", absl::StatusCode::kPermissionDenied},
    {"53", absl::StatusCode::kResourceExhausted},
    {"55", absl::StatusCode::kFailedPrecondition},
    {"2BP01", absl::StatusCode::kFailedPrecondition},
    {"0A000", absl::StatusCode::kFailedPrecondition},
    {"21", absl::StatusCode::kInvalidArgument},
    {"22", absl::StatusCode::kInvalidArgument},
    {"23", absl::StatusCode::kInvalidArgument},
    {"42", absl::StatusCode::kInvalidArgument},
    {"44", absl::StatusCode::kInvalidArgument},
    {"54", absl::StatusCode::kInvalidArgument},
    {"P0", absl::StatusCode::kInvalidArgument},
};

absl::StatusCode CodeFor(absl::string_view sqlstate, Canceller canceller) {
  if (sqlstate == "57014" && canceller == Canceller::kUs) return absl::StatusCode::kCancelled;
  for (const Rule& rule : kRules) {
    if (absl::StartsWith(sqlstate, rule.prefix)) return rule.code;
  }
  return absl::StatusCode::kInternal;
}

}  // namespace

Blame BlameFor(const absl::Status& status) {
  // The server's own trouble: an error of its disk or system, or one that it has no name for ("tuple
  // concurrently updated"). Corruption (XX001, XX002) is for people.
  const std::string sqlstate = Sqlstate(status);
  if (absl::StartsWith(sqlstate, "58") || sqlstate == "XX000") return Blame::kWorld;
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDataLoss:
      return Blame::kWorld;
    default:
      return Blame::kWork;
  }
}

std::string Sqlstate(const absl::Status& status) { return base::Detail(status, base::kSqlstate); }

absl::Status ServerError(absl::string_view sqlstate, absl::string_view message, Canceller canceller) {
  message = absl::StripAsciiWhitespace(message);
  // The severity is translated; its form ("ERROR:  ") is not.
  if (const size_t severity = message.find(":  "); severity != message.npos && severity < 24) {
    message.remove_prefix(severity + 3);
  }
  if (sqlstate.empty()) return absl::InternalError(message);
  absl::Status status(CodeFor(sqlstate, canceller), absl::StrCat(message, " (SQLSTATE ", sqlstate, ")"));
  return base::WithDetail(std::move(status), base::kSqlstate, sqlstate);
}

absl::Status FromCurrentException(Canceller canceller, absl::string_view lost) {
  try {
    throw;
  } catch (const ConnectError& error) {
    if (!error.sqlstate().empty()) return ServerError(error.sqlstate(), error.what());
    return error.password() == ConnectError::Password::kAsked ? absl::PermissionDeniedError(error.what())
                                                              : absl::UnavailableError(error.what());
  } catch (const pqxx::broken_connection&) {
    return absl::UnavailableError(lost);
  } catch (const pqxx::serialization_failure& error) {
    // libpqxx 6 keeps no SQLSTATE for these; the type tells.
    return ServerError("40001", error.what());
  } catch (const pqxx::deadlock_detected& error) {
    return ServerError("40P01", error.what());
  } catch (const pqxx::statement_completion_unknown& error) {
    return ServerError("40003", error.what());
  } catch (const pqxx::transaction_rollback& error) {
    return ServerError("40000", error.what());
  } catch (const pqxx::insufficient_privilege& error) {
    return ServerError("42501", error.what());
  } catch (const pqxx::in_doubt_error& error) {
    return absl::DataLossError(error.what());
  } catch (const pqxx::sql_error& error) {
    // Without a SQLSTATE it is libpq that speaks, not the server: the session broke within the statement.
    if (error.sqlstate().empty()) return absl::UnavailableError(lost);
    return ServerError(error.sqlstate(), error.what(), canceller);
  } catch (const pqxx::failure& error) {
    // libpq itself, for example out of memory or a connection that ends half-way through an answer.
    return absl::UnavailableError(absl::StrCat(lost, " (", error.what(), ")"));
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace curlew::pg
