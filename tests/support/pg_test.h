// Tests on a real server: the shared cluster, a fresh database for each need.
#ifndef CURLEW_TESTS_SUPPORT_PG_TEST_H_
#define CURLEW_TESTS_SUPPORT_PG_TEST_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/pg/connection.h"

namespace curlew::testing {

// The shared cluster as tests/support/cluster.sh describes it. It is started, by that script, where it does
// not run (a test binary run by hand), and does not stop before this process ends. Aborts where that fails.
class Cluster {
 public:
  static const Cluster& Get();
  // A superuser's conninfo for `database`, by socket.
  std::string Conninfo(absl::string_view database) const;
  // The same by TCP with a password.
  std::string TcpConninfo(absl::string_view database) const;
  // A program of the server's version, for example "pg_dump", with its path.
  std::string Program(absl::string_view name) const;

 private:
  Cluster();
  // Reads what cluster.sh wrote; false where there is nothing.
  bool Load(const std::string& file);
  std::map<std::string, std::string> env_;
};

// Base of tests that need PostgreSQL. Not thread-safe.
class PgTest : public ::testing::Test {
 protected:
  void TearDown() override;

  // Makes an empty database (UTF8, locale C.UTF-8), dropped in TearDown whoever is still connected, and runs
  // `setup_sql` in it. Returns a superuser's conninfo. The test fails where this does.
  std::string NewDatabase(absl::string_view setup_sql = "");
  // Makes a role with a unique name and, for example, "LOGIN" or "LOGIN SUPERUSER"; dropped in TearDown.
  std::string NewRole(absl::string_view options = "LOGIN");
  // `conninfo` with another user.
  static std::string AsUser(const std::string& conninfo, const std::string& role);

  // A session of the test's own. The test fails where it cannot be had; the result is then null.
  static std::unique_ptr<pg::Connection> Connect(const std::string& conninfo);
  // Runs `sql` in a session of its own and returns the first column of the first row ("" where there is
  // none). The test fails where `sql` does.
  static std::string Query(const std::string& conninfo, absl::string_view sql);
  // pg_dump --schema-only --exclude-schema=curlew, without the lines that differ each time.
  static std::string PgDump(const std::string& conninfo);

 private:
  std::vector<std::string> databases_;
  std::vector<std::string> roles_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_SUPPORT_PG_TEST_H_
