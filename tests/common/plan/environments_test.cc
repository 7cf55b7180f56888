#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/canonical_json.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/plan/plan_reader.h"
#include "tests/support/status_matchers.h"

namespace curlew::plan {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kEnvironments[] = R"(
environments:
  - name: staging
    targets: [staging-crm, staging-billing]
    soak: 5m
  - name: production
    targets:
      - production-crm
    before: {approvals: 1}
    before_drop: {approvals: 2}
)";

v1::ApplyEnvironmentsRequest Request() { return *ReadEnvironments(kEnvironments, "env.yaml"); }

auto Refused(const std::string& what) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what));
}

TEST(ReadEnvironmentsTest, GivesNamesTheirCollectionAndPositions) {
  ASSERT_OK_AND_ASSIGN(const v1::ApplyEnvironmentsRequest request,
                       ReadEnvironments(kEnvironments, "env.yaml"));
  ASSERT_EQ(request.environments_size(), 2);
  EXPECT_EQ(request.environments(0).name(), "environments/staging");
  EXPECT_EQ(request.environments(0).position(), 0);
  EXPECT_THAT(request.environments(0).targets(), ElementsAre("staging-crm", "staging-billing"));
  EXPECT_EQ(base::FromProto(request.environments(0).soak()), absl::Minutes(5));
  EXPECT_EQ(request.environments(1).name(), "environments/production");
  EXPECT_EQ(request.environments(1).position(), 1);
  EXPECT_EQ(request.environments(1).before_drop().approvals(), 2);
}

TEST(ReadEnvironmentsTest, ReadsWhatToYamlWrote) {
  ASSERT_OK_AND_ASSIGN(const auto again, ReadEnvironments(ToYaml(Request()), "env.yaml"));
  EXPECT_EQ(again.SerializeAsString(), Request().SerializeAsString());
}

TEST(ReadEnvironmentsTest, AnErrorNamesFileLineAndColumn) {
  EXPECT_THAT(ReadEnvironments("environments:\n  - name: staging\n    targets: [a, b, a]\n", "env.yaml"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(StartsWith("env.yaml:3:21: environments[0].targets[2]: "),
                             HasSubstr("\"a\" stands in"))));
  EXPECT_THAT(ReadEnvironments("environments:\n  - nam: staging\n", "env.yaml"),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("env.yaml:2:5: unknown field")));
}

TEST(ValidateEnvironmentsTest, AcceptsTheSameOverTheWire) { EXPECT_OK(ValidateEnvironments(Request())); }

TEST(ValidateEnvironmentsTest, RefusesAnEmptyPipeline) {
  EXPECT_THAT(ValidateEnvironments({}), Refused("at least one environment"));
}

TEST(ValidateEnvironmentsTest, RefusesTheSameEnvironmentTwice) {
  auto request = Request();
  request.mutable_environments(1)->set_name("environments/staging");
  const absl::Status status = ValidateEnvironments(request);
  EXPECT_THAT(status, Refused("the environment \"staging\" stands in environments[0].name already"));
  EXPECT_EQ(base::Detail(status, base::kField), "environments[1].name");
}

TEST(ValidateEnvironmentsTest, RefusesATargetOfTwoEnvironments) {
  auto request = Request();
  request.mutable_environments(1)->add_targets("staging-billing");
  EXPECT_THAT(ValidateEnvironments(request),
              Refused("the target \"staging-billing\" stands in environments[0].targets[1]"));
}

TEST(ValidateEnvironmentsTest, RefusesAnEnvironmentWithoutTargets) {
  auto request = Request();
  request.mutable_environments(0)->clear_targets();
  EXPECT_THAT(ValidateEnvironments(request), Refused("\"staging\" needs at least one target"));
}

