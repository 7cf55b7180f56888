#include "agent/guard/governor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"

namespace curlew::agent {
namespace {

using ::testing::HasSubstr;

const absl::Time kStart = absl::UnixEpoch();
constexpr absl::Duration kLook = absl::Milliseconds(250);

// Signals with the limit 100, so that values are per cent.
const SignalRules kRules = {
    {"load", {.limit = 100}},
    {"other", {.limit = 100}},
    {"lag", {.limit = 100, .when_stale = WhenStale::kPauses}},
    {"vacuum", {.limit = 100, .effect = Effect::kSheds}},
    {"disk", {.limit = 100, .effect = Effect::kBound}},
    {"off", {.limit = -1}},
};

Signal Fresh(const std::string& name, double value, absl::Time now) {
  return {.name = name, .value = value, .read = now};
}

// A governor that looks four times a second.
class Looks {
 public:
  explicit Looks(int max_workers, SignalRules rules = kRules) : governor_(std::move(rules), max_workers) {}

  absl::Time now() const { return now_; }
  Governor& governor() { return governor_; }
  // The next look, at signals that are all fresh.
  v1::Load At(const std::vector<std::pair<std::string, double>>& values) {
    std::vector<Signal> signals;
    for (const auto& [name, value] : values) signals.push_back(Fresh(name, value, now_));
    return With(signals);
  }
  v1::Load With(const std::vector<Signal>& signals) {
    const v1::Load load = governor_.Look(signals, now_);
    now_ += kLook;
    return load;
  }
  // Workers at each of the next looks, while "load" is at these values.
  std::vector<int> Workers(const std::vector<double>& values) {
    std::vector<int> workers;
    for (double value : values) workers.push_back(At({{"load", value}}).workers());
    return workers;
  }
  // With `workers` at work, and slow additions.
  static Looks Working(int workers, int max_workers) {
    Looks looks(max_workers);
    looks.At({{"load", 50}});
    while (looks.At({{"load", 10}}).workers() < workers) {
    }
    return looks;
  }

