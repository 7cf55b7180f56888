// A target that has been taken over, and everything an executor needs.
#ifndef CURLEW_TESTS_AGENT_EXECUTOR_EXECUTOR_TEST_H_
#define CURLEW_TESTS_AGENT_EXECUTOR_EXECUTOR_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "agent/backup/backup_config.h"
#include "agent/executor/executors.h"
#include "agent/executor/outcome.h"
#include "agent/executor/step_runner.h"
#include "agent/guard/periodic.h"
#include "agent/journal/names.h"
#include "agent/journal/takeover.h"
#include "common/base/fault_point.h"
#include "common/base/proto_time.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {

// Remembers what was reported, and lets a test wait for it. Thread-safe.
class RecordingProgress : public ProgressSink {
 public:
  void Report(const v1::Progress& progress) override {
    absl::MutexLock lock(&mutex_);
    reports_.push_back(progress);
  }
  // Whether a report's message holds `text`.
  bool Told(const std::string& text) const {
    absl::MutexLock lock(&mutex_);
    for (const v1::Progress& progress : reports_) {
      if (progress.message().find(text) != std::string::npos) return true;
    }
    return false;
  }
  // The first report whose waiting message holds `text`; waits a minute at most.
  bool AwaitWaiting(const std::string& text) {
    const auto there = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      for (const v1::Progress& progress : reports_) {
        if (progress.waiting().message().find(text) != std::string::npos) return true;
      }
      return false;
    };
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Minutes(1));
  }
  std::vector<v1::Progress> reports() const {
    absl::MutexLock lock(&mutex_);
    return reports_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<v1::Progress> reports_ ABSL_GUARDED_BY(mutex_);
};

inline constexpr char kRun[] = "rollouts/r1/runs/crm";
inline constexpr char kTarget[] = "crm";

class ExecutorTest : public ::curlew::testing::PgTest {
 protected:
  // A database with a journal at epoch 1, and a run in it.
  void Prepare(absl::string_view setup_sql) {
    conninfo_ = NewDatabase(setup_sql);
    ASSERT_NO_FATAL_FAILURE(Take(conninfo_));
  }

  void Take(const std::string& conninfo) {
    takeover_ = {
        .connect = {.conninfo = conninfo}, .target = kTarget, .agent_id = "agent", .instance_id = "one"};
    ASSERT_OK_AND_ASSIGN(tenure_, TakeOver(takeover_, cancel_));
    pool_ = NewPool();
    lease_.SetLeaseTime(absl::Hours(1));
    lease_.Heard();
    ASSERT_OK_AND_ASSIGN(const auto connection, pool_->Acquire());
    ASSERT_OK_AND_ASSIGN(auto transaction, FencedTransaction::Begin(connection.get(), Mine(), {}));
    ASSERT_OK(PinPlan(transaction, kRun, v1::CompiledPlan(), "digest"));
    ASSERT_OK(transaction.Commit());
  }

  std::unique_ptr<pg::Pool> NewPool() {
    pg::PoolOptions options{.connect = takeover_.connect};
    options.connect.application_name = TargetApplicationName(kTarget);
    return std::make_unique<pg::Pool>(options);
  }

  void TearDown() override {
    base::FaultPlan::Get().Disarm();
    pool_.reset();
    PgTest::TearDown();
  }

  Fence Mine() const { return {tenure_.epoch, takeover_.instance_id}; }

  // Another process takes the target over.
  void TakeOverByAnother() {
    TakeoverOptions other = takeover_;
    other.instance_id = "two";
    ASSERT_OK(TakeOver(other, CancelToken()).status());
  }

  RunContext Context(const std::string& step, v1::Direction direction = v1::DIRECTION_DO) {
    return {.target = kTarget,
            .attempt = {.run = kRun,
                        .step = step,
                        .direction = direction,
                        .attempt = ++attempts_,
                        .epoch = tenure_.epoch,
                        .instance_id = takeover_.instance_id},
            .settings = settings_,
            .locks = locks_,
            .row_keys = row_keys_,
            .override_wait = override_wait_,
            .backups = &backups_,
            .pool = pool_.get(),
            .connect = takeover_.connect,
            .lease = &lease_,
            .cancel = &cancel_,
            .progress = &progress_};
  }