TEST(ValidateEnvironmentsTest, RefusesNamesThatAreNoIds) {
  for (const char* name :
       {"Staging", "stag ing", "staging/eu", "-staging", "staging-", "st\xc3\xa4ging", ""}) {
    auto request = Request();
    request.mutable_environments(0)->set_name(std::string("environments/") + name);
    EXPECT_THAT(ValidateEnvironments(request), Refused("lower-case letters, digits and dashes")) << name;
    request = Request();
    request.mutable_environments(0)->set_targets(0, name);
    EXPECT_THAT(ValidateEnvironments(request), Refused("lower-case letters, digits and dashes")) << name;
  }
  auto request = Request();
  request.mutable_environments(0)->set_targets(0, std::string(64, 'a'));
  EXPECT_THAT(ValidateEnvironments(request), Refused("1 to 63"));
}

TEST(ValidateEnvironmentsTest, OverTheWireANameHasItsCollection) {
  auto request = Request();
  request.mutable_environments(0)->set_name("staging");
  EXPECT_THAT(ValidateEnvironments(request), Refused("write \"environments/staging\""));
  request.mutable_environments(0)->clear_name();
  EXPECT_THAT(ValidateEnvironments(request), Refused("environments[0].name: is required"));
}

TEST(ValidateEnvironmentsTest, RefusesNumbersOutOfRange) {
  auto request = Request();
  request.mutable_environments(0)->mutable_before()->set_approvals(-1);
  EXPECT_THAT(ValidateEnvironments(request), Refused("environments[0].before.approvals: -1 is out of range"));
  request = Request();
  *request.mutable_environments(0)->mutable_soak() = base::ToProto(-absl::Seconds(1));
  EXPECT_THAT(ValidateEnvironments(request), Refused("environments[0].soak: -1s is out of range"));
  *request.mutable_environments(0)->mutable_soak() = base::ToProto(absl::Hours(24 * 366));
  EXPECT_THAT(ValidateEnvironments(request), Refused("environments[0].soak"));
}

// What is wrong with an environment of three targets that has `fields` too, from the field at fault on.
std::string Fault(const std::string& fields) {
  const auto read = ReadEnvironments(
      absl::StrCat("environments:\n  - name: fleet\n    targets: [a, b, c]\n", fields), "e.yaml");
  if (read.ok()) return "";
  EXPECT_TRUE(absl::IsInvalidArgument(read.status())) << read.status();
  EXPECT_THAT(base::Detail(read.status(), base::kField), StartsWith("environments[0]")) << read.status();
  const absl::string_view message = read.status().message();
  const size_t field = message.find(": environments[0]");
  if (field == absl::string_view::npos) return std::string(message);
  // "LINE: REST": the line of the file, and what comes behind "environments[0].".
  const std::vector<std::string> place = absl::StrSplit(message.substr(0, field), ':');
  return absl::StrCat(place.size() > 1 ? place[1] : "?", ": ", message.substr(field + 18));
}

TEST(ReadEnvironmentsTest, ReadsLabelsAndGivesThemBack) {
  constexpr char kLabelled[] = R"(
environments:
  - name: fleet
    targets: [a, b]
    labels:
      - targets: [a, b]
        labels: {region: eu, "team/owner": "yes", empty: ""}
      - targets: [a]
        labels:
          tier: canary
    waves:
      - {name: canary, labels: {tier: canary}}
      - {name: rest}
)";
  ASSERT_OK_AND_ASSIGN(const auto request, ReadEnvironments(kLabelled, "e.yaml"));
  const v1::Environment& fleet = request.environments(0);
  EXPECT_EQ(fleet.labels(0).labels().at("region"), "eu");
  EXPECT_EQ(fleet.labels(0).labels().at("team/owner"), "yes");
  EXPECT_EQ(fleet.labels(0).labels().at("empty"), "");
  EXPECT_EQ(fleet.waves(0).labels().at("tier"), "canary");
  ASSERT_OK_AND_ASSIGN(const auto again, ReadEnvironments(ToYaml(request), "e.yaml"));
  EXPECT_EQ(base::CanonicalJson(again), base::CanonicalJson(request));
}

TEST(ReadEnvironmentsTest, AMapOfLabelsIsReadStrictly) {
  EXPECT_THAT(Fault("    labels:\n      - targets: [a]\n        labels: [tier]\n"),
              HasSubstr("has to be a mapping"));
  EXPECT_THAT(Fault("    labels:\n      - targets: [a]\n        labels: {tier: x, tier: y}\n"),
              HasSubstr("\"tier\" is given twice"));
  EXPECT_THAT(Fault("    labels:\n      - targets: [a]\n        labels: {tier: }\n"),
              HasSubstr("has no value"));
  EXPECT_THAT(Fault("    labels:\n      - targets: [a]\n        labels: {tier: [x]}\n"),
              HasSubstr("has to be a single value"));
}

