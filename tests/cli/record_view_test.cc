#include "cli/record_view.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const ViewOptions kView = {{}, absl::UTCTimeZone(), absl::FromUnixSeconds(1'000'000'180), 0};

v1::ListTargetRecordsResponse Records() {
  return Parse<v1::ListTargetRecordsResponse>(R"pb(
    records {
      target: "p1"
      number: 2
      time { seconds: 1000000120 }
      kind: TARGET_RECORD_KIND_SUCCEEDED
      rollout: "rollouts/release-42"
      plan: "plans/rename-0123456789ab"
      actor: "ann"
      labels { key: "ticket" value: "4711" }
      labels { key: "commit" value: "4f2a9c1" }
      start_time { seconds: 1000000000 }
    }
    records {
      target: "p1"
      number: 1
      time { seconds: 999999999 }
      kind: TARGET_RECORD_KIND_BASELINE
      actor: "bob"
      reason: "as it was"
    })pb");
}

TEST(RecordViewTest, HistorySaysWhoWhatWhenAndFromWhere) {
  EXPECT_THAT(
      RecordTable(Records().records(), kView).Render({}),
      AllOf(HasSubstr("#  WHEN                 WHAT       PLAN "),
            HasSubstr("\n2  2001-09-09 01:48:40  SUCCEEDED  rename-0123456789ab  release-42  2m00s  ann  "
                      "commit=4f2a9c1, ticket=4711\n"),
            HasSubstr("\n1  2001-09-09 01:46:39  BASELINE   - "), HasSubstr("-  bob  as it was\n")));
}

TEST(RecordViewTest, CurrentSaysWhatEachTargetHasAndWhetherItHasDrifted) {
  const auto targets = Parse<v1::ListTargetsResponse>(R"pb(
    targets { name: "targets/p1" environment: "environments/production" drift: "2 differences" }
    targets { name: "targets/p2" environment: "environments/production" })pb");
  EXPECT_EQ(CurrentTable(targets.targets(), {{"p1", Records().records(0)}}, kView).Render({}),
            "TARGET  ENVIRONMENT  PLAN                 ROLLOUT     SINCE  BY   ABOUT\n"
            "p1      production   rename-0123456789ab  release-42  1m00s  ann  DRIFT: 2 differences; "
            "commit=4f2a9c1, ticket=4711\n"
            "p2      production   -                    -           -      -    nothing is on record\n");
}

TEST(RecordViewTest, DriftSaysWhatDiffersAndItsStatusSaysSo) {
  auto response = Parse<v1::CompareSchemasResponse>(R"pb(
    comparisons { target: "p1" reference: "s1" }
    comparisons { target: "p2" reference: "s1" differences: "table public.t: column x is missing" }
    comparisons { target: "p3" reference: "s1" error: "no agent serves it" })pb");
  EXPECT_EQ(RenderDrift(response, {}),
            "p1 is as s1\n"
            "p2 differs from s1:\n  table public.t: column x is missing\n"
            "p3 could not be compared with s1: no agent serves it\n"
            "1 the same, 1 different, 1 not compared\n");
  EXPECT_EQ(DriftOutcome(response), ExitCode::kError);
  response.mutable_comparisons()->DeleteSubrange(1, 1);
  EXPECT_EQ(DriftOutcome(response), ExitCode::kPrecondition);
  response.mutable_comparisons()->RemoveLast();
  EXPECT_EQ(DriftOutcome(response), ExitCode::kOk);
}

TEST(RecordViewTest, NamesFromElsewhereCannotSteerTheTerminal) {
  v1::ListTargetRecordsResponse records = Records();
  records.mutable_records(0)->set_actor("\033[2J");
  records.mutable_records(1)->set_reason("\033[2J");
  (*records.mutable_records(0)->mutable_labels())["\033"] = "\033";
  EXPECT_THAT(RecordTable(records.records(), kView).Render({}), Not(HasSubstr("\033")));
  const auto response = Parse<v1::CompareSchemasResponse>(
      "comparisons { target: '\\033' reference: '\\033' differences: '\\033' } comparisons { error: '\\033' "
      "}");
  EXPECT_THAT(RenderDrift(response, {}), Not(HasSubstr("\033")));
}

}  // namespace
}  // namespace curlew::cli
