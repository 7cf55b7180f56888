#include "cli/gate_view.h"

#include "cli/cover_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const ViewOptions kView = {{}, absl::UTCTimeZone(), absl::FromUnixSeconds(1'000'000'180), 0};

v1::Rollout AtProduction() {
  return Parse<v1::Rollout>(R"pb(
    name: "rollouts/release-42"
    plan: "plans/rename-0123456789ab"
    plan_digest: "0123"
    stages {
      environment: "environments/staging"
      before { id: "staging/before" }
      waves {
        name: "all"
        targets: "s"
        before { id: "staging/all/before" }
      }
      before_drop { id: "staging/before-drop" }
    }
    stages {
      environment: "environments/production"
      before {
        id: "production/before"
        required_approvals: 2
        cover: "c0ffee"
        reached_time { seconds: 1000000000 }
        policy {
          approvals: 2
          approval_expires { seconds: 3600 }
          soak { seconds: 600 }
          windows {
            cron: "0 2 * * 1-5"
            duration { seconds: 7200 }
            time_zone: "Europe/Berlin"
          }
          checks {
            name: "errors"
            hold { seconds: 300 }
          }
        }
        approvals {
          actor: "bob"
          reason: "fine"
          time { seconds: 1000000060 }
          cover: "c0ffee"
          expire_time { seconds: 1000003660 }
        }
        approvals {
          actor: "cem"
          time { seconds: 1000000060 }
          void_reason: "it covered another schema of p1"
        }
        approvals {
          actor: "dan"
          time { seconds: 1000000000 }
          expire_time { seconds: 1000000120 }
        }
        checks {
          check: "errors"
          state: CHECK_STATE_FAILING
          since { seconds: 1000000150 }
          failures: 3
          message: "0.2 is not below 0.1"
          samples { value: "0.1" }
          samples { value: "0.2" }
        }
      }
      waves {
        name: "canary"
        targets: "p1"
        before { id: "production/canary/before" }
      }
      waves {
        name: "rest"
        targets: "p2"
        targets: "p3"
        before {
          id: "production/rest/before"
          policy { soak { seconds: 60 } }
        }
      }
      before_drop { id: "production/before-drop" required_approvals: 1 }
    }
    waiting { cause: WAIT_CAUSE_APPROVAL gate: "production/before" message: "1 more approval" }
    runs { target: "s" environment: "environments/staging" compiled_digest: "a" }
    runs { target: "p1" environment: "environments/production" compiled_digest: "b" }
    runs { target: "p2" environment: "environments/production" compiled_digest: "c" }
    runs {
      target: "p3"
      environment: "environments/production"
      preflight { findings { severity: PREFLIGHT_SEVERITY_WARNING code: "disk" message: "little room" } }
    })pb");
}

const v1::Gate& Before(const v1::Rollout& rollout) { return rollout.stages(1).before(); }

CompiledPlans Plans() {
  const auto plan = Parse<v1::CompiledPlan>(R"pb(
    plan_digest: "0123"
    schema_fingerprint: "f1"
    steps {
      key: "add-1"
      phase: PHASE_ADD
      title: "Add column b"
      action { execute_sql { statements: "ALTER TABLE public.t ADD COLUMN b text" } }
      locks { table: "public.t" mode: "AccessExclusiveLock" }
    })pb");
  v1::CompiledPlan elsewhere = plan;
  elsewhere.set_schema_fingerprint("f2");
  v1::CompiledPlan other = plan;
  other.mutable_steps(0)->mutable_action()->mutable_execute_sql()->set_statements(
      0, "ALTER TABLE public.t ADD COLUMN b varchar");
  return {{"a", plan}, {"b", elsewhere}, {"c", other}};
}

TEST(GateViewTest, GatesComeInTheOrderInWhichARolloutMeetsThem) {
  const v1::Rollout rollout = AtProduction();
  std::vector<std::string> ids;
  for (const v1::Gate* gate : GatesOf(rollout)) ids.push_back(gate->id());
  EXPECT_THAT(ids,
              ElementsAre("staging/before", "staging/all/before", "staging/before-drop", "production/before",
                          "production/canary/before", "production/rest/before", "production/before-drop"));
  EXPECT_EQ(FindGate(rollout, "production/rest/before")->id(), "production/rest/before");
  EXPECT_EQ(FindGate(rollout, "")->id(), "production/before") << "the one whose approval is waited for";
  EXPECT_EQ(FindGate(rollout, "production"), nullptr);
  EXPECT_EQ(StageOf(rollout, *FindGate(rollout, "production/rest/before"))->environment(),
            "environments/production");
}

TEST(GateViewTest, OnlyApprovalsThatCountAreCounted) {
  const v1::Rollout rollout = AtProduction();
  EXPECT_EQ(GateText(Before(rollout), kView.now), "closed, 1 of 2 approvals");
  EXPECT_EQ(GateText(rollout.stages(0).before(), kView.now), "open") << "there is nothing to it";
  EXPECT_EQ(GateText(rollout.stages(1).before_drop(), kView.now), "not reached, 0 of 1 approvals");
  EXPECT_EQ(GateText(rollout.stages(1).waves(1).before(), kView.now), "not reached") << "it soaks";
  v1::Gate opened = Before(rollout);
  *opened.mutable_open_time() = Parse<google::protobuf::Timestamp>("seconds: 1000000100");
  EXPECT_EQ(GateText(opened, kView.now), "open, 2 of 2 approvals") << "what opened it had not expired then";
}

