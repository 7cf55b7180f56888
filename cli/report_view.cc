#include "cli/report_view.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/fleet_view.h"
#include "cli/gate_view.h"
#include "cli/names.h"
#include "cli/record_view.h"
#include "cli/sql_view.h"
#include "cli/steps_group.h"
#include "cli/units.h"
#include "common/base/proto_time.h"

namespace curlew::cli {
namespace {

using base::FromProto;
using Rows = std::vector<std::vector<std::string>>;

constexpr size_t kMostWaits = 10;

class Report {
 public:
  Report(const ReportData& data, const ViewOptions& options)
      : data_(data), rollout_(data.rollout), options_(options) {}

  Document Make() {
    Summary();
    Places();
    Steps();
    for (const v1::Run& run : rollout_.runs()) Run(run);
    Gates();
    Checks();
    Decisions();
    Longest();
    Events();
    return std::move(out_);
  }

 private:
  std::string At(const google::protobuf::Timestamp& time) const {
    return ShortTime(FromProto(time), options_.zone);
  }

  static std::string Between(const google::protobuf::Timestamp& from, const google::protobuf::Timestamp& to) {
    return ShortDuration(FromProto(to) - FromProto(from));
  }

  void Summary() {
    out_.AddHeading(1, absl::StrCat("Rollout ", Bare(rollout_.name()), ": ", Word(rollout_.state())));
    if (!rollout_.reason().empty()) out_.AddText(absl::StrCat("Reason: ", rollout_.reason()));
    Rows rows = {{"Plan", rollout_.plan()}, {"Digest of the plan", rollout_.plan_digest()}};
    const auto add = [&rows](const char* name, const std::string& value) {
      if (!value.empty()) rows.push_back({name, value});
    };
    add("Author of the plan", rollout_.plan_author());
    add("Digest of the policy", rollout_.policy_digest());
    add("Labels", LabelsText(rollout_.labels()));
    add("After", absl::StrJoin(rollout_.after(), ", "));
    add("Started", absl::StrCat(At(rollout_.create_time()), " by ", rollout_.creator()));
    if (rollout_.has_rollback_time()) add("Rollback asked for", At(rollout_.rollback_time()));
    if (rollout_.has_end_time()) {
      add("Ended", absl::StrCat(At(rollout_.end_time()), ", after ",
                                Between(rollout_.create_time(), rollout_.end_time())));
    }
    add("Report written",
        absl::StrCat(ShortTime(options_.now, options_.zone), ", time zone ", options_.zone.name()));
    out_.AddTable({"What", "Value"}, std::move(rows));
    std::vector<std::string> waits;
    for (const v1::Waiting& waiting : rollout_.waiting()) waits.push_back(WaitingText(waiting, options_.now));
    if (waits.empty()) return;
    out_.AddHeading(2, "Waits for");
    out_.AddList(std::move(waits));
  }

  void Places() {
    out_.AddHeading(2, "Where it stands");
    Rows rows;
    for (const v1::EnvironmentStage& stage : rollout_.stages()) {
      for (const v1::Wave& wave : stage.waves()) {
        const auto runs = RunsOf(rollout_, stage, wave);
        rows.push_back({Bare(stage.environment()), Word(stage.state()), wave.name(), Word(wave.state()),
                        absl::StrCat(runs.size()), CountRuns(runs, {})});
      }
      if (stage.waves().empty()) {
        rows.push_back({Bare(stage.environment()), Word(stage.state()), "", "", "", ""});
      }
    }
    out_.AddTable({"Environment", "State", "Wave", "State of the wave", "Targets", "Runs"}, std::move(rows));
    std::vector<std::string> untouched;
    for (const v1::Run& run : rollout_.runs()) {
      if (!run.has_start_time()) untouched.push_back(run.target());
    }
    if (!untouched.empty()) {
      out_.AddText(absl::StrCat("Never touched: ", untouched.size(),
                                untouched.size() == 1 ? " target (" : " targets (",
                                absl::StrJoin(untouched, ", "), ")."));
    }
  }

  void Steps() {
    std::vector<CompiledTarget> compiled;
    for (const v1::Run& run : rollout_.runs()) {
      if (const auto it = data_.plans.find(run.compiled_digest()); it != data_.plans.end()) {
        compiled.push_back({run.target(), &it->second});
      }
    }
    const std::vector<StepsGroup> groups = GroupBySteps(compiled);
    for (const StepsGroup& group : groups) {
      out_.AddHeading(
          2, groups.size() == 1 ? std::string("Steps") : absl::StrCat("Steps on ", ListNames(group.targets)));
      out_.AddText(absl::StrCat("Digest of the steps: ", group.digest, "; compiler ",
                                group.compiled.compiler_version(), "."));
      if (!group.differences.empty()) {
        out_.AddText("How they differ from the first:");
        out_.AddList(group.differences);
      }
      StepTable(group.compiled);
    }
  }