  Outcome Run(const std::string& step, const v1::Action& action) { return RunStep(Context(step), action); }

  // Runs the step in a process of its own; `prepare` is called there first.
  pid_t Spawn(
      const std::string& step, const v1::Action& action, v1::Direction direction = v1::DIRECTION_DO,
      const std::function<void()>& prepare = [] {}) {
    // Connections must not be shared with the child.
    pool_.reset();
    RunContext context = Context(step, direction);
    const pid_t child = fork();
    if (child == 0) {
      prepare();
      const std::unique_ptr<pg::Pool> pool = NewPool();
      context.pool = pool.get();
      const Outcome outcome = RunStep(context, action);
      if (outcome.state != v1::ATTEMPT_STATE_SUCCEEDED)
        absl::FPrintF(stderr, "%s", outcome.error.DebugString());
      _exit(0);
    }
    pool_ = NewPool();
    return child;
  }

  // Runs the step in a process that dies, as by kill -9, when it passes `point` for the n-th time. False
  // where it does not come there.
  bool Crash(const char* point, int passes, const std::string& step, const v1::Action& action,
             v1::Direction direction = v1::DIRECTION_DO) {
    const pid_t child = Spawn(step, action, direction,
                              [&] { base::FaultPlan::Get().Arm(point, passes, [] { _exit(137); }); });
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 137;
  }

  Outcome Undo(const std::string& step, const v1::Action& action) {
    return RunStep(Context(step, v1::DIRECTION_UNDO), action);
  }

  std::string Sql(absl::string_view sql) { return Query(conninfo_, sql); }

  // "intent", "succeeded", or "" where the journal knows nothing.
  std::string Journaled(const std::string& step, const std::string& direction = "do") {
    return Sql(absl::StrCat("SELECT COALESCE(max(state), '') FROM curlew.step WHERE step = '", step,
                            "' AND direction = '", direction, "'"));
  }

  void Lock(const std::string& table, const std::string& mode) {
    v1::TableLock lock;
    lock.set_table(table);
    lock.set_mode(mode);
    locks_.push_back(lock);
  }

  static v1::Action Statements(const std::vector<std::string>& statements) {
    v1::Action action;
    for (const std::string& statement : statements) action.mutable_execute_sql()->add_statements(statement);
    return action;
  }

  std::string conninfo_;
  TakeoverOptions takeover_;
  Tenure tenure_;
  std::unique_ptr<pg::Pool> pool_;
  LeaseClock lease_;
  CancelToken cancel_;
  RecordingProgress progress_;
  v1::PlanSettings settings_;
  std::vector<v1::TableLock> locks_;
  RowKeys row_keys_ = RowKeys::kReport;
  std::optional<v1::Override> override_wait_;
  BackupConfig backups_;
  int attempts_ = 0;
};

// A session of the application in a transaction, which holds what `sql` locked until it is destroyed.
class HeldTransaction {
 public:
  HeldTransaction(const std::string& conninfo, const std::string& name, const std::string& sql) {
    pg::ConnectOptions options{.conninfo = conninfo, .application_name = name};
    connection_ = *pg::Connection::Connect(options);
    transaction_ = *pg::Transaction::Begin(connection_.get());
    const absl::Status status = transaction_->Execute(sql).status();
    EXPECT_TRUE(status.ok()) << status;
  }
  int pid() const { return connection_->backend_pid(); }
  void Commit() { EXPECT_TRUE(transaction_->Commit().ok()); }

 private:
  std::unique_ptr<pg::Connection> connection_;
  std::unique_ptr<pg::Transaction> transaction_;
};

}  // namespace curlew::agent

#endif  // CURLEW_TESTS_AGENT_EXECUTOR_EXECUTOR_TEST_H_