TEST(GateViewTest, SaysWhyItIsClosedSinceWhenAndWhatOpensIt) {
  const v1::Rollout rollout = AtProduction();
  EXPECT_EQ(GateLines(rollout, Before(rollout), kView),
            "  production/before: approved by bob, 2001-09-09 01:47:40 (2m00s ago): fine; expires in 58m00s\n"
            "  production/before: the approval of cem, 2001-09-09 01:47:40 (2m00s ago), does not count any "
            "more: it covered another schema of p1\n"
            "  production/before: the approval of dan, 2001-09-09 01:46:40 (3m00s ago), has expired, "
            "2001-09-09 01:48:40 (1m00s ago)\n"
            "  production/before: closed, reached 2001-09-09 01:46:40 (3m00s ago)\n"
            "  production/before: needs 1 approval more: curlew rollout approve release-42 --gate "
            "production/before\n"
            "  production/before: soaks for 10m00s, 7m00s left\n"
            "  production/before: passes only in: 0 2 * * 1-5 (Europe/Berlin), for 2h00m\n"
            "  production/before: check errors: FAILING, for 30s, 3 times in a row: 0.2 is not below 0.1; "
            "measured 0.1, 0.2\n");
  EXPECT_THAT(GateLines(rollout, rollout.stages(0).before(), kView), IsEmpty());
}

TEST(GateViewTest, WhatWasSkippedIsNotWaitedForAndSaysWhoDidIt) {
  v1::Rollout rollout = AtProduction();
  v1::Gate& gate = *rollout.mutable_stages(1)->mutable_before();
  gate.mutable_skip()->set_actor("eve");
  gate.mutable_skip()->set_reason("incident");
  EXPECT_THAT(
      GateLines(rollout, gate, kView),
      AllOf(HasSubstr("soak, windows and checks need not hold: skipped by eve: incident"),
            HasSubstr("needs 1 approval more"), Not(HasSubstr("soaks")), Not(HasSubstr("passes only"))));
}

TEST(GateViewTest, AnApprovalCoversPlanTargetsStepsAndWhatDiffers) {
  const v1::Rollout rollout = AtProduction();
  const std::string text = RenderCover(rollout, Before(rollout), Plans(), kView);
  EXPECT_THAT(text, AllOf(HasSubstr("  plan      plans/rename-0123456789ab\n  digest    0123\n"
                                    "  targets   3 in production: p1, p2, p3\n  cover     c0ffee\n"),
                          HasSubstr("1 step ("), HasSubstr(") on p1:\n"),
                          HasSubstr("add-1  ACCESS EXCLUSIVE  -     -     Add column b"),
                          HasSubstr(") on p2:\n"), HasSubstr("not the steps that the first target ran:\n"),
                          HasSubstr("not compiled yet: p3\n"),
                          HasSubstr("  preflight on p3:\n    WARNING disk: little room\n")));
  // The same steps against another schema are the same steps.
  EXPECT_LT(text.find(") on p1:"), text.find("not the steps"));
  EXPECT_GT(text.find("not the steps"), text.find(") on p2:"));
  EXPECT_THAT(RenderCover(rollout, rollout.stages(1).waves(1).before(), Plans(), kView),
              AllOf(HasSubstr("targets   2 in production: p2, p3"), Not(HasSubstr("on p1"))));
}

TEST(GateViewTest, AGateByItselfSaysWhatItAsksFor) {
  const v1::Rollout rollout = AtProduction();
  const std::string text = RenderGate(rollout, Before(rollout), {}, kView);
  EXPECT_THAT(text,
              AllOf(HasSubstr("Gate production/before of release-42: closed, 1 of 2 approvals\n"
                              "  asks for  2 approvals, not of the author, good for 1h00m; soak 10m00s; "),
                    HasSubstr("check errors"), HasSubstr("  waits for approval: 1 more approval\n"),
                    HasSubstr("\nAn approval covers\n  plan ")));
}

TEST(GateViewTest, NamesFromElsewhereCannotSteerTheTerminal) {
  v1::Rollout rollout = AtProduction();
  v1::Gate& gate = *rollout.mutable_stages(1)->mutable_before();
  gate.set_id("\033[2Jproduction/before");
  gate.mutable_checks(0)->set_message("\033[2J");
  gate.mutable_checks(0)->mutable_samples(0)->set_value("\033[2J");
  gate.mutable_approvals(0)->set_actor("\033[2J");
  gate.mutable_approvals(1)->set_void_reason("\033[2J\n  production/before: approved by eve");
  gate.mutable_policy()->mutable_windows(0)->set_cron("\033[2J");
  rollout.mutable_runs(1)->set_target("\033[2J");
  rollout.mutable_runs(3)->mutable_preflight()->mutable_findings(0)->set_message("\033[2J");
  CompiledPlans plans = Plans();
  plans["b"].mutable_steps(0)->set_title("\033[2J");
  const std::string text = RenderGate(rollout, gate, plans, kView);
  EXPECT_THAT(text, AllOf(Not(HasSubstr("\033")), Not(HasSubstr("\n  production/before: approved by eve"))));
}

}  // namespace
}  // namespace curlew::cli
