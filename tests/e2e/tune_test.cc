// Backfills that are steered while they run, through real processes and real databases.
#include <google/protobuf/util/json_util.h>
#include <signal.h>

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "curlew/v1/operator.pb.h"
#include "tests/e2e/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::Cluster;
using ::curlew::testing::CommandResult;
using ::curlew::testing::FleetTest;
using ::curlew::testing::IsOk;
using ::curlew::testing::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// An application's own trigger writes down every UPDATE: the oracle of "once".
constexpr char kContacts[] = R"(
  CREATE TABLE contacts (id bigint PRIMARY KEY, phone text);
  INSERT INTO contacts SELECT g, (5550000000 + g)::text FROM generate_series(1, 150000) AS g;
  CREATE TABLE written (id bigint);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO written VALUES (NEW.id); RETURN NULL; END $$;
  CREATE TRIGGER note AFTER UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION note();)";

constexpr char kPlan[] = R"yaml(
name: rename-phone
settings: {unused_for: 1s, backfill: {on_row_error: quarantine}}
operations:
  - rename_column: {table: contacts, from: phone, to: phone_number, up: "'+' || phone", down: "substr(phone_number, 2)"}
)yaml";

class TuneTest : public FleetTest {
 protected:
  // A rollout of the plan on staging alone, that waits at the gate before it begins.
  void StartAtGate(absl::string_view setup) {
    conninfo_ = {{"staging", NewDatabase(setup)}};
    StartController();
    CurlewOk({"env", "apply", "-f",
              File("e.yaml",
                   "environments: [{name: only, targets: [staging], before: {approvals: 1}, "
                   "before_drop: {approvals: 1}}]")});
    StartAgent("staging");
    CurlewOk({"rollout", "start", File("plan.yaml", kPlan), "--id", "r"});
    UntilGate("r");
  }

  // Progress of the backfill as a watch in JSON printed it.
  static std::vector<v1::Progress> ProgressOf(const std::string& json_lines) {
    std::vector<v1::Progress> all;
    for (const absl::string_view line : absl::StrSplit(json_lines, '\n')) {
      v1::WatchRolloutResponse message;
      const auto status = google::protobuf::util::JsonStringToMessage({line.data(), line.size()}, &message);
      if (status.ok() && message.progress().step() == "backfill-1") all.push_back(message.progress());
    }
    return all;
  }
};

TEST_F(TuneTest, AWalkIsPausedAndSlowedByItsLimitsAndLosesNoBatch) {
  StartAtGate(kContacts);
  // Somebody who works all the time, and a limit that does not allow it.
  auto busy = Process::Start(
      {.argv = {Cluster::Get().Program("psql"), conninfo_["staging"], "-c", "SELECT pg_sleep(600)"}});
  ASSERT_THAT(busy, IsOk());
  EXPECT_THAT(CurlewOk({"rollout", "tune", "r", "--limit", "active_sessions=0.01"}),
              HasSubstr("staging: limit active_sessions 0.01\n"));
  Approve("r");
  auto watch = StartCurlew({"rollout", "watch", "r"});
  ASSERT_NE(watch, nullptr);
  ASSERT_THAT(watch->WaitForOutput(
                  "waits for throttle: active_sessions is [0-9.]+, limit 0.01: (pauses|stays paused)",
                  absl::Seconds(60)),
              IsOk());
  EXPECT_THAT(CurlewOk({"rollout", "show", "r"}),
              AllOf(HasSubstr("tuned to  limit active_sessions 0.01"), HasSubstr("working   backfill-1"),
                    HasSubstr("throttle on staging: active_sessions is ")));
  EXPECT_NE(Query(conninfo_["staging"], "SELECT count(*) FROM contacts WHERE phone_number IS NULL"), "0");

  // The attempt is held over the death of the controller, and tuned again when its agent is back.
  controller_->Kill(SIGKILL);
  ASSERT_THAT(controller_->Wait(absl::Seconds(10)), IsOk());
  StartController();
  auto json = StartCurlew({"rollout", "watch", "r", "--until", "gate", "-o", "json"});
  ASSERT_NE(json, nullptr);
  ASSERT_THAT(json->WaitForOutput("WAIT_CAUSE_THROTTLE", absl::Seconds(60)), IsOk());
  EXPECT_THAT(CurlewOk({"rollout", "tune", "r", "--target", "staging", "--workers", "1", "--batch-target",
                        "5ms", "--limit", "active_sessions=off", "--reason", "a test"}),
              HasSubstr("staging: max_workers 1, batch_target 5ms, limit active_sessions off\n"));
  auto ended = json->Wait(absl::Seconds(120));
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(*ended, 0) << json->output();
  EXPECT_THAT(
      json->output(),
      HasSubstr("tuned to max_workers 1, batch_target 5ms, limit active_sessions off, by tester: a test"));
  int at_work = 0;
  for (const v1::Progress& progress : ProgressOf(json->output())) {
    if (progress.load().signal() != "active_sessions") ++at_work;
    EXPECT_EQ(progress.attempt(), ProgressOf(json->output()).front().attempt()) << "nothing was sent anew";
    EXPECT_LE(progress.workers_size(), 1) << progress.ShortDebugString();
  }
  EXPECT_GT(at_work, 0) << json->output();
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) || ' ' || count(DISTINCT id) FROM written"),
            "150000 150000");
  EXPECT_EQ(Query(conninfo_["staging"], "SELECT count(*) FROM contacts WHERE phone_number = '+' || phone"),
            "150000");
  EXPECT_EQ(Show("r").runs(0).tuning().max_workers(), 1);
}

