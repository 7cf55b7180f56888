#include "tests/support/standby.h"

#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "tests/support/process.h"

namespace curlew::testing {
namespace {

absl::Status AsOwner(std::vector<std::string> argv) {
  // The server's user may not enter the folder that the test runs in.
  std::vector<std::string> whole = {"env", "-C", "/"};
  if (geteuid() == 0) whole.insert(whole.end(), {"runuser", "-u", "postgres", "--"});
  whole.insert(whole.end(), argv.begin(), argv.end());
  return Process::Run({.argv = whole}).status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrimaryAndStandby>> PrimaryAndStandby::Start() {
  auto servers = std::unique_ptr<PrimaryAndStandby>(new PrimaryAndStandby());
  RETURN_IF_ERROR(servers->Make());
  return servers;
}

absl::Status PrimaryAndStandby::Make() {
  char folder[] = "/var/tmp/curlew-standby-XXXXXX";
  if (mkdtemp(folder) == nullptr) return absl::InternalError("mkdtemp");
  folder_ = folder;
  if (geteuid() == 0) {
    const passwd* owner = getpwnam("postgres");
    if (owner == nullptr || chown(folder, owner->pw_uid, owner->pw_gid) != 0)
      return absl::InternalError("chown");
  }
  RETURN_IF_ERROR(Process::Run({.argv = {CURLEW_TEST_CLUSTER_SCRIPT, "start", env_file()}}).status());
  std::ifstream in(env_file());
  for (std::string line; std::getline(in, line);) {
    const std::pair<std::string, std::string> entry = absl::StrSplit(line, absl::MaxSplits('=', 1));
    if (entry.first == "CURLEW_TEST_PG_BIN") bin_ = entry.second;
    if (entry.first != "CURLEW_TEST_PG") continue;
    for (absl::string_view word : absl::StrSplit(entry.second, ' ')) {
      const std::pair<std::string, std::string> part = absl::StrSplit(word, absl::MaxSplits('=', 1));
      if (part.first == "host") primary_host_ = part.second;
      if (part.first == "port") primary_port_ = part.second;
    }
  }
  RETURN_IF_ERROR(AsOwner({absl::StrCat(bin_, "/pg_basebackup"), "-D", data(), "-d",
                           absl::StrCat(primary(), " application_name=crm_standby"), "-R", "-X", "stream",
                           "-c", "fast", "-C", "-S", "crm_slot", "--no-sync"}));
  return StartStandby();
}

PrimaryAndStandby::~PrimaryAndStandby() {
  if (!bin_.empty()) (void)AsOwner({absl::StrCat(bin_, "/pg_ctl"), "-D", data(), "-m", "immediate", "stop"});
  (void)Process::Run({.argv = {CURLEW_TEST_CLUSTER_SCRIPT, "stop", env_file()}});
  (void)Process::Run({.argv = {"rm", "-rf", folder_}});
}

std::string PrimaryAndStandby::primary(const std::string& database) const {
  return absl::StrCat("host=", primary_host_, " port=", primary_port_, " user=postgres dbname=", database);
}

std::string PrimaryAndStandby::standby(const std::string& database) const {
  return absl::StrCat("host=", folder_, " port=5432 user=postgres dbname=", database);
}

std::string PrimaryAndStandby::either(const std::string& database) const {
  return absl::StrCat("host=", primary_host_, ",", folder_, " port=", primary_port_,
                      ",5432 user=postgres target_session_attrs=read-write dbname=", database);
}

absl::Status PrimaryAndStandby::StartStandby() {
  // It listens on a socket only, so no port can be taken.
  return AsOwner({absl::StrCat(bin_, "/pg_ctl"), "-D", data(), "-w", "-l", absl::StrCat(folder_, "/log"),
                  "-o",
                  absl::StrCat("-p 5432 -c listen_addresses='' -c unix_socket_directories='", folder_,
                               "' -c wal_retrieve_retry_interval=100"),
                  "start"});
}

absl::Status PrimaryAndStandby::StopStandby() {
  return AsOwner({absl::StrCat(bin_, "/pg_ctl"), "-D", data(), "-w", "-m", "fast", "stop"});
}

absl::Status PrimaryAndStandby::Promote() {
  return AsOwner({absl::StrCat(bin_, "/pg_ctl"), "-D", data(), "-w", "promote"});
}

absl::Status PrimaryAndStandby::KillPrimary() {
  return AsOwner({absl::StrCat(bin_, "/pg_ctl"), "-D", absl::StrCat(primary_host_, "/data"), "-w", "-m",
                  "immediate", "stop"});
}

}  // namespace curlew::testing
