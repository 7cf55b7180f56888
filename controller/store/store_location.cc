#include "controller/store/store_location.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/pg/conninfo.h"
#include "controller/store/postgres_location.h"
#include "controller/store/sqlite_location.h"

namespace curlew::store {
namespace {

constexpr char kForms[] =
    "write sqlite:///absolute/path, sqlite:relative/path, a path, or postgresql://user@host/database";

// The scheme of a URL, in lower case; "" where it has none. A single letter is no scheme.
std::string SchemeOf(absl::string_view url) {
  const size_t colon = url.find(':');
  if (colon == absl::string_view::npos || colon < 2 || !absl::ascii_isalpha(url[0])) return "";
  for (const char c : url.substr(0, colon)) {
    if (!absl::ascii_isalnum(c) && c != '+' && c != '-') return "";
  }
  return absl::AsciiStrToLower(url.substr(0, colon));
}

absl::StatusOr<std::string> SqlitePath(absl::string_view rest) {
  if (absl::ConsumePrefix(&rest, "//") && !absl::StartsWith(rest, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("--store: sqlite:// names a machine, but the file must be on this one; ", kForms));
  }
  if (rest.empty()) return absl::InvalidArgumentError(absl::StrCat("--store: the path is missing; ", kForms));
  return std::string(rest);
}

}  // namespace

absl::StatusOr<std::unique_ptr<StoreLocation>> StoreLocation::Parse(const std::string& url,
                                                                    absl::Duration lease_term) {
  if (url.empty()) return absl::InvalidArgumentError(absl::StrCat("--store is empty; ", kForms));
  const std::string scheme = SchemeOf(url);
  if (scheme.empty()) {
    // Taken as a path it would make a file of that name.
    if (absl::StrContains(url, '=') && pg::PublicName(url).ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--store: a connection string of libpq (not shown: it may hold a password) is no URL; ", kForms));
    }
    return std::make_unique<SqliteLocation>(url);
  }
  if (scheme == "sqlite") {
    ASSIGN_OR_RETURN(std::string path, SqlitePath(absl::string_view(url).substr(7)));
    return std::make_unique<SqliteLocation>(std::move(path));
  }
  if (scheme != "postgresql" && scheme != "postgres") {
    return absl::InvalidArgumentError(
        absl::StrCat("--store: \"", scheme, ":\" is no kind of store; ", kForms));
  }
  // libpq knows these two in lower case only.
  const std::string ours = absl::StrCat(scheme, url.substr(scheme.size()));
  const auto name = pg::PublicName(ours);
  if (!absl::StrContains(ours, "://") || !name.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--store: the URL of PostgreSQL is malformed (not shown: it may hold a password); ", kForms));
  }
  return std::make_unique<PostgresLocation>(ours, *name, lease_term);
}

}  // namespace curlew::store