TEST(ReadEnvironmentsTest, AFileDoesNotSayWhoAppliesIt) {
  EXPECT_THAT(
      ReadEnvironments("environments: [{name: a, targets: [b]}]\nactor: me\n", "e.yaml"),
      StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("e.yaml:2:1: actor: is not for a file")));
}

struct Bad {
  const char* fields;
  const char* fault;  // line and field at fault, and the beginning of what is said of it
};

TEST(ValidateEnvironmentsTest, EachErrorNamesTheLineTheFieldTheValueAndWhatToWrite) {
  const Bad cases[] = {
      // Labels.
      {"    labels: [{targets: [d], labels: {x: y}}]",
       "4: labels[0].targets[0]: \"d\" is no target of the environment; "},
      {"    labels: [{labels: {x: y}}]", "4: labels[0].targets: needs at least one target"},
      {"    labels: [{targets: [a]}]", "4: labels[0].labels: needs at least one label"},
      {"    labels: [{targets: [a], labels: {\"a b\": c}}]",
       "4: labels[0].labels: \"a b\" is no name of a label; use 1 to 63 letters"},
      {"    labels: [{targets: [a], labels: {x: \"a\\nb\"}}]",
       "4: labels[0].labels.x: the value holds a control character"},
      {"    labels:\n      - {targets: [a], labels: {x: y}}\n      - {targets: [b, a], labels: {x: z}}",
       "6: labels[1].labels.x: the target \"a\" is given x: z, but environments[0].labels[0] gives it x: y"},
      // Waves.
      {"    waves: [{name: one, labels: {x: y}}]", "4: waves[0]: the wave \"one\" has no target"},
      {"    waves: [{name: one, count: 1}]", "4: waves: 2 targets are in no wave: b, c"},
      {"    waves: [{name: one, percent: 101}, {name: two}]",
       "4: waves[0].percent: 101 is out of range; give 1 to 100"},
      {"    waves: [{name: one, count: 1, percent: 1}, {name: two}]",
       "4: waves[0]: the wave \"one\" has more than one"},
      {"    waves:\n      - {name: one, count: 1}\n      - {name: one}",
       "6: waves[1].name: the wave \"one\" stands in"},
      {"    waves: [{name: one, count: 1, bake: -1s}, {name: two}]",
       "4: waves[0].bake: -1s is out of range; give 0 to"},
      {"    waves: [{name: one, before: {approvals: 101}}]",
       "4: waves[0].before.approvals: 101 is out of range; give 0 to 100"},
      // Numbers.
      {"    max_parallel: -1", "4: max_parallel: -1 is out of range; give 0 (all) or more"},
      {"    max_failed: -2", "4: max_failed: -2 is out of range; give 0 (none) or more"},
      {"    max_unavailable: -3", "4: max_unavailable: -3 is out of range; give 0 (none) or more"},
      {"    target_deadline: 9000h", "4: target_deadline: 9000h is out of range; give 0 to 8760h"},
      {"    on_unhealthy: rollback",
       "4: on_unhealthy: is never done, as the environment has no health checks"},
      // Gates.
      {"    before: {approvals: -1}", "4: before.approvals: -1 is out of range; give 0 to 100"},
      {"    before: {soak: -1s}", "4: before.soak: -1s is out of range; give 0 to 8760h"},
      {"    before: {approval_expires: 1h}", "4: before.approval_expires: 1h counts for nothing"},
      {"    before_drop: {soak: 8761h}", "4: before_drop.soak: 8761h is out of range; give 0 to 8760h"},
      // Windows and freezes.
      {"    before: {windows: [{cron: 0 0 31 2 *, duration: 1h}]}",
       "4: before.windows[0].cron: \"0 0 31 2 *\" never"},
      {"    before: {windows: [{cron: 0 25 * * *, duration: 1h}]}",
       "4: before.windows[0].cron: \"0 25 * * *\": "},
      {"    before: {windows: [{cron: 0 2 * * *}]}", "4: before.windows[0].duration: "},
      {"    before: {windows: [{cron: 0 2 * * *, duration: 1h, time_zone: Europe/Bonn}]}",
       "4: before.windows[0].time_zone: the time zone \"Europe/Bonn\" is not known"},
      {"    freezes: [{from: \"2026-12-20T00:00:00Z\", until: \"2026-12-20T00:00:00Z\"}]",
       "4: freezes[0].until: "},
      {"    freezes: [{from: yesterday, until: \"2026-12-20T00:00:00Z\"}]",
       "4: freezes[0].from: \"yesterday\" is no time; write it as"},
      {"    freezes: [{reason: x}]", "4: freezes[0]: give either from and until, or every"},
      {"    freezes:\n      - from: \"2026-12-20T00:00:00Z\"\n        until: \"2027-12-20T00:00:00Z\"\n"
       "        every: {cron: 0 0 * * *, duration: 1h}",
       "5: freezes[0]: give either from and until, or every"},
      // Checks.
      {"    health: [{name: one}]",
       "4: health[0]: the check \"one\" does not say how it is made; give it one of: agent, plan, "
       "prometheus, http, reported"},
      {"    health: [{http: {url: \"http://h\"}}]", "4: health[0].name: is required"},
      {"    health: [{name: One, http: {url: \"http://h\"}}]", "4: health[0].name: \"One\" is not 1 to 63"},
      {"    health:\n      - {name: one, http: {url: \"http://h\"}}\n      - {name: one, reported: {}}",
       "6: health[1].name: the check \"one\" stands in environments[0].health[0] already"},
      {"    health: [{name: one, agent: {}}]",
       "4: health[0].agent.name: is required: the name of a check in the agents'"},
      {"    health: [{name: one, plan: {}}]", "4: health[0].plan.name: is required"},
      {"    health: [{name: one, http: {}}]",
       "4: health[0].http.url: is required; write for example http://"},
      {"    health: [{name: one, http: {url: \"ftp://h/x\"}}]",
       "4: health[0].http.url: \"ftp://h/x\" is no address of http or https"},
      {"    health: [{name: one, http: {url: h/x}}]",
       "4: health[0].http.url: \"h/x\" is no address of http or https"},
      {"    health: [{name: one, http: {url: \"http:///x\"}}]",
       "4: health[0].http.url: \"http:///x\" has no host"},
      {"    health: [{name: one, http: {url: \"http://h:0/x\"}}]",
       "4: health[0].http.url: \"http://h:0/x\" has the port \"0\"; give 1 to 65535"},
      {"    health: [{name: one, http: {url: \"http://me:secret@h/x\"}}]",
       "4: health[0].http.url: \"http://me:secret@h/x\" holds a name or password"},
      {"    health: [{name: one, http: {url: \"http://h/{tagret}\"}}]",
       "4: health[0].http.url: \"http://h/{tagret}\" has braces that stand for nothing"},
      {"    health: [{name: one, http: {url: \"http://h/a b\"}}]",
       "4: health[0].http.url: \"http://h/a b\" holds white space"},
      {"    health: [{name: one, prometheus: {query: up}}]", "4: health[0].prometheus.url: is required"},
      {"    health: [{name: one, prometheus: {url: \"http://p:9090\", query: \" \"}}]",
       "4: health[0].prometheus.query: is required"},
      {"    health: [{name: one, reported: {expires: 0s}}]",
       "4: health[0].reported.expires: 0 is out of range; give 1s to 8760h, or leave it out for never"},
      {"    health: [{name: one, reported: {}, interval: 500ms}]",
       "4: health[0].interval: 500ms is out of range; give 1s to 1h, or leave it out for 30s"},
      {"    health: [{name: one, reported: {}, timeout: 6m}]",
       "4: health[0].timeout: 6m is out of range; give 100ms to 5m, or leave it out for 10s"},
      {"    health: [{name: one, reported: {}, interval: 2s, timeout: 3s}]",
       "4: health[0].timeout: 3s is longer than the interval (2s)"},
      {"    health: [{name: one, reported: {}, timeout: 31s}]",
       "4: health[0].timeout: 31s is longer than the interval (30s)"},
      {"    health: [{name: one, reported: {}, failure_threshold: 101}]",
       "4: health[0].failure_threshold: 101 is out of range; give 1 to 100, or leave it out for 3"},
      {"    health: [{name: one, reported: {}, hold: 1m}]", "4: health[0].hold: is for the checks of gates"},
      {"    before: {checks: [{name: one, reported: {}, failure_threshold: 2}]}",
       "4: before.checks[0].failure_threshold: is for the health"},
      {"    before: {checks: [{name: one, reported: {}, hold: 169h}]}",
       "4: before.checks[0].hold: 169h is out of range; give 0 to 168h"},
      {"    waves: [{name: one, before: {checks: [{name: one}]}}]",
       "4: waves[0].before.checks[0]: the check \"one\" does not say"},
  };
  for (const Bad& bad : cases) EXPECT_THAT(Fault(bad.fields), StartsWith(bad.fault)) << bad.fields;
}

