// The agent without a controller: runs a compiled plan, or undoes it, on one database, with the agent's own
// admission, executors and journal. A run is resumed from the journal. For tests only.
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/executor/step_runner.h"
#include "agent/journal/names.h"
#include "agent/journal/takeover.h"
#include "agent/session/admission.h"
#include "common/base/canonical_json.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

constexpr char kTarget[] = "crm";
// As a shell reports a process that kill -9 has ended.
constexpr int kKilled = 137;

struct Flags {
  std::string conninfo;
  std::string plan;
  std::string run = "rollouts/r/runs/crm";
  std::string until = "end";
  bool undo = false;
  std::string crash_after, crash_in;
};

// A wait that lasts is worth a line; other progress is not.
class PrintingProgress : public ProgressSink {
 public:
  void Report(const v1::Progress& progress) override {
    const std::string& message = progress.waiting().message();
    if (!message.empty() && message != last_) std::printf("  waits: %s\n", message.c_str());
    last_ = message;
  }

 private:
  std::string last_;
};

// The place in the middle of a step at which it can be killed, and how often it is passed before.
std::pair<const char*, int> MiddleOf(const v1::Action& action) {
  switch (action.kind_case()) {
    case v1::Action::kExecuteSqlConcurrently:
      return {"concurrently.after_execute", 1};
    case v1::Action::kBackfill:
    case v1::Action::kTransformRows:
      return {"backfill.before_commit", 3};
    case v1::Action::kMeasure:
      return {"measure.before_commit", 1};
    case v1::Action::kBackup:
      return {"backup.before_commit", 1};
    default:
      return {"step.before_commit", 1};
  }
}

// Whether the step belongs to what runs until `until`. Plans are cut at the first step that does not.
bool Before(const std::string& until, const v1::Step& step) {
  if (until == "end") return true;
  if (until == "start") return false;
  if (step.stage() > 0) return false;
  return until == "backfill" ? step.phase() <= v1::PHASE_BACKFILL : step.phase() < v1::PHASE_DROP;
}

class PlanRunner {
 public:
  explicit PlanRunner(Flags flags) : flags_(std::move(flags)) {}

