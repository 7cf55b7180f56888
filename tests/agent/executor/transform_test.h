// What tests of transforms share.
#ifndef CURLEW_TESTS_AGENT_EXECUTOR_TRANSFORM_TEST_H_
#define CURLEW_TESTS_AGENT_EXECUTOR_TRANSFORM_TEST_H_

#include <string>
#include <utility>
#include <vector>

#include "agent/guard/signals.h"
#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {

class TransformTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ExecutorTest::SetUp();
    // Many small batches, in a known order; tests of several workers say so.
    *settings_.mutable_backfill_batch_target() = base::ToProto(absl::Milliseconds(5));
    Workers(1);
  }
  void Workers(int count) { settings_.mutable_backfill()->set_max_workers(count); }

  // The rows of src as rows of dst, which has no constraint that would hide one that comes twice.
  static v1::Action Copy(const std::string& statement = "INSERT INTO dst SELECT id, v FROM batch",
                         const std::string& condition = "") {
    v1::Action action;
    v1::TransformRows& rows = *action.mutable_transform_rows();
    rows.set_table("public.src");
    rows.add_key("id");
    rows.set_condition(condition);
    rows.set_statement(statement);
    rows.set_search_path("pg_catalog, public, pg_temp");
    return action;
  }
  static v1::Action WithKey(v1::Action action, const std::vector<std::string>& key) {
    v1::TransformRows& rows = *action.mutable_transform_rows();
    rows.clear_key();
    for (const std::string& column : key) rows.add_key(column);
    return action;
  }

  Outcome Transform(const v1::Action& action, const std::string& step = "transform-1") {
    RunContext context = Context(step);
    context.throttle = &unthrottled_;
    return RunStep(context, action);
  }
  // "20000 rows, 20000 ids".
  std::string Written(const std::string& id = "id") {
    return Sql(absl::StrCat("SELECT count(*) || ' rows, ' || count(DISTINCT ", id, ") || ' ids' FROM dst"));
  }
  // Calls `handler` when the n-th batch is at that place.
  void AtBatch(const char* point, int n, std::function<void()> handler) {
    base::FaultPlan::Get().Arm(point, n, std::move(handler));
  }

 private:
  static ThrottleConfig Unthrottled() {
    ThrottleConfig config;
    for (const auto& [name, limit] : DefaultLimits()) config.limits[name] = -1;
    return config;
  }

  // What else the machine does, tests beside this one too, is not what these tests are about.
  const ThrottleConfig unthrottled_ = Unthrottled();
};

}  // namespace curlew::agent

#endif  // CURLEW_TESTS_AGENT_EXECUTOR_TRANSFORM_TEST_H_
