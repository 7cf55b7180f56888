// A store in a database of a test's own.
#ifndef CURLEW_TESTS_CONTROLLER_STORE_POSTGRES_STORE_H_
#define CURLEW_TESTS_CONTROLLER_STORE_POSTGRES_STORE_H_

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "controller/store/postgres_leader_lease.h"
#include "controller/store/postgres_rollout_store.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::store {

// A database, dropped with the object.
class PostgresDatabase : public curlew::testing::PgTest {
 public:
  PostgresDatabase() : conninfo_(NewDatabase()) {}
  ~PostgresDatabase() override { TearDown(); }
  void TestBody() override {}

  const std::string& conninfo() const { return conninfo_; }
  // As a URL: --store takes no other form.
  std::string url() const {
    std::string url;
    std::string query;
    for (const absl::string_view setting : absl::StrSplit(conninfo_, ' ', absl::SkipEmpty())) {
      const std::pair<std::string, std::string> entry = absl::StrSplit(setting, absl::MaxSplits('=', 1));
      if (entry.first == "dbname") {
        url = absl::StrCat("postgresql:///", entry.second);
      } else {
        absl::StrAppend(&query, query.empty() ? "?" : "&", setting);
      }
    }
    return url + query;
  }
  std::string Sql(absl::string_view sql) { return Query(conninfo_, sql); }
  // Waits until that many sessions of stores and leases wait for a lock.
  void WaitUntilBlocked(int sessions) {
    auto session = Session();
    for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;) {
      const auto blocked = session->Execute(
          "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
          " AND application_name LIKE 'curlew-controller%' AND wait_event_type = 'Lock'");
      if (blocked.ok() && blocked->Int(0, 0) == sessions) return;
    }
    ADD_FAILURE() << "there are never " << sessions << " sessions that wait for a lock";
  }
  std::unique_ptr<pg::Connection> Session() { return Connect(conninfo_); }

  // A role that may log in, and nothing more; and the conninfo with it.
  std::string Role() { return NewRole(); }
  std::string As(const std::string& role) const { return AsUser(conninfo_, role); }

  PostgresStoreOptions options() const { return {.url = conninfo_}; }
  std::unique_ptr<PostgresLeaderLease> Lease(const std::string& instance,
                                             absl::Duration term = absl::Seconds(30)) {
    auto lease = PostgresLeaderLease::Open(options(), "test", {instance, instance + ":7441"}, term);
    EXPECT_OK(lease);
    return lease.ok() ? *std::move(lease) : nullptr;
  }
  std::unique_ptr<PostgresRolloutStore> Store(int64_t epoch, const std::string& instance = "") {
    auto store = PostgresRolloutStore::Open(options(), "test", {epoch, instance});
    EXPECT_OK(store);
    return store.ok() ? *std::move(store) : nullptr;
  }

 private:
  const std::string conninfo_;
};

}  // namespace curlew::store

#endif  // CURLEW_TESTS_CONTROLLER_STORE_POSTGRES_STORE_H_
