// A plan goes from staging to production over several databases: waves, gates, health, queues, and what an
// approval covers. Real processes, real databases.
#include <httplib.h>

#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "tests/e2e/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::CommandResult;
using ::curlew::testing::FleetTest;
using ::curlew::testing::IsOk;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kContacts[] = R"(
  CREATE TABLE contacts (id bigint PRIMARY KEY, phone text NOT NULL);
  INSERT INTO contacts SELECT g, (5550000000 + g)::text FROM generate_series(1, 500) AS g;)";

constexpr char kRename[] = R"yaml(
name: rename-phone
settings: {unused_for: 1s}
operations:
  - rename_column: {table: contacts, from: phone, to: phone_number, up: "'+1' || phone", down: "substr(phone_number, 3)"}
)yaml";

constexpr char kAddNote[] = R"yaml(
name: add-note
operations:
  - add_column: {table: contacts, column: note, type: text}
)yaml";

// The application's health: 200, but for the targets that are sick.
class Health {
 public:
  Health() {
    server_.Get("/health/(.*)", [this](const httplib::Request& request, httplib::Response& response) {
      const std::string target = request.matches[1];
      absl::MutexLock lock(&mutex_);
      asked_.insert(target);
      response.status = sick_.count(target) > 0 ? 503 : 200;
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~Health() {
    server_.stop();
    thread_.join();
  }

  int port() const { return port_; }
  void Sicken(const std::string& target) {
    absl::MutexLock lock(&mutex_);
    sick_.insert(target);
  }
  std::set<std::string> asked() {
    absl::MutexLock lock(&mutex_);
    return asked_;
  }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
  absl::Mutex mutex_;
  std::set<std::string> sick_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> asked_ ABSL_GUARDED_BY(mutex_);
};

class PromotionTest : public FleetTest {
 protected:
  // Databases, a controller, and an agent for each of them; then the pipeline.
  void Start(const std::vector<std::string>& targets, const std::string& pipeline) {
    for (const std::string& target : targets) conninfo_[target] = NewDatabase(kContacts);
    StartController();
    CurlewOk({"env", "apply", "-f", File("pipeline.yaml", pipeline)});
    for (const std::string& target : targets) StartAgent(target);
  }

  // Whether any step was ever begun in the target's database, as its own journal says.
  bool WasTouched(const std::string& target) {
    return Query(conninfo_[target], "SELECT to_regclass('curlew.run') IS NOT NULL") == "t" &&
           Query(conninfo_[target], "SELECT EXISTS (SELECT FROM curlew.run)") == "t";
  }

  static std::map<std::string, v1::RunState> States(const v1::Rollout& rollout) {
    std::map<std::string, v1::RunState> states;
    for (const v1::Run& run : rollout.runs()) states[run.target()] = run.state();
    return states;
  }
};

TEST_F(PromotionTest, ASickCanaryIsRolledBackAndTheOthersAreNeverTouched) {
  Health health;
  Start({"staging", "p1", "p2", "p3"}, absl::StrCat(R"yaml(
environments:
  - name: staging
    targets: [staging]
  - name: production
    targets: [p1, p2, p3]
    labels:
      - {targets: [p2], labels: {tier: canary}}
    before: {approvals: 1}
    before_drop: {approvals: 1}
    waves:
      - {name: canary, labels: {tier: canary}, bake: 10m}
      - {name: rest}
    max_parallel: 1
    health:
      - name: application
        http: {url: "http://127.0.0.1:)yaml",
                                                    health.port(), R"yaml(/health/{target}"}
        interval: 1s
        timeout: 1s
        failure_threshold: 2
    on_unhealthy: rollback
)yaml"));
  std::map<std::string, std::string> before;
  for (const char* target : {"p1", "p2", "p3"}) before[target] = PgDump(conninfo_[target]);

  const std::string plan = File("rename.yaml", kRename);
  EXPECT_THAT(CurlewOk({"rollout", "start", plan, "--dry-run"}),
              AllOf(HasSubstr("staging"), HasSubstr("p3")));
  EXPECT_FALSE(WasTouched("staging"));
  EXPECT_EQ(Curlew({"drift", "staging", "production"}).exit_code, 0);

  CurlewOk({"rollout", "start", plan, "--id", "r"});
  UntilGate("r");  // before production; staging has none
  EXPECT_THAT(PgDump(conninfo_["staging"]), Not(HasSubstr("phone text")));
  const v1::Rollout at_gate = Show("r");
  EXPECT_EQ(States(at_gate)["p1"], v1::RUN_STATE_COMPILED);
  EXPECT_FALSE(at_gate.stages(1).before().cover().empty());
  for (const char* target : {"p1", "p2", "p3"}) EXPECT_FALSE(WasTouched(target)) << target;

  // Who started it cannot approve it.
  const CommandResult refused = Curlew({"rollout", "approve", "r", "--reason", "I know it is fine"});
  EXPECT_EQ(refused.exit_code, 5) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("tester"));
  EXPECT_EQ(Show("r").stages(1).before().approvals_size(), 0);

  health.Sicken("p2");
  Approve("r");
  EXPECT_EQ(UntilEnd("r"), 8);
  const v1::Rollout ended = Show("r");
  EXPECT_EQ(ended.state(), v1::ROLLOUT_STATE_ROLLED_BACK) << ended.reason();
  EXPECT_EQ(States(ended)["staging"], v1::RUN_STATE_SUCCEEDED) << "only production is rolled back";
  EXPECT_EQ(States(ended)["p2"], v1::RUN_STATE_ROLLED_BACK);
  EXPECT_TRUE(WasTouched("p2"));
  for (const char* target : {"p1", "p3"}) {
    EXPECT_FALSE(WasTouched(target)) << target;
    for (const v1::Run& run : ended.runs()) {
      if (run.target() != target) continue;
      EXPECT_FALSE(run.has_start_time()) << target;
      for (const v1::StepStatus& step : run.steps()) EXPECT_EQ(step.attempts(), 0) << target;
    }
  }
  for (const auto& [target, dump] : before) EXPECT_EQ(PgDump(conninfo_[target]), dump) << target;
  // Only of the wave that worked.
  EXPECT_THAT(health.asked(), ElementsAre("p2"));
  // Who decided, and what was measured.
  EXPECT_THAT(CurlewOk({"rollout", "report", "r"}), AllOf(HasSubstr("application"), HasSubstr("policy")));
  EXPECT_EQ(Curlew({"drift", "staging", "production"}).exit_code, 1);
  EXPECT_THAT(CurlewOk({"history", "p2"}), HasSubstr("rename-phone"));
  EXPECT_THAT(CurlewOk({"audit", "verify"}), Not(HasSubstr("not right")));
}

TEST_F(PromotionTest, RolloutsOnOneTargetQueueAndAnApprovalCoversWhatItWasGivenFor) {
  Start({"a", "b"}, R"yaml(
environments:
  - name: only
    targets: [a]
    before:
      approvals: 1
      checks:
        - {name: deployed, reported: {}}
  - name: other
    targets: [b]
)yaml");
  CurlewOk({"rollout", "start", File("rename.yaml", kRename), "--id", "first"});
  CurlewOk({"rollout", "start", File("note.yaml", kAddNote), "--id", "second"});
  UntilGate("first");
  const v1::Rollout queued = Show("second");
  EXPECT_EQ(queued.state(), v1::ROLLOUT_STATE_RUNNING);
  ASSERT_GT(queued.waiting_size(), 0);
  EXPECT_EQ(queued.waiting(0).cause(), v1::WAIT_CAUSE_ROLLOUT);
  EXPECT_THAT(queued.waiting(0).message(), HasSubstr("first"));

  // Approved as it is; then somebody changes the table by hand, and only then the gate opens.
  Approve("first");
  const std::string cover = Show("first").stages(0).before().cover();
  Query(conninfo_["a"], "ALTER TABLE contacts ADD COLUMN by_hand int");
  CurlewOk({"rollout", "report-check", "first", "deployed", "--holds"});
  EXPECT_EQ(UntilEnd("first"), 7);
  const v1::Rollout failed = Show("first");
  EXPECT_THAT(failed.reason(), HasSubstr("changed since it was approved"));
  EXPECT_FALSE(WasTouched("a"));

  // Looked at anew, it is something else, and needs another yes.
  CurlewOk({"rollout", "resume", "first", "--reason", "the column is ours"});
  UntilGate("first");
  const v1::Gate again = Show("first").stages(0).before();
  EXPECT_NE(again.cover(), cover);
  ASSERT_EQ(again.approvals_size(), 1);
  EXPECT_FALSE(again.approvals(0).void_reason().empty());
  EXPECT_EQ(Curlew({"rollout", "approve", "first", "--cover", cover}).exit_code, 5)
      << "what was seen is stale";
  EXPECT_FALSE(WasTouched("a"));
  Approve("first");
  EXPECT_EQ(UntilEnd("first"), 0);
  EXPECT_THAT(PgDump(conninfo_["a"]), AllOf(HasSubstr("phone_number"), HasSubstr("by_hand")));

  // Its turn now: on a, then on b.
  UntilGate("second");
  CurlewOk({"rollout", "report-check", "second", "deployed", "--holds"});
  Approve("second");
  EXPECT_EQ(UntilEnd("second"), 0);
  EXPECT_THAT(PgDump(conninfo_["b"]), HasSubstr("note text"));
}

}  // namespace
}  // namespace curlew