  absl::Status Run() {
    RETURN_IF_ERROR(Load());
    RETURN_IF_ERROR(Take());
    if (flags_.undo) return Undo();
    for (const v1::Step& step : plan_.steps()) {
      if (!Before(flags_.until, step)) return absl::OkStatus();
      RETURN_IF_ERROR(RunOne(step, v1::DIRECTION_DO));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Load() {
    std::ifstream file(flags_.plan);
    if (!file.good()) return absl::NotFoundError(absl::StrCat("cannot read ", flags_.plan));
    std::ostringstream text;
    text << file.rdbuf();
    const auto parsed = google::protobuf::util::JsonStringToMessage(text.str(), &plan_);
    if (!parsed.ok()) return absl::InvalidArgumentError(parsed.ToString());
    return absl::OkStatus();
  }

  absl::Status Take() {
    connect_.conninfo = flags_.conninfo;
    ASSIGN_OR_RETURN(
        tenure_,
        TakeOver(
            {.connect = connect_, .target = kTarget, .agent_id = "run_plan", .instance_id = instance_id_},
            cancel_));
    pg::PoolOptions pool;
    pool.connect = connect_;
    pool.connect.application_name = TargetApplicationName(kTarget);
    pool_ = std::make_unique<pg::Pool>(pool);
    lease_.SetLeaseTime(absl::Hours(1));
    lease_.Heard();
    return absl::OkStatus();
  }

  // What may have been begun, in the order of the controller's way back.
  absl::Status Undo() {
    ASSIGN_OR_RETURN(const int last, LastBegun());
    bool changed = false;
    for (int i = 0; i <= last; ++i) changed = changed || !plan_.steps(i).preflight();
    if (changed && plan_.has_rollback_gate()) {
      v1::Step gate = plan_.rollback_gate();
      gate.set_key(kRollbackGate);
      RETURN_IF_ERROR(RunOne(gate, v1::DIRECTION_UNDO));
    }
    for (int i = last; i >= 0; --i) {
      if (plan_.steps(i).has_undo()) RETURN_IF_ERROR(RunOne(plan_.steps(i), v1::DIRECTION_UNDO));
    }
    return absl::OkStatus();
  }

  // The step after the last one that was done counts: it may have stopped half-way.
  absl::StatusOr<int> LastBegun() {
    ASSIGN_OR_RETURN(const auto connection, pool_->Acquire());
    ASSIGN_OR_RETURN(const std::vector<StepRecord> records, ReadSteps(connection.get(), flags_.run));
    int last = -1;
    for (int i = 0; i < plan_.steps_size(); ++i) {
      for (const StepRecord& record : records) {
        if (record.step == plan_.steps(i).key() && record.direction == v1::DIRECTION_DO) last = i;
      }
    }
    if (last + 1 < plan_.steps_size() && plan_.steps(last + 1).phase() < v1::PHASE_DROP) ++last;
    return last;
  }

  absl::Status RunOne(const v1::Step& wanted, v1::Direction direction) {
    v1::Dispatch dispatch;
    dispatch.set_target(kTarget);
    dispatch.set_run(flags_.run);
    dispatch.set_step(wanted.key());
    dispatch.set_attempt(++attempts_);
    dispatch.set_direction(direction);
    dispatch.set_epoch(tenure_.epoch);
    dispatch.set_compiled_digest(base::CanonicalDigest(plan_));
    *dispatch.mutable_compiled_plan() = plan_;
    absl::StatusOr<Admission> admission;
    {
      ASSIGN_OR_RETURN(const auto connection, pool_->Acquire());
      admission = Admit(connection.get(), dispatch, instance_id_);
    }
    RETURN_IF_ERROR(admission.status());
    if (const auto* refusal = std::get_if<Refusal>(&*admission)) {
      return absl::FailedPreconditionError(
          absl::StrCat("step ", wanted.key(), " is refused: ", refusal->message));
    }
    if (std::holds_alternative<AlreadyDone>(*admission)) return absl::OkStatus();
    const Admitted& admitted = std::get<Admitted>(*admission);
    const v1::Action action = ActionFor(admitted.step, direction);
    if (flags_.crash_in == wanted.key()) {
      const auto [place, passes] = MiddleOf(action);
      base::FaultPlan::Get().Arm(place, passes, [] { _exit(kKilled); });
    }
    const RunContext context{.target = kTarget,
                             .attempt = {.run = flags_.run,
                                         .step = wanted.key(),
                                         .direction = direction,
                                         .attempt = attempts_,
                                         .epoch = tenure_.epoch,
                                         .instance_id = instance_id_},
                             .settings = admitted.settings,
                             .locks = LocksFor(admitted.step, direction),
                             .row_keys = RowKeys::kReport,
                             .pool = pool_.get(),
                             .connect = connect_,
                             .lease = &lease_,
                             .cancel = &cancel_,
                             .progress = &progress_};
    const absl::Time began = absl::Now();
    const Outcome outcome = RunStep(context, action);
    if (outcome.state != v1::ATTEMPT_STATE_SUCCEEDED) {
      return base::WithDetail(absl::AbortedError(absl::StrCat(
                                  direction == v1::DIRECTION_UNDO ? "undo of " : "", wanted.title(), ": ",
                                  outcome.error.message(), " [", outcome.error.sqlstate(), "]")),
                              base::kHint, outcome.error.hint());
    }
    std::printf("%s %s: %s (%s)\n", direction == v1::DIRECTION_UNDO ? "undone" : "done", wanted.key().c_str(),
                wanted.title().c_str(),
                absl::FormatDuration(absl::Floor(absl::Now() - began, absl::Milliseconds(1))).c_str());
    std::fflush(stdout);
    // A middle that was not passed (a backfill of two batches) is no crash: then it comes here.
    if (flags_.crash_after == wanted.key() || flags_.crash_in == wanted.key()) _exit(kKilled);
    return absl::OkStatus();
  }

  const Flags flags_;
  v1::CompiledPlan plan_;
  const std::string instance_id_ = absl::StrCat("run_plan-", getpid(), "-", absl::ToUnixNanos(absl::Now()));
  pg::ConnectOptions connect_;
  Tenure tenure_;
  std::unique_ptr<pg::Pool> pool_;
  LeaseClock lease_;
  CancelToken cancel_;
  PrintingProgress progress_;
  // Unique over the processes of a run, whose statements carry it: by the time.
  int attempts_ = static_cast<int>(absl::ToUnixMillis(absl::Now()) % 1'000'000'000);
};

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("Runs a compiled plan on a database, as an agent would.");
  app.add_option("--conninfo", flags.conninfo)->required();
  app.add_option("--plan", flags.plan, "the compiled plan, canonical JSON")->required();
  app.add_option("--run", flags.run, "the run's name");
  app.add_option("--until", flags.until)->check(CLI::IsMember({"start", "backfill", "gate", "end"}));
  app.add_flag("--undo", flags.undo);
  app.add_option("--crash-after", flags.crash_after, "end as by kill -9 once this step has committed");
  app.add_option("--crash-in", flags.crash_in, "the same in the middle of this step");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = PlanRunner(flags).Run();
  if (status.ok()) return 0;
  std::printf("error: %s\n  hint: %s\n", std::string(status.message()).c_str(),
              base::Detail(status, base::kHint).c_str());
  return 1;
}

}  // namespace
}  // namespace curlew::agent

int main(int argc, char** argv) { return curlew::agent::Main(argc, argv); }
