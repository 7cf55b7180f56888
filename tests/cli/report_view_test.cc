// Reports, as they are filed, word for word. A change that is meant:
//   CURLEW_UPDATE_GOLDEN=1 build/tests/bin/cli_report_view_test     writes tests/cli/testdata/report.* anew
#include "cli/report_view.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const ViewOptions kView = {{}, absl::UTCTimeZone(), absl::FromUnixSeconds(1'000'010'000), 0};

// A bad canary: rolled back by policy, the others were never touched.
ReportData BadCanary() {
  ReportData data;
  data.rollout = Parse<v1::Rollout>(R"pb(
    name: "rollouts/release-42"
    plan: "plans/rename-0123456789ab"
    plan_digest: "0123456789ab"
    policy_digest: "9999"
    plan_author: "ann"
    creator: "ann"
    state: ROLLOUT_STATE_ROLLED_BACK
    reason: "check errors of production-1 fails"
    labels { key: "ticket" value: "4711" }
    labels { key: "commit" value: "4f2a9c1" }
    create_time { seconds: 1000000000 }
    end_time { seconds: 1000000600 }
    rollback_time { seconds: 1000000400 }
    stages {
      environment: "environments/production"
      state: STAGE_STATE_RUNNING
      before {
        id: "production/before"
        required_approvals: 1
        cover: "c0ffee"
        reached_time { seconds: 1000000010 }
        open_time { seconds: 1000000100 }
        approvals {
          actor: "bob"
          reason: "reviewed"
          time { seconds: 1000000050 }
          cover: "dead"
          void_reason: "it covered another schema"
        }
        approvals {
          actor: "cem"
          reason: "reviewed again"
          time { seconds: 1000000099 }
          cover: "c0ffee"
        }
        skip { actor: "eve" reason: "incident" }
      }
      before_drop { id: "production/before-drop" }
      waves {
        name: "canary"
        targets: "production-1"
        state: WAVE_STATE_BAKING
        before { id: "production/canary/before" }
      }
      waves {
        name: "rest"
        targets: "production-2"
        targets: "production-3"
        state: WAVE_STATE_PENDING
        before { id: "production/rest/before" }
      }
      health {
        check: "errors"
        target: "production-1"
        state: CHECK_STATE_FAILING
        since { seconds: 1000000390 }
        failures: 3
        message: "0.2 is not below 0.1"
        samples {
          time { seconds: 1000000390 }
          state: CHECK_STATE_FAILING
          value: "0.2"
        }
      }
    }
    runs {
      name: "rollouts/release-42/runs/production-1"
      target: "production-1"
      environment: "environments/production"
      wave: "canary"
      state: RUN_STATE_ROLLED_BACK
      epoch: 1
      compiled_digest: "d1"
      schema_fingerprint: "f1"
      start_time { seconds: 1000000110 }
      end_time { seconds: 1000000590 }
      preflight {
        findings {
          severity: PREFLIGHT_SEVERITY_WARNING
          code: "disk"
          table: "public.t"
          message: "12 GB free, the table has 10 GB"
          hint: "grow it"
        }
        estimate { seconds: 120 }
        time { seconds: 1000000005 }
      }
      steps {
        key: "add-1"
        phase: PHASE_ADD
        title: "Dump public.t"
        state: STEP_STATE_SUCCEEDED
        attempts: 1
        start_time { seconds: 1000000110 }
        end_time { seconds: 1000000120 }
        backups {
          kind: "dump"
          location: "/backups/release-42.dump"
          bytes: 12345
          sha256: "abcd"
          time { seconds: 1000000119 }
          restore_hint: "pg_restore --clean -d crm /backups/release-42.dump"
        }
      }
      steps {
        key: "add-2"
        phase: PHASE_ADD
        title: "Add column b | to public.t"
        state: STEP_STATE_UNDONE
        attempts: 3
        rows: 12345
        start_time { seconds: 1000000120 }
        end_time { seconds: 1000000300 }
        attempt { error { message: "lock not available" sqlstate: "55P03" } }
        waits: true
        override { actor: "bob" reason: "only the old report" }
      }
    }
    runs {
      name: "rollouts/release-42/runs/production-2"
      target: "production-2"
      environment: "environments/production"
      wave: "rest"
      state: RUN_STATE_COMPILED
      epoch: 1
      compiled_digest: "d1"
    }
    runs {
      target: "production-3"
      environment: "environments/production"
      wave: "rest"
      state: RUN_STATE_SKIPPED
      skip { actor: "eve" reason: "is being moved" }
    })pb");
  data.plans["d1"] = Parse<v1::CompiledPlan>(R"pb(
    compiler_version: "5"
    plan_digest: "0123456789ab"
    steps {
      key: "add-1"
      phase: PHASE_ADD
      title: "Dump public.t"
      action { backup { dump { tables: "public.t" } } }
    }
    steps {
      key: "add-2"
      phase: PHASE_ADD
      title: "Add column b | to public.t"
      action { execute_sql { statements: "ALTER TABLE public.t ADD COLUMN b text" } }
      undo { execute_sql { statements: "ALTER TABLE public.t DROP COLUMN b" } }
      locks { table: "public.t" mode: "AccessExclusiveLock" }
    }
    warnings: "the table is published")pb");
  data.events.push_back(
      Parse<v1::Event>("number: 1 time { seconds: 1000000000 } message: 'created' actor: 'ann'"));
  data.events.push_back(
      Parse<v1::Event>("number: 2 time { seconds: 1000000120 } target: 'production-1' phase: PHASE_ADD "
                       "message: 'add-1 done'"));
  return data;
}

