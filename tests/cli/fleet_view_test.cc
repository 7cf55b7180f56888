#include "cli/fleet_view.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const ViewOptions kView = {{}, absl::UTCTimeZone(), absl::FromUnixSeconds(1'000'000'180), 100};

// One canary that is done, and 400 of which one failed, one is set aside and one held.
v1::Rollout Fleet() {
  v1::Rollout rollout = Parse<v1::Rollout>(R"pb(
    name: "rollouts/release-42"
    state: ROLLOUT_STATE_RUNNING
    create_time { seconds: 1000000000 }
    stages {
      environment: "environments/production"
      state: STAGE_STATE_RUNNING
      before { id: "production/before" }
      before_drop { id: "production/before-drop" }
      waves {
        name: "canary"
        targets: "p0"
        state: WAVE_STATE_BAKING
        bake { seconds: 600 }
        bake_until { seconds: 1000000300 }
      }
      waves {
        name: "rest"
        state: WAVE_STATE_RUNNING
        before { id: "production/rest/before" required_approvals: 1 }
      }
    })pb");
  for (int i = 0; i <= 400; ++i) {
    v1::Run& run = *rollout.add_runs();
    run.set_target(absl::StrCat("p", i));
    run.set_environment("environments/production");
    run.set_wave(i == 0 ? "canary" : "rest");
    run.set_state(i == 0 ? v1::RUN_STATE_READY_TO_DROP : v1::RUN_STATE_COMPILED);
    run.set_epoch(1);
    if (i > 0) rollout.mutable_stages(0)->mutable_waves(1)->add_targets(run.target());
  }
  rollout.mutable_runs(7)->set_state(v1::RUN_STATE_FAILED);
  rollout.mutable_runs(7)->mutable_error()->set_message("numbers collide");
  rollout.mutable_runs(8)->set_state(v1::RUN_STATE_RUNNING);
  rollout.mutable_runs(8)->set_set_aside(true);
  rollout.mutable_runs(8)->set_epoch(0);
  rollout.mutable_runs(9)->set_held_by("rollouts/release-41");
  return rollout;
}

TEST(FleetViewTest, CountsRunsByStateInEachWave) {
  ViewOptions wide = kView;
  wide.width = 0;
  EXPECT_THAT(
      RenderWaves(Fleet(), wide),
      AllOf(HasSubstr("  production   canary  BAKING         1  10m00s, 2m00s left  open"),
            HasSubstr("  production   rest    RUNNING      400  -                   not reached, 0 of 1 "
                      "approvals  1 FAILED, 1 RUNNING, 398 COMPILED; 1 set aside\n")));
}

TEST(FleetViewTest, ListsOnlyWhatNeedsAttention) {
  EXPECT_EQ(RenderAttention(Fleet(), kView),
            "\nNeeds attention\n"
            "  TARGET  ENVIRONMENT  STATE     STEP  WHY\n"
            "  p7      production   FAILED    -     numbers collide\n"
            "  p8      production   RUNNING   -     set aside: no agent serves it\n"
            "  p9      production   COMPILED  -     held by release-41\n");
  v1::Rollout bad = Fleet();
  for (v1::Run& run : *bad.mutable_runs()) run.set_state(v1::RUN_STATE_FAILED);
  const std::string text = RenderAttention(bad, kView);
  EXPECT_THAT(std::vector<std::string>(absl::StrSplit(text, '\n')), SizeIs(55)) << "fifty are enough";
  EXPECT_THAT(text, HasSubstr("  and 351 more: curlew rollout runs release-42 --attention\n"));
}

TEST(FleetViewTest, AFleetIsShownInAScreenful) {
  const std::string text = RenderRollout(Fleet(), kView);
  EXPECT_THAT(text,
              AllOf(HasSubstr("\nWaves\n"), HasSubstr("\nNeeds attention\n"),
                    HasSubstr("\nEach run: curlew rollout runs release-42\n"), Not(HasSubstr("Run on p1"))));
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 30);
}

TEST(FleetViewTest, ASmallPipelineHasNoWaves) {
  v1::Rollout rollout = Fleet();
  rollout.mutable_runs()->DeleteSubrange(1, 400);
  rollout.mutable_stages(0)->mutable_waves()->RemoveLast();
  rollout.mutable_stages(0)->mutable_waves(0)->clear_bake();
  EXPECT_THAT(RenderWaves(rollout, kView), IsEmpty());
  EXPECT_FALSE(IsFleet(rollout));
  EXPECT_THAT(RenderRollout(rollout, kView), HasSubstr("Run on p0 (production)"));
}

TEST(FleetViewTest, AttentionSaysWhatIsWrong) {
  const auto attention = [](const std::string& run) { return AttentionText(Parse<v1::Run>(run)); };
  EXPECT_EQ(attention("state: RUN_STATE_PENDING"), "") << "what has not begun needs no agent yet";
  EXPECT_EQ(attention("state: RUN_STATE_RUNNING epoch: 2"), "");
  EXPECT_EQ(attention("state: RUN_STATE_RUNNING"), "no agent serves it");
  EXPECT_EQ(attention("state: RUN_STATE_RUNNING set_aside: true epoch: 1"), "set aside: it is late");
  EXPECT_EQ(attention("state: RUN_STATE_SKIPPED skip { actor: 'ann' reason: 'moved' }"),
            "left out by ann: moved");
  EXPECT_EQ(attention("state: RUN_STATE_COMPILED preflight { findings { severity: PREFLIGHT_SEVERITY_ERROR "
                      "code: 'disk' message: 'full' } findings { severity: PREFLIGHT_SEVERITY_INFO } "
                      "estimate { seconds: 90 } }"),
            "preflight: 1 error, 1 note, takes about 1m30s");
  EXPECT_EQ(attention("state: RUN_STATE_FAILED error { message: \"a\\033b\\nc\" }"), "a?b c");
}

TEST(FleetViewTest, PreflightShowsWhatMattersAndWhatToDo) {
  const auto preflight = Parse<v1::Preflight>(R"pb(
    findings {
      severity: PREFLIGHT_SEVERITY_ERROR
      code: "disk"
      table: "public.t"
      message: "full"
      hint: "grow it"
    }
    findings { severity: PREFLIGHT_SEVERITY_INFO code: "version" message: "15.15" })pb");
  EXPECT_EQ(PreflightLines(preflight, Findings::kThatMatter, 2, {}),
            "  ERROR disk of public.t: full\n    what to do: grow it\n");
  EXPECT_THAT(PreflightLines(preflight, Findings::kAll, 0, {}), HasSubstr("\nINFO version: 15.15\n"));
}

}  // namespace
}  // namespace curlew::cli
