// docs/rollout-states.md says what follows from each input in each state. Its tables are made here, by asking
// the machine; the test fails where the page says something else. CURLEW_WRITE_DOCS=1 writes them anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/proto_time.h"
#include "controller/rollout/machine.h"
#include "tests/controller/rollout/driver.h"

namespace curlew::rollout::testing {
namespace {

constexpr char kPage[] = CURLEW_SOURCE_DIR "/docs/rollout-states.md";

// A state, as a way to get there.
struct Column {
  std::string title;
  std::function<Driver()> make;
};
// An input.
struct Row {
  std::string title;
  std::function<absl::Status(Driver&)> apply;
};
// What a cell shows of a rollout.
using Show = std::function<std::string(const Driver&)>;

struct Table {
  std::string name;
  std::vector<Column> columns;
  std::vector<Row> rows;
  Show show;
};

std::string Commands(const Driver& driver) {
  std::vector<std::string> kinds;
  for (const Command& command : driver.last().commands) {
    const std::string text = Describe(command);
    const std::string kind = text.substr(0, text.find(' '));
    if (kinds.empty() || kinds.back() != kind) kinds.push_back(kind);
  }
  return kinds.empty() ? "" : absl::StrCat(" (", absl::StrJoin(kinds, ", "), ")");
}

std::string Cell(const Table& table, const Column& column, const Row& row) {
  Driver driver = column.make();
  const std::string before = table.show(driver);
  if (!row.apply(driver).ok()) return "refused";
  const std::string after = table.show(driver);
  const std::string commands = Commands(driver);
  return absl::StrCat(after == before ? (commands.empty() ? "·" : "stays") : after, commands);
}

std::string Render(const Table& table) {
  std::vector<std::string> titles, rules(table.columns.size() + 1, "---");
  for (const Column& column : table.columns) titles.push_back(column.title);
  std::string text =
      absl::StrCat("| | ", absl::StrJoin(titles, " | "), " |\n|", absl::StrJoin(rules, "|"), "|\n");
  for (const Row& row : table.rows) {
    std::vector<std::string> cells;
    for (const Column& column : table.columns) cells.push_back(Cell(table, column, row));
    absl::StrAppend(&text, "| ", row.title, " | ", absl::StrJoin(cells, " | "), " |\n");
  }
  return text;
}

// --- Inputs. ---

Row Give(std::string title, Input input) {
  return {std::move(title), [input = std::move(input)](Driver& driver) { return driver.Try(input); }};
}

// An end of the newest attempt on `target`, or of one `older`.
Row End(std::string title, std::string target, v1::AttemptState outcome, int older = 0) {
  return {std::move(title), [=](Driver& driver) {
            AttemptEnded input{
                .target = target, .attempt = driver.run(target).last_attempt() - older, .outcome = outcome};
            input.error.set_message("message");
            return driver.Try(input);
          }};
}

Row Wait(std::string title, absl::Duration duration) {
  return {std::move(title), [=](Driver& driver) {
            driver.Pass(duration);
            return absl::OkStatus();
          }};
}

const Row kPause = Give("pause", PauseAsked{"bob"});
const Row kResume = Give("resume", ResumeAsked{"bob"});
const Row kAbort = Give("abort", AbortAsked{"bob"});
const Row kRollback = Give("rollback", RollbackAsked{"bob"});
const Row kTune = Give("tune", [] {
  TuneAsked asked{.actor = "bob"};
  asked.tuning.set_max_workers(2);
  return asked;
}());
const Row kOverride = Give("override", OverrideAsked{"", "bob", "because"});

const Row kSkip = Give("skip", SkipAsked{"", "", "bob", "because"});

// An agent whose database has lost all that was done after the preflight.
Row WentBack(const std::string& target) {
  return Give("agent ready, its journal lacks all but `look`",
              AgentReady{.target = target, .epoch = 2, .journal = KnownJournal{.done = {"look"}}});
}

// --- States. ---

std::function<Driver()> Then(std::function<Driver()> make, std::function<void(Driver&)> more) {
  return [make = std::move(make), more = std::move(more)] {
    Driver driver = make();
    more(driver);
    return driver;
  };
}

// One environment with the targets a and b, both filling; no gates, no soak.
Driver Two() {
  v1::Environment environment;
  environment.set_name("environments/staging");
  environment.add_targets("a");
  environment.add_targets("b");
  Driver driver({environment});
  driver.Start();
  driver.CompileAll({"a", "b"});
  for (const std::string target : {"a", "b"}) {
    driver.RunTo(target, "fill");
    driver.Ack(target);
  }
  return driver;
}

// All of a is done (or undone), b is at its last attempt.
void NearlyThere(Driver& driver) {
  driver.RunTo("a", "bind");
  driver.Succeed("a");
  driver.RunTo("b", "bind");
  driver.Succeed("b");
  driver.Finish("a");
  driver.RunTo("b", "drop");
}

void TurnBack(Driver& driver) {
  driver.Apply(RollbackAsked{"bob"});
  driver.End("a", v1::ATTEMPT_STATE_CANCELLED);
  driver.End("b", v1::ATTEMPT_STATE_CANCELLED);
}

void NearlyBack(Driver& driver) {
  TurnBack(driver);
  driver.Finish("a");
  driver.RunTo("b", "add");
}

void FailA(Driver& driver) { driver.End("a", v1::ATTEMPT_STATE_FAILED, "message"); }

Table RolloutTable() {
  const auto name = [](const Driver& driver) {
    return v1::RolloutState_Name(driver.state().state()).substr(sizeof("ROLLOUT_STATE_") - 1);
  };
  return {"rollout",
          {{"RUNNING", Two},
           {"RUNNING, at its last step", Then(Two, NearlyThere)},
           {"PAUSED", Then(Two, [](Driver& d) { d.Apply(PauseAsked{"bob"}); })},
           {"FAILED", Then(Two, FailA)},
           {"ROLLING_BACK", Then(Two, TurnBack)},
           {"ROLLING_BACK, at its last step", Then(Two, NearlyBack)},
           {"FAILED in rolling back", Then(Then(Two, TurnBack), FailA)},
           {"ROLLED_BACK", Then(Then(Two, NearlyBack), [](Driver& d) { d.Finish("b"); })},
           {"ABORTED", Then(Two, [](Driver& d) { d.Apply(AbortAsked{"bob"}); })},
           {"SUCCEEDED", Then(Then(Two, NearlyThere), [](Driver& d) { d.Finish("b"); })}},
          {kPause, kResume, kAbort, kRollback, kOverride, kSkip, kTune,
           End("attempt SUCCEEDED", "b", v1::ATTEMPT_STATE_SUCCEEDED),
           End("attempt FAILED", "b", v1::ATTEMPT_STATE_FAILED),
           End("attempt ERRORED", "b", v1::ATTEMPT_STATE_ERRORED),
           End("attempt CANCELLED", "b", v1::ATTEMPT_STATE_CANCELLED), Give("agent lost", AgentLost{"b"}),
           Give("agent ready, holds nothing", AgentReady{.target = "b", .epoch = 2}), WentBack("b")},
          name};
}

Driver Soaking() {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.Finish("s");
  return driver;
}

Driver Filling(const std::string& step) {
  Driver driver;
  driver.Start();
  driver.Compile("s");
  driver.RunTo("s", step);
  return driver;
}

Driver AtDropGate() {
  Driver driver;
  driver.ToDropGate();
  return driver;
}

Driver Dropping() {
  Driver driver = AtDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.RunTo("s", "drop");
  return driver;
}

// The first stage, after `more` has happened.
Table StageTable(const std::string& name, const std::function<void(Driver&)>& more) {
  const auto at_gate = [] {
    std::vector<v1::Environment> environments = Staging();
    environments[0].mutable_before()->set_approvals(1);
    Driver driver(environments);
    driver.Start();
    driver.Compile("s");
    return driver;
  };
  const auto preparing = [] {
    Driver driver;
    driver.Start();
    return driver;
  };
  const auto show = [](const Driver& driver) {
    return v1::StageState_Name(driver.state().stages(0).state()).substr(sizeof("STAGE_STATE_") - 1);
  };
  return {
      name,
      {{"PREPARING", Then(preparing, more)},
       {"PREPARING, at the gate", Then(at_gate, more)},
       {"RUNNING, at the last step before DROP", Then([] { return Filling("bind"); }, more)},
       {"AT_DROP_GATE", Then(AtDropGate, more)},
       {"DROPPING, at the last step", Then(Dropping, more)},
       {"SOAKING", Then(Soaking, more)},
       {"DONE", Then(Soaking,
                     [more](Driver& d) {
                       d.Pass(absl::Minutes(10));
                       more(d);
                     })}},
      {Give("approval of the closed gate", Approved{"", "carol"}),
       Give("compiled", Compiled{.target = "s", .plan = RenamePlan(), .digest = "compiled"}),
       Give("compiled otherwise", Compiled{.target = "s", .plan = RenamePlan(), .digest = "other"}),
       End("attempt SUCCEEDED", "s", v1::ATTEMPT_STATE_SUCCEEDED), Wait("a second passes", absl::Seconds(1)),
       Wait("the soak time passes", absl::Minutes(10)), WentBack("s")},
      show};
}

CompileFailed CompileFailure(bool retriable) {
  CompileFailed input{.target = "s", .retriable = retriable};
  input.error.set_message("message");
  return input;
}

Compiled WithFinding(v1::PreflightSeverity severity) {
  Compiled input{.target = "s", .plan = RenamePlan(), .digest = "compiled"};
  v1::PreflightFinding& finding = *input.preflight.add_findings();
  finding.set_severity(severity);
  finding.set_code("disk");
  finding.set_message("no room");
  return input;
}

Table RunTable() {
  const auto show = [](const Driver& driver) {
    return v1::RunState_Name(driver.run("s").state()).substr(sizeof("RUN_STATE_") - 1);
  };
  const auto started = [] {
    Driver driver;
    driver.Start();
    return driver;
  };
  const auto pending = [] {
    Driver driver(Staging());
    driver.Apply(HoldersChanged{{{"s", "rollouts/earlier"}}});
    driver.Start();
    return driver;
  };
  const auto compiled = [] {
    std::vector<v1::Environment> environments = Staging();
    environments[0].mutable_before()->set_approvals(1);
    Driver driver(environments);
    driver.Start();
    driver.Compile("s");
    return driver;
  };
  const auto beginning = Then(compiled, [](Driver& d) { d.Apply(Approved{"", "bob"}); });
  const auto bind = [] { return Filling("bind"); };
  const auto back = [](const std::string& step) {
    return [step](Driver& d) {
      d.Apply(RollbackAsked{"bob"});
      d.End("s", v1::ATTEMPT_STATE_CANCELLED);
      d.RunTo("s", step);
    };
  };
  return {
      "run",
      {{"PENDING, held", pending},
       {"COMPILING", started},
       {"COMPILED", compiled},
       {"COMPILING once more", beginning},
       {"RUNNING, at the last step before DROP", bind},
       {"READY_TO_DROP", AtDropGate},
       {"DROPPING, at the last step", Dropping},
       {"SUCCEEDED", Soaking},
       {"FAILED, not compiled", Then(started, [](Driver& d) { d.Apply(CompileFailure(false)); })},
       {"FAILED", Then(bind, [](Driver& d) { d.End("s", v1::ATTEMPT_STATE_FAILED, "message"); })},
       {"ROLLING_BACK, at its last step", Then(bind, back("add"))},
       {"ROLLED_BACK", Then(Then(bind, back("add")), [](Driver& d) { d.Finish("s"); })},
       {"SKIPPED", Then(compiled,
                        [](Driver& d) {
                          d.Apply(TargetSkipped{"s", "bob", "because"});
                        })}},
      {Give("compiled", Compiled{.target = "s", .plan = RenamePlan(), .digest = "compiled"}),
       Give("compiled otherwise", Compiled{.target = "s", .plan = RenamePlan(), .digest = "other"}),
       Give("compiled, with differences",
            Compiled{
                .target = "s", .plan = RenamePlan(), .digest = "compiled", .differences = {"another step"}}),
       Give("compiled, preflight found an error", WithFinding(v1::PREFLIGHT_SEVERITY_ERROR)),
       Give("compilation failed, retriable", CompileFailure(true)),
       Give("compilation failed", CompileFailure(false)),
       End("attempt SUCCEEDED", "s", v1::ATTEMPT_STATE_SUCCEEDED),
       End("attempt FAILED", "s", v1::ATTEMPT_STATE_FAILED), Give("agent lost", AgentLost{"s"}),
       Give("agent ready, holds nothing", AgentReady{.target = "s", .epoch = 2}), WentBack("s"),
       Give("another rollout holds it", HoldersChanged{{{"s", "rollouts/earlier"}}}),
       Give("no other rollout holds it", HoldersChanged{}),
       Give("skip of the target", TargetSkipped{"s", "bob", "because"}), kResume, kRollback},
      show};
}

// Which states of attempts a table shows: those that an agent may be working on, or all.
enum class Columns { kSent, kAll };

// The newest attempt at "fill", the second one, after `more` has happened.
Table AttemptTable(const std::string& name, const std::function<void(Driver&)>& more, Columns which) {
  const auto errored = [] {
    Driver driver = Filling("fill");
    driver.End("s", v1::ATTEMPT_STATE_ERRORED, "message");
    return driver;
  };
  const auto leased = Then(errored, [](Driver& d) { d.Pass(absl::Seconds(1)); });
  const auto running = Then(leased, [](Driver& d) { d.Ack("s"); });
  const auto unknown = Then(running, [](Driver& d) { d.Apply(AgentLost{"s"}); });
  const auto end = [&](v1::AttemptState outcome) {
    return Then(Then(running, more), [outcome](Driver& d) { d.End("s", outcome, "message"); });
  };
  std::vector<Column> columns = {
      {"LEASED", Then(leased, more)}, {"RUNNING", Then(running, more)}, {"UNKNOWN", Then(unknown, more)}};
  if (which == Columns::kAll) {
    columns.insert(columns.begin(), {"QUEUED", errored});
    columns.push_back({"SUCCEEDED", end(v1::ATTEMPT_STATE_SUCCEEDED)});
    columns.push_back({"FAILED", end(v1::ATTEMPT_STATE_FAILED)});
  }
  const Row held = {"agent ready, holds it", [](Driver& driver) {
                      AgentReady ready{.target = "s", .epoch = 1};
                      ready.held = {driver.step("s", "fill").attempt().number()};
                      return driver.Try(ready);
                    }};
  const auto nack = [](std::string title, bool need_plan, bool invalid) {
    return Row{std::move(title), [=](Driver& driver) {
                 return driver.Try(AttemptNacked{.target = "s",
                                                 .attempt = driver.step("s", "fill").attempt().number(),
                                                 .need_plan = need_plan,
                                                 .invalid = invalid,
                                                 .message = "message"});
               }};
  };
  const auto ended = [](std::string title, v1::AttemptState outcome, int older = 0) {
    return Row{std::move(title), [=](Driver& driver) {
                 AttemptEnded input{.target = "s",
                                    .attempt = driver.step("s", "fill").attempt().number() - older,
                                    .outcome = outcome};
                 input.error.set_message("message");
                 return driver.Try(input);
               }};
  };
  std::vector<Row> rows = {
      {"acknowledged",
       [](Driver& driver) {
         return driver.Try(AttemptAcked{"s", driver.step("s", "fill").attempt().number()});
       }},
      nack("refused: lacks the plan", true, false),
      nack("refused: busy, another epoch, no lease", false, false),
      nack("refused: invalid", false, true),
      ended("ended SUCCEEDED", v1::ATTEMPT_STATE_SUCCEEDED),
      ended("ended FAILED", v1::ATTEMPT_STATE_FAILED),
      ended("ended ERRORED", v1::ATTEMPT_STATE_ERRORED),
      ended("ended CANCELLED", v1::ATTEMPT_STATE_CANCELLED),
      ended("an older one ended SUCCEEDED", v1::ATTEMPT_STATE_SUCCEEDED, 1),
      ended("an older one ended FAILED", v1::ATTEMPT_STATE_FAILED, 1),
      Give("agent lost", AgentLost{"s"}),
      held,
      {"tuned, then agent ready, holds it",
       [held](Driver& driver) {
         const absl::Status status = kTune.apply(driver);
         return status.ok() ? held.apply(driver) : status;
       }},
      Give("agent ready, does not hold it", AgentReady{.target = "s", .epoch = 2}),
      Wait("its time comes", absl::Minutes(1)),
  };
  for (const Row& row : {kPause, kResume, kRollback, kTune}) rows.push_back(row);
  const auto show = [](const Driver& driver) {
    const v1::Attempt& attempt = driver.step("s", "fill").attempt();
    return absl::StrCat(attempt.number() > 5 ? "another one " : "",
                        v1::AttemptState_Name(attempt.state()).substr(sizeof("ATTEMPT_STATE_") - 1));
  };
  return {name, columns, rows, show};
}

// The newest attempt at "drain", the first one, which waits before DROP; after `more` has happened.
Table WaitTable(const std::string& name, const std::function<void(Driver&)>& more) {
  const auto leased = Then(AtDropGate, [](Driver& d) { d.Apply(Approved{"", "bob"}); });
  const auto running = Then(leased, [](Driver& d) { d.Ack("s"); });
  const auto unknown = Then(running, [](Driver& d) { d.Apply(AgentLost{"s"}); });
  const auto end = [&](v1::AttemptState outcome) {
    return Then(running, [outcome](Driver& d) { d.End("s", outcome, "message"); });
  };
  const auto stopped = Then(running, [](Driver& d) {
    d.Apply(PauseAsked{"bob"});
    d.End("s", v1::ATTEMPT_STATE_CANCELLED);
  });
  const auto ended = [](std::string title, v1::AttemptState outcome) {
    return Row{std::move(title), [=](Driver& driver) {
                 AttemptEnded input{.target = "s", .attempt = 7, .outcome = outcome};
                 input.error.set_message("message");
                 return driver.Try(input);
               }};
  };
  const auto show = [](const Driver& driver) {
    const v1::Attempt& attempt = driver.step("s", "drain").attempt();
    return absl::StrCat(attempt.number() > 7 ? "another one " : "",
                        v1::AttemptState_Name(attempt.state()).substr(sizeof("ATTEMPT_STATE_") - 1),
                        attempt.with_override() ? " with it" : "");
  };
  return {name,
          {{"QUEUED", Then(end(v1::ATTEMPT_STATE_ERRORED), more)},
           {"LEASED", Then(leased, more)},
           {"RUNNING", Then(running, more)},
           {"UNKNOWN", Then(unknown, more)},
           {"CANCELLED, while PAUSED", Then(stopped, more)},
           {"FAILED", Then(end(v1::ATTEMPT_STATE_FAILED), more)}},
          {kOverride,
           {"acknowledged",
            [](Driver& driver) {
              return driver.Try(AttemptAcked{"s", 7});
            }},
           ended("ended SUCCEEDED", v1::ATTEMPT_STATE_SUCCEEDED),
           ended("ended FAILED", v1::ATTEMPT_STATE_FAILED),
           ended("ended ERRORED", v1::ATTEMPT_STATE_ERRORED),
           ended("ended CANCELLED", v1::ATTEMPT_STATE_CANCELLED),
           Give("agent lost", AgentLost{"s"}),
           Give("agent ready, holds it", AgentReady{.target = "s", .epoch = 1, .held = {7}}),
           Give("agent ready, does not hold it", AgentReady{.target = "s", .epoch = 2}),
           Wait("its time comes", absl::Minutes(1)),
           kPause,
           kResume},
          show};
}

// production of four targets: the wave "canary" of one, then "rest", two at a time; each bakes for an hour.
Driver Waves() {
  v1::Environment environment;
  environment.set_name("environments/production");
  for (const char* target : {"a", "b", "c", "d"}) environment.add_targets(target);
  environment.set_max_parallel(2);
  v1::WavePolicy& canary = *environment.add_waves();
  canary.set_name("canary");
  canary.set_count(1);
  *canary.mutable_bake() = base::ToProto(absl::Hours(1));
  v1::WavePolicy& rest = *environment.add_waves();
  rest.set_name("rest");
  *rest.mutable_bake() = base::ToProto(absl::Hours(1));
  environment.mutable_before_drop()->set_approvals(1);
  Driver driver({environment});
  driver.Start();
  driver.CompileAll({"a", "b", "c", "d"});
  return driver;
}

Table WaveTable() {
  const auto show = [](const Driver& driver) {
    std::vector<std::string> states;
    for (const v1::Wave& wave : driver.state().stages(0).waves()) {
      states.push_back(v1::WaveState_Name(wave.state()).substr(sizeof("WAVE_STATE_") - 1));
    }
    return absl::StrJoin(states, ", ");
  };
  const auto canary = Then(Waves, [](Driver& d) { d.RunTo("a", "bind"); });
  const auto baking = Then(canary, [](Driver& d) { d.Succeed("a"); });
  const auto rest = Then(baking, [](Driver& d) {
    d.Pass(absl::Hours(1));
    d.CompileAll({"b", "c", "d"});
    for (const char* target : {"b", "c"}) d.Finish(target);
    d.CompileAll({"d"});
    d.RunTo("d", "bind");
  });
  const auto ready = Then(rest, [](Driver& d) { d.Succeed("d"); });
  const auto dropping = Then(ready, [](Driver& d) {
    d.Pass(absl::Hours(1));
    d.Apply(Approved{"", "bob"});
    d.RunTo("a", "drop");
  });
  const auto baking_drop = Then(dropping, [](Driver& d) { d.Succeed("a"); });
  const auto dropping_rest = Then(baking_drop, [](Driver& d) {
    d.Pass(absl::Hours(1));
    for (const char* target : {"b", "c"}) d.Finish(target);
    d.RunTo("d", "drop");
  });
  const auto last = [](std::string title, v1::AttemptState outcome) {
    return Row{std::move(title), [outcome](Driver& driver) {
                 for (const char* target : {"a", "d"}) {
                   const v1::Run& run = driver.run(target);
                   if (run.last_attempt() == 0) continue;
                   AttemptEnded input{.target = target, .attempt = run.last_attempt(), .outcome = outcome};
                   input.error.set_message("message");
                   if (absl::Status status = driver.Try(input); !status.ok()) return status;
                   if (!driver.last().events.empty()) return absl::OkStatus();
                 }
                 return absl::OkStatus();
               }};
  };
  return {"wave",
          {{"the canary at its last step before DROP", canary},
           {"the canary bakes", baking},
           {"the rest at its last step before DROP", rest},
           {"the rest bakes", ready},
           {"the canary at its last step", dropping},
           {"the canary bakes after DROP", baking_drop},
           {"the rest at its last step", dropping_rest}},
          {last("attempt SUCCEEDED", v1::ATTEMPT_STATE_SUCCEEDED),
           last("attempt FAILED", v1::ATTEMPT_STATE_FAILED), Wait("a minute passes", absl::Minutes(1)),
           Wait("the bake time passes", absl::Hours(1)), WentBack("a")},
          show};
}

std::vector<Table> Tables() {
  const auto nothing = [](Driver&) {};
  const auto pause = [](Driver& driver) { driver.Apply(PauseAsked{"bob"}); };
  const auto rollback = [](Driver& driver) { driver.Apply(RollbackAsked{"bob"}); };
  const auto override_wait = [](Driver& driver) { driver.Apply(OverrideAsked{"", "bob", "because"}); };
  return {RolloutTable(),
          StageTable("stage", nothing),
          StageTable("stage-paused", pause),
          WaveTable(),
          RunTable(),
          AttemptTable("attempt", nothing, Columns::kAll),
          AttemptTable("attempt-paused", pause, Columns::kSent),
          AttemptTable("attempt-rolling-back", rollback, Columns::kSent),
          WaitTable("wait", nothing),
          WaitTable("wait-overridden", override_wait)};
}

std::string ReadPage() {
  std::ifstream file(kPage);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(StatesDocTest, ThePageSaysWhatTheMachineDoes) {
  std::string page = ReadPage();
  const bool write = std::getenv("CURLEW_WRITE_DOCS") != nullptr;
  for (const Table& table : Tables()) {
    const std::string begin = absl::StrCat("<!-- table: ", table.name, " -->\n");
    const std::string end = "<!-- end of table -->";
    const size_t from = page.find(begin);
    ASSERT_NE(from, std::string::npos) << kPage << " lacks the line " << begin;
    const size_t start = from + begin.size();
    const size_t stop = page.find(end, start);
    ASSERT_NE(stop, std::string::npos) << kPage << " lacks the line " << end << " after " << begin;
    const std::string is = Render(table);
    if (write) {
      page.replace(start, stop - start, is);
    } else {
      EXPECT_EQ(page.substr(start, stop - start), is)
          << "The table \"" << table.name << "\" of " << kPage
          << " is not what the machine does. If the machine is right: CURLEW_WRITE_DOCS=1 with this test.";
    }
  }
  if (write) std::ofstream(kPage) << page;
}

}  // namespace
}  // namespace curlew::rollout::testing