void ExpectGolden(const std::string& text, const std::string& name) {
  const std::string path = CURLEW_SOURCE_DIR "/tests/cli/testdata/" + name;
  if (std::getenv("CURLEW_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ostringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(text, golden.str()) << path << ": where the change is meant, CURLEW_UPDATE_GOLDEN=1 writes it";
}

TEST(ReportViewTest, HoldsAllThatIsKnown) {
  const Document report = RolloutReport(BadCanary(), kView);
  ExpectGolden(report.Markdown(), "report.md");
  ExpectGolden(report.Html(), "report.html");
}

TEST(ReportViewTest, SaysWhatWasNeverTouched) {
  EXPECT_THAT(RolloutReport(BadCanary(), kView).Markdown(),
              HasSubstr("Never touched: 2 targets (production-2, production-3)."));
}

TEST(ReportViewTest, OfARolloutThatHasJustBegunThereIsLittleToSay) {
  ReportData data;
  data.rollout = Parse<v1::Rollout>("name: 'rollouts/r' state: ROLLOUT_STATE_RUNNING");
  EXPECT_THAT(RolloutReport(data, kView).Markdown(),
              AllOf(HasSubstr("# Rollout r: RUNNING\n"), Not(HasSubstr("Gates")), Not(HasSubstr("Events"))));
}

TEST(ReportViewTest, TheRestoreHintSaysWhatToDoInWhichOrder) {
  const v1::Rollout rollout = BadCanary().rollout;
  EXPECT_THAT(
      RenderRestoreHint(rollout, "", kView),
      AllOf(HasSubstr("In this order:\n  1. Stop the rollout: curlew rollout pause release-42"),
            HasSubstr("  2. Undo what can be undone, which loses no write: curlew rollout rollback "
                      "release-42."),
            HasSubstr("\nproduction-1 (production, ROLLED_BACK)\n"
                      "  1. dump of 2001-09-09 01:48:39 (add-1): /backups/release-42.dump, 12,345 bytes\n"
                      "     SHA-256 abcd\n"
                      "     pg_restore --clean -d crm /backups/release-42.dump\n")));
  EXPECT_THAT(RenderRestoreHint(rollout, "production-2", kView), IsEmpty());
  v1::Rollout hostile = rollout;
  hostile.mutable_runs(0)->mutable_steps(0)->mutable_backups(0)->set_restore_hint("a\033[2J\nb");
  EXPECT_THAT(RenderRestoreHint(hostile, "", kView),
              AllOf(HasSubstr("     a?[2J\n     b\n"), Not(HasSubstr("\033"))));
}

}  // namespace
}  // namespace curlew::cli