  void StepTable(const v1::CompiledPlan& compiled) {
    Rows rows;
    std::vector<std::string> sql;
    for (const v1::Step& step : compiled.steps()) {
      std::vector<std::string> locks;
      for (const v1::TableLock& lock : step.locks()) {
        locks.push_back(absl::StrCat(lock.table(), ": ", LockName(lock.mode())));
      }
      rows.push_back({step.key(), Word(step.phase()), step.title(), absl::StrJoin(locks, "; "),
                      step.rewrites() ? "rewrites"
                      : step.scans()  ? "scans"
                                      : "",
                      step.has_undo() ? "yes" : ""});
      sql.push_back(absl::StrCat("-- ", Printable(step.key())));
      for (std::string& statement : ActionSql(step.action())) sql.push_back(std::move(statement));
    }
    out_.AddTable({"Step", "Phase", "What", "Locks", "Cost", "Undo"}, std::move(rows));
    out_.AddCode("sql", absl::StrJoin(sql, "\n"));
    out_.AddList({compiled.warnings().begin(), compiled.warnings().end()});
  }

  void Run(const v1::Run& run) {
    out_.AddHeading(2, absl::StrCat("Target ", run.target(), ": ", Word(run.state())));
    std::vector<std::string> facts = {absl::StrCat("environment ", Bare(run.environment()),
                                                   run.wave().empty() ? "" : ", wave ", run.wave())};
    if (run.has_start_time()) {
      facts.push_back(absl::StrCat("began ", At(run.start_time()),
                                   run.has_end_time()
                                       ? absl::StrCat(", ended ", At(run.end_time()), ", took ",
                                                      Between(run.start_time(), run.end_time()))
                                       : ""));
    } else {
      facts.push_back("nothing was changed");
    }
    if (!run.compiled_digest().empty()) {
      facts.push_back(absl::StrCat("compiled plan ", run.compiled_digest()));
    }
    if (!run.schema_fingerprint().empty()) {
      facts.push_back(absl::StrCat("schema before ", run.schema_fingerprint()));
    }
    if (const std::string attention = AttentionText(run); !attention.empty()) facts.push_back(attention);
    if (run.has_error()) facts.push_back(ErrorText(run.error()));
    out_.AddList(std::move(facts));
    Preflight(run.preflight());
    RunSteps(run);
    Backups(run);
  }

  static std::string ErrorText(const v1::StepError& error) {
    std::string text = absl::StrCat("error: ", error.message());
    if (!error.sqlstate().empty() && !absl::StrContains(error.message(), error.sqlstate())) {
      absl::StrAppend(&text, " (SQLSTATE ", error.sqlstate(), ")");
    }
    if (!error.row_keys().empty()) absl::StrAppend(&text, "; rows: ", absl::StrJoin(error.row_keys(), ", "));
    return text;
  }

  void Preflight(const v1::Preflight& preflight) {
    Rows rows;
    for (const v1::PreflightFinding& finding : preflight.findings()) {
      rows.push_back(
          {Word(finding.severity()), finding.code(), finding.table(), finding.message(), finding.hint()});
    }
    if (!rows.empty() || preflight.has_estimate()) {
      out_.AddText(absl::StrCat("Preflight", preflight.has_time() ? " of " : "",
                                preflight.has_time() ? At(preflight.time()) : "", ": ",
                                rows.empty() ? absl::StrCat("nothing found; ", PreflightText(preflight))
                                             : PreflightText(preflight)));
    }
    out_.AddTable({"Severity", "Check", "Table", "Found", "What to do"}, std::move(rows));
  }

  void RunSteps(const v1::Run& run) {
    Rows rows;
    const auto add = [&](const v1::StepStatus& step) {
      std::vector<std::string> notes;
      if (step.has_override()) {
        notes.push_back(absl::StrCat(step.skippable() ? "skipped by " : "overridden by ",
                                     step.override().actor(), ": ", step.override().reason()));
      }
      if (step.in_doubt()) notes.push_back("the outcome of an attempt was never learnt");
      if (step.attempt().has_error()) notes.push_back(ErrorText(step.attempt().error()));
      rows.push_back(
          {step.key(), Word(step.phase()), step.title(), Word(step.state()),
           step.has_start_time() ? At(step.start_time()) : "",
           step.has_start_time() && step.has_end_time() ? Between(step.start_time(), step.end_time()) : "",
           step.attempts() == 0 ? "" : absl::StrCat(step.attempts()),
           step.rows() == 0 ? "" : FormatCount(step.rows()), absl::StrJoin(notes, "; ")});
    };
    for (const v1::StepStatus& step : run.steps()) add(step);
    if (run.has_rollback_gate() && run.rollback_gate().attempts() > 0) add(run.rollback_gate());
    out_.AddTable({"Step", "Phase", "What", "State", "Began", "Took", "Attempts", "Rows", "Notes"},
                  std::move(rows));
  }

