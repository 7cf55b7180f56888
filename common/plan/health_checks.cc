#include "common/plan/health_checks.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/plan/check.h"

namespace curlew::plan {
namespace {

constexpr int kMostChecks = 20;
constexpr int kMostFailures = 100;
constexpr size_t kLongestUrl = 2000;
constexpr size_t kLongestQuery = 10'000;

// A setting that may be left out.
struct DurationRange {
  absl::Duration least, most;
  const char* left_out;  // what is so where it is
};

constexpr DurationRange kInterval = {absl::Seconds(1), absl::Hours(1), "30s"};
constexpr DurationRange kTimeout = {absl::Milliseconds(100), absl::Minutes(5), "10s"};
constexpr DurationRange kHold = {absl::ZeroDuration(), absl::Hours(24 * 7), "none"};
constexpr DurationRange kExpires = {absl::Seconds(1), absl::Hours(24 * 365), "never"};

absl::Status CheckRange(const google::protobuf::Duration& given, const DurationRange& range,
                        const std::string& path) {
  const absl::Duration value = base::FromProto(given);
  if (IsValidDuration(given) && value >= range.least && value <= range.most) return absl::OkStatus();
  return FieldError(
      path,
      absl::StrCat(absl::FormatDuration(value), " is out of range; give ", absl::FormatDuration(range.least),
                   " to ", absl::FormatDuration(range.most), ", or leave it out for ", range.left_out));
}

// What is wrong with the part between "//" and the path; "" where nothing is.
std::string WrongAuthority(absl::string_view authority) {
  if (absl::StrContains(authority, '@')) {
    return "holds a name or password, which everybody could read in the pipeline; take it out";
  }
  absl::string_view host = authority;
  const size_t colon = authority.rfind(':');
  // Colons inside of brackets are those of an IPv6 address.
  if (colon != absl::string_view::npos && authority.find(']', colon) == absl::string_view::npos) {
    host = authority.substr(0, colon);
    int port = 0;
    if (!absl::SimpleAtoi(authority.substr(colon + 1), &port) || port < 1 || port > 65535) {
      return absl::StrCat("has the port \"", authority.substr(colon + 1), "\"; give 1 to 65535");
    }
  }
  if (host.empty()) return "has no host; write for example http://health.example.com:8080/ready";
  return "";
}

absl::Status CheckUrl(const std::string& url, const std::string& path) {
  if (url.empty()) return FieldError(path, "is required; write for example http://HOST:PORT/PATH");
  const auto refuse = [&](absl::string_view what) {
    return FieldError(path, absl::StrCat("\"", url, "\" ", what));
  };
  if (url.size() > kLongestUrl) {
    return FieldError(path,
                      absl::StrCat("the address has ", url.size(), " bytes; give at most ", kLongestUrl));
  }
  const std::string filled = absl::StrReplaceAll(url, {{"{target}", "t"}, {"{environment}", "e"}});
  if (absl::StrContains(filled, '{') || absl::StrContains(filled, '}')) {
    return refuse(
        "has braces that stand for nothing; only {target} and {environment} are replaced, write "
        "others as %7B and %7D");
  }
  if (std::any_of(filled.begin(), filled.end(),
                  [](char c) { return absl::ascii_isspace(c) || absl::ascii_iscntrl(c); })) {
    return refuse("holds white space; write it as %20");
  }
  absl::string_view rest = filled;
  const std::string scheme = absl::AsciiStrToLower(rest.substr(0, rest.find("://")));
  if (!absl::StrContains(rest, "://") || (scheme != "http" && scheme != "https")) {
    return refuse("is no address of http or https; write for example http://HOST:PORT/PATH");
  }
  rest.remove_prefix(scheme.size() + 3);
  const std::string wrong = WrongAuthority(rest.substr(0, rest.find_first_of("/?#")));
  return wrong.empty() ? absl::OkStatus() : refuse(wrong);
}

// The kinds, as a file writes them: "agent, plan, …".
std::string Kinds() {
  std::vector<std::string> names;
  const auto* kinds = v1::HealthCheck::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds->field_count(); ++i) names.push_back(kinds->field(i)->name());
  return absl::StrJoin(names, ", ");
}

absl::Status CheckKind(const v1::HealthCheck& check, const std::string& path) {
  switch (check.kind_case()) {
    case v1::HealthCheck::kAgent:
      if (!check.agent().name().empty()) return absl::OkStatus();
      return FieldError(absl::StrCat(path, ".agent.name"),
                        "is required: the name of a check in the agents' configuration");
    case v1::HealthCheck::kPlan:
      if (!check.plan().name().empty()) return absl::OkStatus();
      return FieldError(absl::StrCat(path, ".plan.name"),
                        "is required: the name of a check that plans declare (`checks`)");
    case v1::HealthCheck::kPrometheus: {
      RETURN_IF_ERROR(CheckUrl(check.prometheus().url(), absl::StrCat(path, ".prometheus.url")));
      const std::string& query = check.prometheus().query();
      const std::string at = absl::StrCat(path, ".prometheus.query");
      if (absl::StripAsciiWhitespace(query).empty()) {
        return FieldError(at, "is required: PromQL that gives samples, none of them 0, while all is well");
      }
      if (query.size() <= kLongestQuery) return absl::OkStatus();
      return FieldError(at,
                        absl::StrCat("the query has ", query.size(), " bytes; give at most ", kLongestQuery));
    }
    case v1::HealthCheck::kHttp:
      return CheckUrl(check.http().url(), absl::StrCat(path, ".http.url"));
    case v1::HealthCheck::kReported:
      if (!check.reported().has_expires()) return absl::OkStatus();
      return CheckRange(check.reported().expires(), kExpires, absl::StrCat(path, ".reported.expires"));
    case v1::HealthCheck::KIND_NOT_SET:
      break;
  }
  return FieldError(path, absl::StrCat("the check \"", check.name(),
                                       "\" does not say how it is made; give it one of: ", Kinds()));
}

absl::Status CheckTimes(const v1::HealthCheck& check, ChecksOf of, const std::string& path) {
  if (check.has_hold()) {
    if (of == ChecksOf::kHealth) {
      return FieldError(absl::StrCat(path, ".hold"),
                        "is for the checks of gates; how often health may fail is said by failure_threshold");
    }
    RETURN_IF_ERROR(CheckRange(check.hold(), kHold, absl::StrCat(path, ".hold")));
  }
  if (check.has_interval()) {
    RETURN_IF_ERROR(CheckRange(check.interval(), kInterval, absl::StrCat(path, ".interval")));
  }
  if (check.has_timeout()) {
    const std::string at = absl::StrCat(path, ".timeout");
    RETURN_IF_ERROR(CheckRange(check.timeout(), kTimeout, at));
    const absl::Duration timeout = base::FromProto(check.timeout());
    const absl::Duration interval = check.has_interval() ? base::FromProto(check.interval()) : kCheckInterval;
    if (timeout > interval) {
      return FieldError(at, absl::StrCat(absl::FormatDuration(timeout), " is longer than the interval (",
                                         absl::FormatDuration(interval), "); raise that too"));
    }
  }
  const int failures = check.failure_threshold();
  if (failures != 0 && of == ChecksOf::kGate) {
    return FieldError(absl::StrCat(path, ".failure_threshold"),
                      "is for the health of an environment: a gate closes at the first failure; take it out");
  }
  if (failures < 0 || failures > kMostFailures) {
    return FieldError(absl::StrCat(path, ".failure_threshold"),
                      absl::StrCat(failures, " is out of range; give 1 to ", kMostFailures,
                                   ", or leave it out for ", kCheckFailures));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateChecks(const google::protobuf::RepeatedPtrField<v1::HealthCheck>& checks, ChecksOf of,
                            const std::string& path) {
  if (checks.size() > kMostChecks) {
    return FieldError(path, absl::StrCat(checks.size(), " checks are too many; give at most ", kMostChecks));
  }
  std::map<std::string, int> names;
  for (int i = 0; i < checks.size(); ++i) {
    const v1::HealthCheck& check = checks[i];
    const std::string at = absl::StrCat(path, "[", i, "]");
    if (check.name().empty()) return FieldError(absl::StrCat(at, ".name"), "is required");
    if (!IsId(check.name())) {
      return FieldError(
          absl::StrCat(at, ".name"),
          absl::StrCat("\"", check.name(),
                       "\" is not 1 to 63 lower-case letters, digits and dashes (no dash at either end)"));
    }
    if (const auto [first, is_new] = names.emplace(check.name(), i); !is_new) {
      return FieldError(absl::StrCat(at, ".name"),
                        absl::StrCat("the check \"", check.name(), "\" stands in ", path, "[", first->second,
                                     "] already; give each a name of its own"));
    }
    RETURN_IF_ERROR(CheckKind(check, at));
    RETURN_IF_ERROR(CheckTimes(check, of, at));
  }
  return absl::OkStatus();
}

}  // namespace curlew::plan
