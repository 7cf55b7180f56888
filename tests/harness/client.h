// An application that writes while a plan runs.
#ifndef CURLEW_TESTS_HARNESS_CLIENT_H_
#define CURLEW_TESTS_HARNESS_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/pg/connection.h"
#include "tests/harness/case.h"
#include "tests/harness/names.h"

namespace curlew::testing {

// Which columns a client knows.
enum class Knows { kOld, kNew, kBoth };
// A quick one makes many short transactions, a slow one few long ones.
enum class Pace { kQuick, kSlow };

struct ClientOptions {
  std::string conninfo;
  // For messages.
  std::string name;
  Knows knows = Knows::kOld;
  Pace pace = Pace::kQuick;
  // Its place among at most kMostClients: each key is inserted and deleted by one place only.
  int place = 0;
  uint64_t seed = 0;
  // A folder that the server's files of COPY go to.
  std::string server_folder;
};
inline constexpr int kMostClients = 5;

// A thread that writes the table of a case and its twin, in one transaction each time, from construction to
// Stop. Everything that it writes is decided by its seed. Thread-safe.
class HarnessClient {
 public:
  // The references must outlive it. `numbers` gives numbers that never come twice; shared by all clients.
  HarnessClient(ClientOptions options, const Case& the_case, const Names& names,
                std::atomic<int64_t>* numbers);
  ~HarnessClient();
  HarnessClient(const HarnessClient&) = delete;
  HarnessClient& operator=(const HarnessClient&) = delete;

  // Until it has committed so many transactions in all, or has failed, or a minute has gone by.
  void AwaitTransactions(int count) const;
  int transactions() const;
  // Ends it after its present transaction, and its session. Idempotent.
  void Stop();

  struct Report {
    int transactions = 0;
    // Tries that lost a lock or a deadlock, and were rolled back as a whole.
    int retries = 0;
    absl::Duration longest_statement;
    // The first statement that failed otherwise, or why it could not go on. OK where there was none.
    absl::Status failure;
  };
  Report report() const;

 private:
  void Loop();
  absl::Status OneTransaction(pg::Connection* connection);
  absl::Status Do(Write write);
  absl::Status Insert();
  absl::Status Update();
  absl::Status UpdateOther();
  absl::Status Upsert();
  absl::Status Copy();
  absl::Status Delete();
  absl::Status Cascade();
  absl::Status Long();

  // The values that one statement writes, and what follows from them.
  struct Values {
    std::vector<Written> columns;  // with values as SQL
    const Shape* shape = nullptr;  // whose `follows` hold
  };
  Values NewValues();
  // INSERT of one row, from the table's name on.
  std::string Row(int64_t key, const std::string& unrelated, const Values& values) const;

  absl::StatusOr<pg::Result> Run(const std::string& sql);
  // Both run `verb` + table + `rest` on {t} and on the twin; the rest of an update names the rows as $keys.
  // Then what follows happens in the twin's rows that have changed.
  absl::Status InsertBoth(const std::string& verb, const std::string& rest, const std::vector<int64_t>& keys,
                          const Values& values);
  absl::Status UpdateBoth(const std::string& sets, const std::vector<int64_t>& keys, const Values& values);
  absl::Status Mirror(const std::string& mirror, const std::vector<int64_t>& keys, const Values& values);
  absl::Status SetShape(const Values& values);
  absl::Status Pause(absl::Duration least, absl::Duration most);
  std::string Sql(const std::string& text) const { return names_.Sql(text); }

  int64_t Random(int64_t least, int64_t most);
  bool OneIn(int n) { return Random(1, n) == 1; }
  int64_t Number() { return numbers_->fetch_add(1); }
  int64_t NewKey();
  int64_t AnyKey();
  int64_t OwnKey();

  const ClientOptions options_;
  const Case& case_;
  const Names& names_;
  std::atomic<int64_t>* const numbers_;
  std::mt19937_64 random_;
  std::vector<Write> writes_;
  pg::Connection* connection_ = nullptr;
  // Keys of its own that are there, besides those of the beginning, and that it has deleted.
  std::set<int64_t> inserted_, deleted_;

  mutable absl::Mutex mutex_;
  Report report_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_HARNESS_CLIENT_H_