  void Backups(const v1::Run& run) {
    Rows rows;
    for (const v1::StepStatus& step : run.steps()) {
      for (const v1::BackupResult& backup : step.backups()) {
        rows.push_back({backup.kind(), backup.location(),
                        backup.bytes() == 0 ? "" : FormatCount(backup.bytes()), backup.sha256(),
                        At(backup.time()), backup.restore_hint()});
      }
    }
    if (!rows.empty()) out_.AddText("Backups:");
    out_.AddTable({"Kind", "Where", "Bytes", "SHA-256", "Complete", "How to get back"}, std::move(rows));
  }

  void Gates() {
    Rows gates, approvals;
    for (const v1::Gate* gate : GatesOf(rollout_)) {
      gates.push_back({gate->id(), GateText(*gate, options_.now),
                       gate->has_reached_time() ? At(gate->reached_time()) : "",
                       gate->has_open_time() ? At(gate->open_time()) : "",
                       gate->has_reached_time() && gate->has_open_time()
                           ? Between(gate->reached_time(), gate->open_time())
                           : "",
                       gate->cover()});
      for (const v1::Approval& approval : gate->approvals()) {
        approvals.push_back({gate->id(), approval.actor(), At(approval.time()), approval.reason(),
                             !approval.void_reason().empty() ? absl::StrCat("no: ", approval.void_reason())
                             : approval.has_expire_time() ? absl::StrCat("until ", At(approval.expire_time()))
                                                          : "yes",
                             approval.cover()});
      }
    }
    if (!gates.empty()) out_.AddHeading(2, "Gates");
    out_.AddTable({"Gate", "State", "Reached", "Opened", "Waited", "Covers"}, std::move(gates));
    if (!approvals.empty()) out_.AddHeading(3, "Approvals");
    out_.AddTable({"Gate", "Who", "When", "Why", "Counts", "Covers"}, std::move(approvals));
  }

  void Checks() {
    Rows rows;
    const auto add = [&](const std::string& place, const v1::CheckStatus& check) {
      std::vector<std::string> samples;
      for (const v1::CheckSample& sample : check.samples()) {
        samples.push_back(absl::StrCat(FormatClock(FromProto(sample.time()), options_.zone), " ",
                                       Word(sample.state()), sample.value().empty() ? "" : " ",
                                       sample.value()));
      }
      rows.push_back({place, check.check(), check.target(),
                      check.state() == v1::CHECK_STATE_UNSPECIFIED ? "not made" : Word(check.state()),
                      check.has_since() ? At(check.since()) : "",
                      check.failures() == 0 ? "" : absl::StrCat(check.failures()), check.message(),
                      absl::StrJoin(samples, "; ")});
    };
    for (const v1::Gate* gate : GatesOf(rollout_)) {
      for (const v1::CheckStatus& check : gate->checks()) add(gate->id(), check);
    }
    for (const v1::EnvironmentStage& stage : rollout_.stages()) {
      for (const v1::CheckStatus& check : stage.health()) {
        add(absl::StrCat(Bare(stage.environment()), ", health"), check);
      }
    }
    if (!rows.empty()) out_.AddHeading(2, "Checks");
    out_.AddTable({"Where", "Check", "Target", "State", "Since", "Failures", "Seen", "Measured"},
                  std::move(rows));
  }

  void Decisions() {
    Rows rows;
    const auto add = [&rows](const std::string& where, const std::string& what, const v1::Override& by) {
      rows.push_back({where, what, by.actor(), by.reason()});
    };
    for (const v1::Gate* gate : GatesOf(rollout_)) {
      if (gate->has_skip()) add(gate->id(), "soak, windows and checks need not hold", gate->skip());
    }
    for (const v1::Run& run : rollout_.runs()) {
      if (run.has_skip()) add(run.target(), "left out", run.skip());
      const auto step_of = [&](const v1::StepStatus& step) {
        if (!step.has_override()) return;
        add(absl::StrCat(run.target(), ", ", step.key()),
            step.skippable() ? "skipped"
            : step.waits()   ? "need not wait"
                             : "rows that could not be written may stay",
            step.override());
      };
      for (const v1::StepStatus& step : run.steps()) step_of(step);
      step_of(run.rollback_gate());
    }
    if (!rows.empty()) out_.AddHeading(2, "Decisions of operators");
    out_.AddTable({"Where", "What", "Who", "Why"}, std::move(rows));
  }

