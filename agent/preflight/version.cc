#include "absl/strings/str_cat.h"
#include "agent/preflight/looks.h"

namespace curlew::agent {
namespace {

constexpr int kOldest = 13;
// The newest whose syntax the parser knows, and that tests run on.
constexpr int kUsual = 15;

}  // namespace

absl::Status LookAtVersion(const Look& look, Findings* findings) {
  const int major = look.connection->server_version_num() / 10000;
  if (major < kOldest) {
    findings->Error(absl::StrCat("the server is PostgreSQL ", major, ", which is older than ", kOldest),
                    absl::StrCat("bring it to PostgreSQL ", kOldest, " or newer first"));
  } else if (major == kOldest) {
    findings->Info(
        absl::StrCat("the server is PostgreSQL ", major,
                     ": it has no scans of ctid ranges, so that walks go by a key, and a table without "
                     "one cannot be walked; only superusers may set deadlock_timeout"),
        "PostgreSQL 14 is faster here");
  } else if (major < kUsual) {
    findings->Info(
        absl::StrCat("the server is PostgreSQL ", major, ": only superusers may set deadlock_timeout"),
        "DDL that an autovacuum stands in the way of takes a try of 1.2 s");
  } else if (major > kUsual) {
    findings->Info(absl::StrCat("the server is PostgreSQL ", major, ", newer than the ", kUsual,
                                " that plans are read by: newer syntax in them is refused"),
                   "try the plan on a copy first");
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
