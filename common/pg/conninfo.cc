#include "common/pg/conninfo.h"

#include <libpq-fe.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"

namespace curlew::pg {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

absl::StatusOr<Options> ParseOptions(const std::string& conninfo) {
  Options parsed(PQconninfoParse(conninfo.c_str(), nullptr), &PQconninfoFree);
  if (parsed == nullptr || conninfo.find('\0') != std::string::npos) {
    return base::WithDetail(
        absl::InvalidArgumentError("the connection string is malformed (not shown: it may hold a password)"),
        base::kHint, "try it with psql");
  }
  return parsed;
}

// What `conninfo` gives, in libpq's order.
absl::StatusOr<Settings> Parse(const std::string& conninfo) {
  ASSIGN_OR_RETURN(const Options parsed, ParseOptions(conninfo));
  Settings settings;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) settings.emplace_back(option->keyword, option->val);
  }
  return settings;
}

std::string Of(const Settings& settings, absl::string_view keyword) {
  for (const auto& [name, value] : settings) {
    if (name == keyword) return value;
  }
  return "";
}

std::string QuotedValue(absl::string_view value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

}  // namespace

absl::StatusOr<std::string> WithDefaults(const std::string& conninfo, const Settings& settings) {
  ASSIGN_OR_RETURN(Settings given, Parse(conninfo));
  for (const auto& [keyword, value] : settings) {
    if (Of(given, keyword).empty()) given.emplace_back(keyword, value);
  }
  return absl::StrJoin(given, " ", [](std::string* out, const auto& setting) {
    absl::StrAppend(out, setting.first, "=", QuotedValue(setting.second));
  });
}

absl::StatusOr<Settings> Environment(const std::string& conninfo) {
  ASSIGN_OR_RETURN(const Options parsed, ParseOptions(conninfo));
  Settings variables;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr && option->envvar != nullptr)
      variables.emplace_back(option->envvar, option->val);
  }
  return variables;
}

absl::StatusOr<std::string> PublicName(const std::string& conninfo) {
  ASSIGN_OR_RETURN(const Settings given, Parse(conninfo));
  std::vector<std::string> hosts = absl::StrSplit(Of(given, "host"), ',', absl::SkipEmpty());
  if (hosts.empty()) hosts = absl::StrSplit(Of(given, "hostaddr"), ',', absl::SkipEmpty());
  const std::vector<std::string> ports = absl::StrSplit(Of(given, "port"), ',', absl::SkipEmpty());
  std::vector<std::string> places;
  std::string socket;
  for (size_t i = 0; i < hosts.size(); ++i) {
    if (absl::StartsWith(hosts[i], "/") || absl::StartsWith(hosts[i], "@")) {
      socket = hosts[i];
      continue;
    }
    // A port that stands alone counts for every host.
    const std::string port = ports.size() == 1 ? ports[0] : i < ports.size() ? ports[i] : "";
    const bool v6 = absl::StrContains(hosts[i], ':');
    places.push_back(absl::StrCat(v6 ? "[" : "", hosts[i], v6 ? "]" : "", port.empty() ? "" : ":", port));
  }
  const std::string user = Of(given, "user");
  const std::string socket_port = socket.empty() || ports.empty() ? "" : absl::StrCat("&port=", ports[0]);
  return absl::StrCat("postgresql://", user, user.empty() ? "" : "@", absl::StrJoin(places, ","), "/",
                      Of(given, "dbname"), socket.empty() ? "" : absl::StrCat("?host=", socket), socket_port);
}

}  // namespace curlew::pg