TEST(ValidateEnvironmentsTest, AcceptsWhatIsRight) {
  for (const char* fields :
       {"    labels: [{targets: [a], labels: {x: y}}, {targets: [a, b], labels: {x: y, z: y}}]",
        "    waves: [{name: canary, count: 1}, {name: rest, percent: 100, before: {approvals: 1}}]",
        "    before: {approvals: 100, approval_expires: 72h, soak: 1s}",
        "    freezes: [{from: \"2020-01-01T00:00:00Z\", until: \"2020-01-02T00:00:00Z\"}]",
        "    health: [{name: one, http: {url: \"HTTPS://[::1]:8080/{environment}/{target}?a=b#c\"}}]",
        "    health: [{name: one, http: {url: \"http://{target}.internal\"}, interval: 1s}]",
        "    health: [{name: one, prometheus: {url: \"http://p\", query: 'up{db=\"{target}\"} > bool 0'}}]",
        "    before: {checks: [{name: one, agent: {name: lag}, hold: 5m, interval: 10s, timeout: 10s}]}",
        "    before: {checks: [{name: one, reported: {}}]}\n    health: [{name: one, reported: {}}]\n"
        "    on_unhealthy: pause"}) {
    EXPECT_EQ(Fault(fields), "") << fields;
  }
}

