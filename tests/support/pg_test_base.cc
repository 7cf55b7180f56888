#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/id.h"
#include "tests/support/pg_test.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::testing {
namespace {

[[noreturn]] void Die(absl::string_view why) {
  std::fprintf(stderr, "test cluster: %s\n", std::string(why).c_str());
  std::abort();
}

std::string WithDatabase(absl::string_view conninfo, absl::string_view database) {
  return absl::StrReplaceAll(conninfo, {{"dbname=postgres", absl::StrCat("dbname=", database)}});
}

}  // namespace

const Cluster& Cluster::Get() {
  static const Cluster* cluster = new Cluster;
  return *cluster;
}

Cluster::Cluster() {
  const char* named = getenv("CURLEW_TEST_CLUSTER");
  const std::string file = named != nullptr ? named : CURLEW_TEST_CLUSTER_DEFAULT;
  // Held until this process ends: cluster.sh does not stop a cluster that is in use.
  const std::string users = absl::StrCat(file, ".users");
  const int fd = open(users.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  if (fd < 0 || flock(fd, LOCK_SH) != 0) Die(absl::StrCat("cannot lock ", users));
  if (Load(file) && pg::Connection::Connect({.conninfo = env_["CURLEW_TEST_PG"]}).ok()) return;
  auto started = Process::Run({.argv = {CURLEW_TEST_CLUSTER_SCRIPT, "start", file}}, absl::Seconds(90));
  if (!started.ok()) Die(started.status().ToString());
  if (!Load(file)) Die(absl::StrCat(file, " does not say where the cluster is"));
}

bool Cluster::Load(const std::string& file) {
  env_.clear();
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const std::pair<std::string, std::string> entry = absl::StrSplit(line, absl::MaxSplits('=', 1));
    env_.insert(entry);
  }
  return env_.contains("CURLEW_TEST_PG");
}

std::string Cluster::Conninfo(absl::string_view database) const {
  return WithDatabase(env_.at("CURLEW_TEST_PG"), database);
}

std::string Cluster::TcpConninfo(absl::string_view database) const {
  return WithDatabase(env_.at("CURLEW_TEST_PG_TCP"), database);
}

std::string Cluster::Program(absl::string_view name) const {
  return absl::StrCat(env_.at("CURLEW_TEST_PG_BIN"), "/", name);
}

std::string PgTest::NewDatabase(absl::string_view setup_sql) {
  const std::string name = absl::StrCat("t_", base::RandomId(12));
  // template0 takes no connections, so nothing can be in the way of copying it.
  Query(Cluster::Get().Conninfo("postgres"), absl::StrCat("CREATE DATABASE ", name, " TEMPLATE template0"));
  databases_.push_back(name);
  const std::string conninfo = Cluster::Get().Conninfo(name);
  if (!setup_sql.empty()) Query(conninfo, setup_sql);
  return conninfo;
}

std::string PgTest::NewRole(absl::string_view options) {
  const std::string name = absl::StrCat("r_", base::RandomId(12));
  Query(Cluster::Get().Conninfo("postgres"), absl::StrCat("CREATE ROLE ", name, " ", options));
  roles_.push_back(name);
  return name;
}

std::string PgTest::AsUser(const std::string& conninfo, const std::string& role) {
  return absl::StrReplaceAll(conninfo, {{"user=postgres", absl::StrCat("user=", role)}});
}

void PgTest::TearDown() {
  if (databases_.empty() && roles_.empty()) return;
  const std::string admin = Cluster::Get().Conninfo("postgres");
  for (const std::string& name : databases_) {
    // A subscription keeps its database from being dropped.
    Query(Cluster::Get().Conninfo(name), R"(
        DO $$
        DECLARE s record;
        BEGIN
          FOR s IN SELECT subname FROM pg_subscription
                   WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) LOOP
            EXECUTE format('ALTER SUBSCRIPTION %I DISABLE', s.subname);
            EXECUTE format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', s.subname);
            EXECUTE format('DROP SUBSCRIPTION %I', s.subname);
          END LOOP;
        END $$)");
    Query(admin, absl::StrCat("DROP DATABASE ", name, " WITH (FORCE)"));
  }
  for (const std::string& name : roles_) Query(admin, absl::StrCat("DROP ROLE ", name));
  databases_.clear();
  roles_.clear();
}

std::unique_ptr<pg::Connection> PgTest::Connect(const std::string& conninfo) {
  auto connection = pg::Connection::Connect({.conninfo = conninfo, .application_name = "curlew-test"});
  if (connection.ok()) return *std::move(connection);
  ADD_FAILURE() << connection.status();
  return nullptr;
}

std::string PgTest::Query(const std::string& conninfo, absl::string_view sql) {
  auto connection = Connect(conninfo);
  if (connection == nullptr) return "";
  auto result = connection->Execute(sql);
  if (!result.ok()) {
    ADD_FAILURE() << result.status() << "\nin: " << sql;
    return "";
  }
  return result->empty() || result->columns().empty() ? "" : result->Text(0, 0);
}

std::string PgTest::PgDump(const std::string& conninfo) {
  auto dump = Process::Run(
      {.argv = {Cluster::Get().Program("pg_dump"), "--schema-only", "--exclude-schema=curlew", conninfo}});
  if (!dump.ok()) {
    ADD_FAILURE() << dump.status();
    return "";
  }
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(*dump, '\n')) {
    if (!absl::StartsWith(line, "\\restrict ") && !absl::StartsWith(line, "\\unrestrict ")) {
      lines.emplace_back(line);
    }
  }
  return absl::StrJoin(lines, "\n");
}

}  // namespace curlew::testing