// The application's own trigger refuses to fill these rows.
constexpr char kFrozen[] = R"(
  CREATE TABLE frozen (id bigint);
  INSERT INTO frozen VALUES (77), (140000);
  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.phone_number IS NOT NULL AND EXISTS (SELECT FROM frozen WHERE frozen.id = NEW.id) THEN RAISE EXCEPTION 'contact % is frozen', NEW.id; END IF;
    RETURN NEW; END $$;
  CREATE TRIGGER refuse BEFORE UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION refuse();)";

TEST_F(TuneTest, RowsThatCannotBeWrittenAreListedMendedAndAccepted) {
  StartAtGate(absl::StrCat(kContacts, kFrozen));
  EXPECT_EQ(Curlew({"rollout", "override", "r", "--reason", "too early"}).exit_code, 5);
  Approve("r");
  const CommandResult failed = Curlew({"rollout", "watch", "r"});
  EXPECT_EQ(failed.exit_code, 7) << failed.output;
  EXPECT_THAT(failed.output, HasSubstr("see the rows: curlew rollout rows r; to leave them as they are: "));
  const std::string rows = CurlewOk({"rollout", "rows", "r"});
  EXPECT_THAT(rows, AllOf(HasSubstr("(id)=(77)"), HasSubstr("(id)=(140000)"), HasSubstr("QUARANTINED"),
                          HasSubstr("P0001"), HasSubstr("contact 77 is frozen")));
  // One is mended, the other may stay.
  Query(conninfo_["staging"], "DELETE FROM frozen WHERE id = 77");
  EXPECT_THAT(
      CurlewOk({"rollout", "override", "r", "--reason", "a test account"}),
      AllOf(HasSubstr("may leave the rows that it could not write: overridden by tester: a test account"),
            HasSubstr("It goes on with: curlew rollout resume r")));
  CurlewOk({"rollout", "resume", "r"});
  const CommandResult watched = Curlew({"rollout", "watch", "r", "--until", "gate"});
  EXPECT_EQ(watched.exit_code, 0) << watched.output;
  const std::string settled = CurlewOk({"rollout", "rows", "r"});
  EXPECT_THAT(settled, AllOf(HasSubstr("MENDED"), HasSubstr("ACCEPTED"), Not(HasSubstr("QUARANTINED"))));
  EXPECT_EQ(
      Query(
          conninfo_["staging"],
          "SELECT string_agg(id::text, ',') FROM contacts WHERE phone_number IS DISTINCT FROM '+' || phone"),
      "140000");
}

}  // namespace
}  // namespace curlew