TEST(ValidateEnvironmentsTest, RefusesTooMuchOfAnything) {
  std::string checks, windows, freezes, labels;
  for (int i = 0; i < 101; ++i) {
    if (i < 21) absl::StrAppend(&checks, "{name: c", i, ", reported: {}}, ");
    if (i < 33) absl::StrAppend(&labels, "k", i, ": v, ");
    absl::StrAppend(&windows, "{cron: 0 0 * * *, duration: 1h}, ");
    absl::StrAppend(&freezes, "{every: {cron: 0 0 * * *, duration: 1h}}, ");
  }
  EXPECT_THAT(Fault(absl::StrCat("    health: [", checks, "]")),
              HasSubstr("21 checks are too many; give at most 20"));
  EXPECT_THAT(Fault(absl::StrCat("    before: {windows: [", windows, "]}")),
              HasSubstr("before.windows: 101 windows are too many; give at most 100"));
  EXPECT_THAT(Fault(absl::StrCat("    freezes: [", freezes, "]")),
              HasSubstr("freezes: 101 freezes are too many; give at most 100"));
  EXPECT_THAT(Fault(absl::StrCat("    labels: [{targets: [a], labels: {", labels, "}}]")),
              HasSubstr("33 labels are too many; give at most 32"));
}

TEST(ValidateEnvironmentsTest, RefusesActionsThatAreNone) {
  auto request = Request();
  request.mutable_environments(0)->set_on_failure(static_cast<v1::FailureAction>(9));
  EXPECT_THAT(ValidateEnvironments(request),
              Refused("on_failure: 9 is not known; give stop, continue or rollback"));
}

}  // namespace
}  // namespace curlew::plan
