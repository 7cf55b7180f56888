#include "common/pg/connect_policy.h"

#include <poll.h>

#include <algorithm>
#include <memory>
#include <new>
#include <regex>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace curlew::pg {
namespace {

using Conn = std::unique_ptr<PGconn, decltype(&PQfinish)>;

thread_local PGconn* last_made = nullptr;

absl::Duration TimeoutOf(PGconn* conn) {
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconninfo(conn), &PQconninfoFree);
  for (PQconninfoOption* option = options.get(); option != nullptr && option->keyword != nullptr; ++option) {
    int seconds = 0;
    if (absl::string_view(option->keyword) == "connect_timeout" && option->val != nullptr &&
        absl::SimpleAtoi(option->val, &seconds) && seconds > 0) {
      return absl::Seconds(seconds);
    }
  }
  return absl::InfiniteDuration();
}

// Goes on until the connection is made or has failed; kTimeout says that neither came in time.
enum class Outcome { kOk, kFailed, kTimeout };
Outcome Poll(PGconn* conn) {
  const absl::Time deadline = absl::Now() + TimeoutOf(conn);
  for (PostgresPollingStatusType state = PGRES_POLLING_WRITING;;) {
    if (state == PGRES_POLLING_OK) return Outcome::kOk;
    if (state == PGRES_POLLING_FAILED) return Outcome::kFailed;
    pollfd fd = {PQsocket(conn), static_cast<short>(state == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return Outcome::kTimeout;
    // The socket may be another one after each step, so ask for it anew.
    poll(&fd, 1, static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 1000)));
    if (fd.revents != 0) state = PQconnectPoll(conn);
  }
}

// "connection to server at ... failed: FATAL:  28P01: text", then "LOCATION:  function, file.c:12" and more.
[[noreturn]] void Throw(PGconn* conn, Outcome outcome) {
  static const std::regex* const kState = new std::regex(":  ([0-9A-Z]{5}): ");
  static const std::regex* const kLocation = new std::regex("^\\S+:  \\S+, \\S+:[0-9]+$");
  std::string sqlstate;
  std::vector<std::string> lines;
  for (absl::string_view view : absl::StrSplit(PQerrorMessage(conn), '\n', absl::SkipWhitespace())) {
    std::string line(absl::StripAsciiWhitespace(view));
    if (std::regex_search(line, *kLocation)) continue;
    std::smatch match;
    if (std::regex_search(line, match, *kState)) {
      sqlstate = match[1];
      line = absl::StrCat(match.prefix().str(), ": ", match.suffix().str());
    }
    lines.push_back(std::move(line));
  }
  if (outcome == Outcome::kTimeout) {
    lines.push_back(absl::StrCat("no answer from the server at \"", PQhost(conn) ? PQhost(conn) : "",
                                 "\", port ", PQport(conn) ? PQport(conn) : "", " in time"));
  }
  const bool asked = PQconnectionNeedsPassword(conn) != 0 || PQconnectionUsedPassword(conn) != 0;
  throw ConnectError(absl::StrJoin(lines, "; "), sqlstate,
                     asked && outcome == Outcome::kFailed ? ConnectError::Password::kAsked
                                                          : ConnectError::Password::kNotAsked);
}

}  // namespace

ConnectPolicy::handle ConnectPolicy::do_startconnect(handle existing) {
  if (existing != nullptr) return existing;
  Conn conn(PQconnectStart(options().c_str()), &PQfinish);
  if (conn == nullptr) throw std::bad_alloc();
  PQsetErrorVerbosity(conn.get(), PQERRORS_VERBOSE);
  const Outcome outcome = PQstatus(conn.get()) == CONNECTION_BAD ? Outcome::kFailed : Poll(conn.get());
  if (outcome != Outcome::kOk) Throw(conn.get(), outcome);
  PQsetErrorVerbosity(conn.get(), PQERRORS_TERSE);
  last_made = conn.get();
  return conn.release();
}

PGconn* ConnectPolicy::last() { return last_made; }

}  // namespace curlew::pg