 private:
  Governor governor_;
  absl::Time now_ = kStart;
};

using Ints = std::vector<int>;

TEST(GovernorTest, BeginsWithOneWorkerAndIsAtItsMostSoonWhereTheDatabaseIsIdle) {
  EXPECT_EQ(Looks(4).Workers({0, 0, 0, 0, 0}), (Ints{1, 2, 3, 4, 4}));
  EXPECT_EQ(Looks(1).Workers({0, 0, 0}), (Ints{1, 1, 1}));
}

TEST(GovernorTest, AddsOneEachSecondOnceALookWasNotIdle) {
  EXPECT_EQ(Looks(4).Workers({0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 0}), (Ints{1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4}));
}

TEST(GovernorTest, FollowsTheTableOfUtilisations) {
  struct Row {
    double utilisation;
    int from;
    int to;
  };
  for (const Row& row : std::vector<Row>{{39, 2, 3},
                                         {40, 2, 2},
                                         {70, 2, 2},
                                         {70.1, 2, 1},
                                         {100, 2, 1},
                                         {100, 1, 1},
                                         {100.1, 2, 0},
                                         {100.1, 1, 0},
                                         {1000, 1, 0}}) {
    Looks looks = Looks::Working(row.from, 3);
    // Long after the last addition.
    for (int i = 0; i < 4; ++i) looks.At({{"load", 50}});
    EXPECT_EQ(looks.At({{"load", row.utilisation}}).workers(), row.to)
        << row.utilisation << " % with " << row.from;
  }
}

TEST(GovernorTest, TakesOneAwayAtEachLookAndNeverTheLast) {
  EXPECT_EQ(Looks::Working(4, 4).Workers({80, 80, 80, 80, 80}), (Ints{3, 2, 1, 1, 1}));
}

TEST(GovernorTest, PausesAtOnceAndGoesOnWithOneWorkerOnceItIsUnderNinety) {
  Looks looks = Looks::Working(4, 4);
  EXPECT_EQ(looks.Workers({101, 100, 95, 90, 89, 10, 10, 10, 10}), (Ints{0, 0, 0, 0, 1, 1, 1, 1, 2}));
}

TEST(GovernorTest, TheHighestRatioDecides) {
  Looks looks = Looks::Working(2, 3);
  const v1::Load load =
      looks.At({{"load", 50}, {"other", 120}, {"vacuum", 10}, {"unknown", 900}, {"off", 900}});
  EXPECT_EQ(load.signal(), "other");
  EXPECT_EQ(load.workers(), 0);
  EXPECT_EQ(load.utilisation(), 1.2);
  EXPECT_EQ(load.value(), 120);
  EXPECT_EQ(load.limit(), 100);
  EXPECT_EQ(load.reason(), "other is 120, limit 100: pauses");
}

TEST(GovernorTest, WritesNumbersAsPeopleDo) {
  for (const auto& [value, words] : std::vector<std::pair<double, std::string>>{
           {1812.6, "1813"}, {0.4567, "0.457"}, {12.34, "12.3"}, {3e9, "3000000000"}, {7, "7"}}) {
    Looks looks(1, {{"lag", {.limit = value}}});
    EXPECT_EQ(looks.At({{"lag", value}}).reason(),
              absl::StrCat("lag is ", words, ", limit ", words, ": 1 of 1 workers may work"));
  }
}

TEST(GovernorTest, SomeSignalsShedAndNeverPause) {
  Looks looks = Looks::Working(2, 3);
  EXPECT_EQ(looks.At({{"vacuum", 50}}).workers(), 2);
  EXPECT_EQ(looks.At({{"vacuum", 900}}).workers(), 1);
  EXPECT_EQ(looks.At({{"vacuum", 900}}).workers(), 1);
  EXPECT_EQ(looks.At({{"vacuum", 900}, {"load", 101}}).workers(), 0);
  EXPECT_EQ(looks.At({{"vacuum", 900}, {"load", 10}}).workers(), 1) << "nor keep paused";
}

TEST(GovernorTest, SomeSignalsCountOnlyAboveTheirLimit) {
  Looks looks(3);
  looks.At({{"disk", 100}});
  EXPECT_EQ(looks.At({{"disk", 100}}).workers(), 2);
  EXPECT_EQ(looks.At({{"disk", 100}}).workers(), 3);
  EXPECT_EQ(looks.At({{"disk", 100.5}}).workers(), 0);
  EXPECT_EQ(looks.At({{"disk", 99}}).workers(), 1);
}

TEST(GovernorTest, AStaleSignalAddsNoWorkerAndTheFreshOnesStillTakeAway) {
  Looks looks = Looks::Working(2, 4);
  const Signal stale = Fresh("load", 10, looks.now());
  for (int i = 0; i < 8; ++i) looks.At({{"other", 50}});
  EXPECT_EQ(looks.With({stale, Fresh("other", 10, looks.now())}).workers(), 3) << "2 s old: fresh enough";
  for (int i = 0; i < 6; ++i) {
    const v1::Load load = looks.With({stale, Fresh("other", 10, looks.now())});
    EXPECT_EQ(load.workers(), 3);
    EXPECT_EQ(load.signal(), "load");
    EXPECT_THAT(load.reason(), ::testing::MatchesRegex(
                                   "load could not be read for [23].*s: adds no worker, 3 of 4 may work"));
  }
  EXPECT_EQ(looks.With({stale, Fresh("other", 80, looks.now())}).workers(), 2);
  EXPECT_EQ(looks.With({stale, Fresh("other", 101, looks.now())}).workers(), 0);
  EXPECT_EQ(looks.With({stale, Fresh("other", 10, looks.now())}).workers(), 0) << "as it is: paused";
  EXPECT_EQ(looks.At({{"load", 10}, {"other", 10}}).workers(), 1);
}

TEST(GovernorTest, AStaleLagPausesUntilItIsRead) {
  Looks looks = Looks::Working(2, 4);
  Signal lag = Fresh("lag", 10, looks.now());
  lag.problem = "connection refused";
  looks.With({lag});
  for (int i = 0; i < 8; ++i) looks.At({{"load", 50}});
  const v1::Load load = looks.With({lag, Fresh("load", 0, looks.now())});
  EXPECT_EQ(load.workers(), 0);
  EXPECT_EQ(load.signal(), "lag");
  EXPECT_EQ(load.reason(), "lag could not be read for 2.2s (connection refused): pauses until it is read");
  EXPECT_EQ(looks.At({{"lag", 10}}).workers(), 1);
}

TEST(GovernorTest, ASignalThatWasNeverReadIsStale) {
  EXPECT_EQ(Looks(2).With({{.name = "load"}}).workers(), 1);
  EXPECT_THAT(Looks(2).With({{.name = "load"}}).reason(),
              HasSubstr("load could not be read yet: adds no worker"));
  EXPECT_EQ(Looks(2).With({{.name = "lag"}}).workers(), 0);
}

TEST(GovernorTest, WhatIsAbsentDoesNotCountAndNeverPauses) {
  Looks looks(2);
  const Signal absent = {.name = "lag", .value = 900, .read = looks.now(), .absent = true};
  EXPECT_EQ(looks.With({absent}).workers(), 1);
  EXPECT_EQ(looks.With({absent}).workers(), 2);
  EXPECT_THAT(looks.With({absent}).reason(), HasSubstr("no signal applies here"));
  for (int i = 0; i < 8; ++i) looks.At({{"load", 50}});
  EXPECT_EQ(looks.With({absent}).workers(), 2) << "stale, and there was no standby";
}

TEST(GovernorTest, NewLimitsAndWorkersHoldAtTheNextLook) {
  Looks looks = Looks::Working(4, 4);
  looks.governor().Set(kRules, 2);
  EXPECT_EQ(looks.At({{"load", 50}}).workers(), 2);
  SignalRules stricter = kRules;
  stricter["load"].limit = 40;
  looks.governor().Set(stricter, 2);
  EXPECT_EQ(looks.At({{"load", 50}}).workers(), 0);
  stricter["load"].limit = -1;
  looks.governor().Set(stricter, 2);
  EXPECT_EQ(looks.At({{"load", 50}}).workers(), 1);
}

TEST(SignalRulesTest, TheTuningGoesBeforeTheConfigurationAndThatBeforeTheDefaults) {
  ThrottleConfig config{.limits = {{"lock_waiters", 5}, {"archive_backlog", -1}},
                        .checks = {{.name = "queue", .sql = "SELECT 1", .limit = 10, .required = true}}};
  v1::Tuning tuning;
  (*tuning.mutable_limits())["lock_waiters"] = 7;
  (*tuning.mutable_limits())["queue"] = 20;
  (*tuning.mutable_limits())["nobody_knows_it"] = 1;
  const SignalRules rules = RulesFor(config, tuning);
  EXPECT_EQ(rules.at("lock_waiters").limit, 7);
  EXPECT_EQ(rules.at("archive_backlog").limit, -1);
  EXPECT_EQ(rules.at("replica_lag_ms").limit, DefaultLimits().at("replica_lag_ms"));
  EXPECT_EQ(rules.at("queue").limit, 20);
  EXPECT_EQ(rules.at("queue").when_stale, WhenStale::kPauses);
  EXPECT_FALSE(rules.contains("nobody_knows_it"));
}

TEST(SignalRulesTest, WhoIsNotBelievedMakesWalksNoLessCareful) {
  const ThrottleConfig config{.limits = {{"lock_waiters", 5}, {"archive_backlog", -1}},
                              .checks = {{.name = "queue", .sql = "SELECT 1", .limit = 10}}};
  const auto allowed = [&](const std::string& name, double limit) {
    v1::Tuning tuning;
    (*tuning.mutable_limits())[name] = limit;
    const auto limits = WithinOwnLimits(config, absl::Seconds(10), tuning).limits();
    return limits.contains(name) ? absl::StrCat(limits.at(name)) : "left out";
  };
  EXPECT_EQ(allowed("lock_waiters", 4), "4");
  EXPECT_EQ(allowed("lock_waiters", 0), "0");
  EXPECT_EQ(allowed("lock_waiters", 5), "5");
  EXPECT_EQ(allowed("lock_waiters", 5.5), "5");
  EXPECT_EQ(allowed("lock_waiters", -1), "5");
  EXPECT_EQ(allowed("lock_waiters", std::numeric_limits<double>::quiet_NaN()), "5");
  EXPECT_EQ(allowed("lock_waiters", std::numeric_limits<double>::infinity()), "5");
  EXPECT_EQ(allowed("queue", 11), "10");
  EXPECT_EQ(allowed("replica_lag_ms", -1), absl::StrCat(DefaultLimits().at("replica_lag_ms")));
  // What the configuration switches off may be switched on.
  EXPECT_EQ(allowed("archive_backlog", 7), "7");
  EXPECT_EQ(allowed("archive_backlog", -2), "-1");
  EXPECT_EQ(allowed("nobody_knows_it", 1), "left out");
  v1::Tuning tuning;
  tuning.set_max_workers(3);
  *tuning.mutable_batch_target() = base::ToProto(absl::Hours(1));
  tuning = WithinOwnLimits(config, absl::Seconds(10), tuning);
  EXPECT_EQ(tuning.max_workers(), 3);
  EXPECT_EQ(base::FromProto(tuning.batch_target()), absl::Seconds(10));
  *tuning.mutable_batch_target() = base::ToProto(-absl::Seconds(1));
  EXPECT_FALSE(WithinOwnLimits(config, absl::Seconds(10), tuning).has_batch_target());
  *tuning.mutable_batch_target() = base::ToProto(absl::Seconds(9));
  EXPECT_EQ(base::FromProto(WithinOwnLimits(config, absl::Seconds(10), tuning).batch_target()),
            absl::Seconds(9));
}

}  // namespace
}  // namespace curlew::agent