  // Gates and steps that took longest.
  void Longest() {
    std::vector<std::pair<absl::Duration, std::string>> waits;
    for (const v1::Gate* gate : GatesOf(rollout_)) {
      if (!gate->has_reached_time() || !gate->has_open_time()) continue;
      waits.emplace_back(FromProto(gate->open_time()) - FromProto(gate->reached_time()),
                         absl::StrCat("gate ", gate->id()));
    }
    for (const v1::Run& run : rollout_.runs()) {
      for (const v1::StepStatus& step : run.steps()) {
        if (!step.has_start_time() || !step.has_end_time()) continue;
        waits.emplace_back(FromProto(step.end_time()) - FromProto(step.start_time()),
                           absl::StrCat(run.target(), ", ", step.key(), ", attempts: ", step.attempts()));
      }
    }
    std::stable_sort(waits.begin(), waits.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    if (waits.size() > kMostWaits) waits.resize(kMostWaits);
    Rows rows;
    for (const auto& [time, what] : waits) rows.push_back({what, ShortDuration(time)});
    if (!rows.empty()) out_.AddHeading(2, "What took longest");
    out_.AddTable({"What", "Took"}, std::move(rows));
  }

  void Events() {
    Rows rows;
    for (const v1::Event& event : data_.events) {
      rows.push_back({absl::StrCat(event.number()), At(event.time()), event.target(),
                      event.phase() == v1::PHASE_UNSPECIFIED ? "" : Word(event.phase()), event.message(),
                      event.actor()});
    }
    if (!rows.empty()) out_.AddHeading(2, "Events");
    if (rollout_.first_event() > 1) {
      out_.AddText(absl::StrCat("Events before number ", rollout_.first_event(), " are not kept any more."));
    }
    out_.AddTable({"Number", "Time", "Target", "Phase", "What", "Who"}, std::move(rows));
  }

  const ReportData& data_;
  const v1::Rollout& rollout_;
  const ViewOptions& options_;
  Document out_;
};

}  // namespace

Document RolloutReport(const ReportData& data, const ViewOptions& options) {
  return Report(data, options).Make();
}

std::string RenderRestoreHint(const v1::Rollout& rollout, const std::string& target,
                              const ViewOptions& options) {
  std::string out;
  for (const v1::Run& run : rollout.runs()) {
    if (!target.empty() && run.target() != target) continue;
    std::vector<std::pair<const v1::StepStatus*, const v1::BackupResult*>> backups;
    for (const v1::StepStatus& step : run.steps()) {
      for (const v1::BackupResult& backup : step.backups()) backups.emplace_back(&step, &backup);
    }
    if (backups.empty()) continue;
    absl::StrAppend(&out, out.empty() ? "" : "\n",
                    Paint(Printable(run.target()), Tone::kStrong, options.style), " (",
                    Printable(Bare(run.environment())), ", ", Word(run.state()), ")\n");
    int number = 0;
    for (const auto& [step, backup] : backups) {
      absl::StrAppend(&out, "  ", ++number, ". ", Printable(backup->kind()), " of ",
                      ShortTime(FromProto(backup->time()), options.zone), " (", Printable(step->key()),
                      "): ", Printable(backup->location()));
      if (backup->bytes() > 0) absl::StrAppend(&out, ", ", FormatCount(backup->bytes()), " bytes");
      if (!backup->sha256().empty()) absl::StrAppend(&out, "\n     SHA-256 ", Printable(backup->sha256()));
      out += '\n';
      if (!backup->restore_hint().empty()) {
        absl::StrAppend(&out, Indent(Printable(backup->restore_hint(), LineEnds::kKeep), 5), "\n");
      }
    }
  }
  if (out.empty()) return "";
  const std::string name = Printable(Bare(rollout.name()));
  return absl::StrCat(
      "In this order:\n"
      "  1. Stop the rollout: curlew rollout pause ",
      name,
      " --reason TEXT (or abort, for good).\n"
      "  2. Undo what can be undone, which loses no write: curlew rollout rollback ",
      name,
      ". Where that is enough, stop here.\n"
      "  3. Keep applications from writing to what is restored: rows written since the backup are lost.\n"
      "  4. Check a dump's SHA-256, then restore tables from it; or recover the whole server to a restore "
      "point."
      " One of them is enough; the newest that is from before the damage loses least.\n"
      "  5. Tell Curlew: curlew target baseline TARGET --reason TEXT, and abort the rollout.\n\n",
      out);
}

}  // namespace curlew::cli
