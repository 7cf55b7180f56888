#include "agent/session/target_server.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/executor/step_runner.h"
#include "agent/guard/signals.h"
#include "agent/journal/names.h"
#include "agent/journal/row_problems.h"
#include "agent/session/admission.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/pg/introspect.h"

namespace curlew::agent {
namespace {

// How often a request to stop is repeated while an attempt has not ended.
constexpr absl::Duration kCancelAgain = absl::Milliseconds(200);
// How often a lease that has run out is looked at, while the session still stands.
constexpr absl::Duration kLookAtLeaseAgain = absl::Milliseconds(200);

// How often an idle target is looked at.
constexpr absl::Duration kLookAfter = absl::Seconds(5);
// Of so many runs the controller is told what the journal has.
constexpr int kMostRunsTold = 16;
// How often an attempt's deadline is looked at: pauses are measured by a clock that people set.
constexpr absl::Duration kLookAtDeadline = absl::Seconds(1);
// How long a controller that is not believed may let a batch take: as long as operators may.
constexpr absl::Duration kLongestBatch = absl::Seconds(10);

absl::Duration Monotonic() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

TakeoverOptions ForTakeover(const TargetOptions& options) {
  return {.connect = options.pool.connect,
          .target = options.target,
          .agent_id = options.agent_id,
          .instance_id = options.instance_id};
}

pg::PoolOptions ForPool(const TargetOptions& options) {
  pg::PoolOptions pool = options.pool;
  pool.connect.application_name = TargetApplicationName(options.target);
  return pool;
}

// Whatever asks something that is no plan's does so as the role of checks.
TargetOptions WithCheckRole(TargetOptions options) {
  options.throttle.check_role = options.check_role;
  options.backups.role = options.check_role;
  return options;
}

// For people: what, and what to do.
std::string Words(const absl::Status& status) {
  const std::string hint = base::Detail(status, base::kHint);
  std::string words(status.message());
  if (!hint.empty()) {
    absl::StrAppend(&words, "; ", hint);
  } else if (absl::IsUnavailable(status)) {
    words += "; start the server, or correct the connection string given to the agent; it keeps trying";
  } else if (absl::IsPermissionDenied(status)) {
    words += "; check the role, its password and pg_hba.conf, and its rights (curlew-agent bootstrap-sql)";
  }
  return words;
}

}  // namespace

TargetServer::TargetServer(TargetOptions options, Outbox* outbox, const LeaseClock* lease)
    : options_(WithCheckRole(std::move(options))),
      takeover_(ForTakeover(options_)),
      outbox_(outbox),
      lease_(lease),
      metrics_(OrNobody(options_.agent_metrics)),
      pool_(ForPool(options_)),
      inspector_({.target = options_.target,
                  .connect = options_.pool.connect,
                  .checks = options_.checks,
                  .check_role = options_.check_role,
                  .backups = options_.backups,
                  .trust = options_.trust},
                 outbox),
      backoff_(options_.retry, random_),
      thread_([this] { Loop(); }) {}

TargetServer::~TargetServer() { Stop(); }

void TargetServer::Handle(v1::ControllerMessage message) {
  // Looks do not wait for what the target is busy with.
  if (message.has_run_check() || message.has_run_preflight()) return inspector_.Handle(std::move(message));
  absl::MutexLock lock(&mutex_);
  inputs_.push_back(std::move(message));
}

void TargetServer::SessionLost() {
  absl::MutexLock lock(&mutex_);
  inputs_.push_back(Lost{});
}

void TargetServer::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  stop_.Cancel("the agent stops");
  inspector_.Stop();
  if (thread_.joinable()) thread_.join();
}

bool TargetServer::Stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

std::optional<TargetServer::Input> TargetServer::NextInput() {
  absl::Time deadline = std::min(ready_at_, look_at_);
  if (running_ != nullptr && running_->cancelled()) deadline = std::min(deadline, absl::Now() + kCancelAgain);
  if (running_ != nullptr && stop_at_ != absl::InfiniteDuration()) {
    const absl::Duration left = std::clamp(stop_at_ - Monotonic(), absl::Milliseconds(1), kLookAtDeadline);
    deadline = std::min(deadline, absl::Now() + left);
  }
  pulse_->Rests();
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithDeadline(absl::Condition(this, &TargetServer::Woken), deadline);
  pulse_->Works();
  ended_ = false;
  if (stopping_ || inputs_.empty()) return std::nullopt;
  Input input = std::move(inputs_.front());
  inputs_.pop_front();
  return input;
}

void TargetServer::Loop() {
  metrics_->TargetStands(options_.target, TargetCondition::kUnleased, 0);
  while (!Stopping()) {
    std::optional<Input> input = NextInput();
    if (running_ != nullptr) {
      CheckDeadline();
      if (running_->outcome().has_value()) {
        Finish();
      } else if (running_->cancelled()) {
        running_->Cancel("");
      }
    }
    if (input.has_value()) {
      if (const auto* message = std::get_if<v1::ControllerMessage>(&*input)) {
        switch (message->kind_case()) {
          case v1::ControllerMessage::kLease:
            On(message->lease());
            break;
          case v1::ControllerMessage::kDispatch:
            On(message->dispatch());
            break;
          case v1::ControllerMessage::kCancel:
            On(message->cancel());
            break;
          case v1::ControllerMessage::kTune:
            On(message->tune());
            break;
          case v1::ControllerMessage::kReportSchema:
            On(message->report_schema());
            break;
          case v1::ControllerMessage::kReportRowProblems:
            On(message->report_row_problems());
            break;
          case v1::ControllerMessage::kResultAck:
            results_.erase(std::make_pair(message->result_ack().run(), message->result_ack().attempt()));
            break;
          case v1::ControllerMessage::kRunCheck:
          case v1::ControllerMessage::kRunPreflight:
          case v1::ControllerMessage::kWelcome:
          case v1::ControllerMessage::kReconnect:
          case v1::ControllerMessage::kHeartbeat:
          case v1::ControllerMessage::KIND_NOT_SET:
            break;
        }
      } else {
        granted_ = false;
        ready_at_ = absl::InfiniteFuture();
        metrics_->TargetStands(options_.target, TargetCondition::kUnleased, 0);
      }
    }
    if (absl::Now() >= look_at_ && !Stopping()) LookAfter();
    if (absl::Now() >= ready_at_ && !Stopping()) BecomeReady();
  }
  Abandon();
  pulse_->Rests();
}

void TargetServer::On(const v1::Lease& lease) {
  spdlog::info(base::WithFields("lease", {{"target", options_.target},
                                          {"state", v1::LeaseState_Name(lease.state())},
                                          {"reason", lease.reason()}}));
  granted_ = lease.state() == v1::LEASE_STATE_GRANTED;
  if (granted_) {
    just_granted_ = true;
    backoff_.Reset();
    ready_at_ = absl::Now();
    return;
  }
  problem_ = absl::StrCat("the lease was not given: ", lease.reason());
  ready_at_ = absl::InfiniteFuture();
  metrics_->TargetStands(options_.target, TargetCondition::kUnleased, 0);
  Abandon();
}

void TargetServer::On(const v1::Dispatch& dispatch) {
  const Pulse::Elsewhere asks_the_database(pulse_.get());
  if (!tenure_.has_value()) return Refuse(dispatch, v1::NACK_REASON_WRONG_EPOCH, problem_);
  if (dispatch.epoch() != tenure_->epoch) {
    return Refuse(
        dispatch, v1::NACK_REASON_WRONG_EPOCH,
        absl::StrCat("the command is for epoch ", dispatch.epoch(), ", this agent's is ", tenure_->epoch));
  }
  if (in_doubt_) {
    return Refuse(dispatch, v1::NACK_REASON_WRONG_EPOCH, "how the attempt before has ended is not known yet");
  }
  if (running_ != nullptr) {
    if (running_->Is(dispatch.run(), dispatch.attempt())) return Acknowledge(dispatch);
    // A run has one attempt at a time: who sends a later one has given this one up. They crossed, it and the
    // word that this agent is ready and holds nothing.
    if (running_->dispatch().run() == dispatch.run() && running_->dispatch().attempt() < dispatch.attempt()) {
      running_->Cancel(absl::StrCat("superseded by attempt ", dispatch.attempt()));
    }
    return Refuse(dispatch, v1::NACK_REASON_BUSY,
                  absl::StrCat("attempt ", running_->dispatch().attempt(), " of ", running_->dispatch().run(),
                               " is running"));
  }
  if (const auto held = results_.find({dispatch.run(), dispatch.attempt()}); held != results_.end()) {
    Acknowledge(dispatch);
    v1::AgentMessage message;
    *message.mutable_result() = held->second;
    return outbox_->Push(std::move(message));
  }
  if (!granted_ || !lease_->Valid()) {
    return Refuse(dispatch, v1::NACK_REASON_NO_LEASE, "the lease has run out");
  }
  const auto connection = pool_.Acquire();
  const absl::StatusOr<Admission> admission =
      connection.ok() ? Admit(connection->get(), dispatch, options_.instance_id,
                              options_.trust.has_value() ? &*options_.trust : nullptr)
                      : absl::StatusOr<Admission>(connection.status());
  if (!admission.ok()) {
    if (IsFencedOut(admission.status())) {
      ready_at_ = absl::Now();
      return Refuse(dispatch, v1::NACK_REASON_WRONG_EPOCH, std::string(admission.status().message()));
    }
    Acknowledge(dispatch);
    return Conclude(
        dispatch,
        FromStatus(base::Annotate(admission.status(), absl::StrCat("target ", options_.target)), stop_));
  }
  if (const auto* refusal = std::get_if<Refusal>(&*admission)) {
    if (refusal->reason == v1::NACK_REASON_INVALID && (refusal->run_was_unknown || !IsSameDatabase())) {
      // What the journal lacks, it may have lost: the controller is told what it has, and decides anew.
      ready_at_ = absl::Now();
      return Refuse(dispatch, v1::NACK_REASON_WRONG_EPOCH, refusal->message);
    }
    return Refuse(dispatch, refusal->reason, refusal->message);
  }
  if (const auto begun = newest_begun_.find(dispatch.run()); std::holds_alternative<Admitted>(*admission) &&
                                                             begun != newest_begun_.end() &&
                                                             dispatch.attempt() <= begun->second) {
    return Refuse(dispatch, v1::NACK_REASON_INVALID,
                  absl::StrCat("attempt ", dispatch.attempt(), " is an old one: attempt ", begun->second,
                               " of the run was begun already"));
  }
  Acknowledge(dispatch);
  if (const auto* done = std::get_if<AlreadyDone>(&*admission))
    return Conclude(dispatch, Succeeded({.rows = done->rows, .summary = "", .backups = done->backups}));
  const Admitted& admitted = std::get<Admitted>(*admission);
  Start(dispatch, admitted.step, admitted.settings);
}

void TargetServer::Start(const v1::Dispatch& dispatch, v1::Step step, v1::PlanSettings settings) {
  spdlog::info(base::WithFields("attempt begins", {{"target", options_.target},
                                                   {"run", dispatch.run()},
                                                   {"step", dispatch.step()},
                                                   {"attempt", absl::StrCat(dispatch.attempt())},
                                                   {"direction", v1::Direction_Name(dispatch.direction())}}));
  RunContext context{.target = options_.target,
                     .attempt = {.run = dispatch.run(),
                                 .step = dispatch.step(),
                                 .direction = dispatch.direction(),
                                 .attempt = dispatch.attempt(),
                                 .epoch = dispatch.epoch(),
                                 .instance_id = options_.instance_id},
                     .settings = std::move(settings),
                     .locks = LocksFor(step, dispatch.direction()),
                     .row_keys = options_.row_keys,
                     .throttle = &options_.throttle,
                     .backups = &options_.backups,
                     .metrics = options_.metrics,
                     .agent_metrics = options_.agent_metrics,
                     .pool = &pool_,
                     .connect = options_.pool.connect,
                     .lease = lease_};
  if (dispatch.has_override()) context.override_wait = dispatch.override();
  newest_begun_[dispatch.run()] = dispatch.attempt();
  out_of_time_ = false;
  stop_at_ =
      dispatch.has_deadline() ? Monotonic() + base::FromProto(dispatch.deadline()) : absl::InfiniteDuration();
  v1::Dispatch begun = dispatch;
  if (begun.has_tuning()) *begun.mutable_tuning() = Allowed(dispatch.tuning());
  running_ = std::make_unique<RunningAttempt>(std::move(begun), std::move(step), std::move(context), outbox_,
                                              [this] {
                                                absl::MutexLock lock(&mutex_);
                                                ended_ = true;
                                              });
}

void TargetServer::CheckDeadline() {
  // Whoever was stopped for another reason is CANCELLED.
  if (running_->cancelled() || Monotonic() < stop_at_) return;
  out_of_time_ = true;
  running_->Cancel(absl::StrCat("its deadline of ",
                                absl::FormatDuration(base::FromProto(running_->dispatch().deadline())),
                                " is over"));
}

void TargetServer::On(const v1::Cancel& cancel) {
  if (running_ != nullptr && running_->Is(cancel.run(), cancel.attempt())) running_->Cancel(cancel.reason());
}

void TargetServer::On(const v1::Tune& tune) {
  // An attempt that begins later comes with the tuning of its command.
  if (running_ == nullptr || running_->dispatch().run() != tune.run()) return;
  spdlog::info(base::WithFields("attempt is tuned", {{"target", options_.target},
                                                     {"run", tune.run()},
                                                     {"step", running_->dispatch().step()},
                                                     {"tuning", tune.tuning().ShortDebugString()}}));
  running_->Tune(Allowed(tune.tuning()));
}

v1::Tuning TargetServer::Allowed(const v1::Tuning& tuning) const {
  return options_.trust.has_value() ? WithinOwnLimits(options_.throttle, kLongestBatch, tuning) : tuning;
}

void TargetServer::On(const v1::ReportRowProblems& request) {
  const Pulse::Elsewhere asks_the_database(pulse_.get());
  v1::AgentMessage message;
  v1::RowProblemReport& report = *message.mutable_row_problem_report();
  report.set_request(request.request());
  report.set_target(options_.target);
  const absl::Status status = [&]() -> absl::Status {
    if (!tenure_.has_value()) return absl::UnavailableError(problem_);
    ASSIGN_OR_RETURN(const auto connection, pool_.Acquire());
    ASSIGN_OR_RETURN(RowProblems found, ReadRowProblems(connection.get(), request.run(), request.limit()));
    report.set_total(found.total);
    for (v1::RowProblem& problem : found.problems) {
      if (options_.row_keys == RowKeys::kWithhold) {
        // What PostgreSQL says of a row quotes its values.
        problem.clear_row_key();
        problem.clear_message();
      }
      *report.add_problems() = std::move(problem);
    }
    return absl::OkStatus();
  }();
  if (!status.ok()) report.set_error(absl::StrCat("target ", options_.target, ": ", Words(status)));
  outbox_->Push(std::move(message));
}

void TargetServer::On(const v1::ReportSchema& request) {
  const Pulse::Elsewhere asks_the_database(pulse_.get());
  v1::AgentMessage message;
  v1::SchemaReport& report = *message.mutable_schema_report();
  report.set_request(request.request());
  report.set_target(options_.target);
  const absl::Status status = [&]() -> absl::Status {
    if (!tenure_.has_value()) return absl::UnavailableError(problem_);
    ASSIGN_OR_RETURN(const auto connection, pool_.Acquire());
    ASSIGN_OR_RETURN(*report.mutable_schema(), pg::ReadSchema(connection.get(), request.scope()));
    if (report.schema().tables().empty()) return absl::OkStatus();
    const auto& names = request.scope().tables();
    const std::vector<std::string> tables(names.begin(), names.end());
    ASSIGN_OR_RETURN(const std::vector<v1::TableSize> sizes, pg::ReadSizes(connection.get(), tables));
    *report.mutable_sizes() = {sizes.begin(), sizes.end()};
    return absl::OkStatus();
  }();
  if (!status.ok()) {
    report.clear_schema();
    report.set_error(absl::StrCat("target ", options_.target, ": ", Words(status)));
  }
  outbox_->Push(std::move(message));
}

void TargetServer::Finish() {
  const std::unique_ptr<RunningAttempt> ended = std::move(running_);
  Outcome outcome = *ended->outcome();
  if (out_of_time_ && outcome.state == v1::ATTEMPT_STATE_CANCELLED) {
    outcome.state = v1::ATTEMPT_STATE_ERRORED;
    outcome.error.set_message(
        absl::StrCat("target ", options_.target, ", step ", ended->dispatch().step(),
                     ": stopped, as it took longer than its"
                     " deadline of ",
                     absl::FormatDuration(base::FromProto(ended->dispatch().deadline()))));
    outcome.error.set_hint(
        "look in pg_stat_activity and pg_locks for what it waits for; docs/failure-handling.md has the "
        "deadlines");
  }
  if (outcome.fenced_out || outcome.in_doubt) {
    spdlog::warn(base::WithFields(outcome.fenced_out ? "fenced out" : "outcome in doubt",
                                  {{"target", options_.target},
                                   {"run", ended->dispatch().run()},
                                   {"step", ended->dispatch().step()},
                                   {"attempt", absl::StrCat(ended->dispatch().attempt())},
                                   {"message", outcome.error.message()}}));
    in_doubt_ = outcome.in_doubt;
    if (granted_) ready_at_ = absl::Now();
    return;
  }
  if (outcome.database_unreachable && granted_) ready_at_ = absl::Now();
  Conclude(ended->dispatch(), outcome);
}

void TargetServer::Conclude(const v1::Dispatch& dispatch, const Outcome& outcome) {
  spdlog::info(base::WithFields("attempt ends", {{"target", options_.target},
                                                 {"run", dispatch.run()},
                                                 {"step", dispatch.step()},
                                                 {"attempt", absl::StrCat(dispatch.attempt())},
                                                 {"outcome", v1::AttemptState_Name(outcome.state)},
                                                 {"sqlstate", outcome.error.sqlstate()},
                                                 {"rows", absl::StrCat(outcome.rows)}}));
  v1::Result result;
  result.set_target(options_.target);
  result.set_run(dispatch.run());
  result.set_step(dispatch.step());
  result.set_attempt(dispatch.attempt());
  result.set_outcome(outcome.state);
  if (outcome.state != v1::ATTEMPT_STATE_SUCCEEDED) *result.mutable_error() = outcome.error;
  result.set_rows(outcome.rows);
  result.set_summary(outcome.summary);
  *result.mutable_backups() = {outcome.backups.begin(), outcome.backups.end()};
  results_[{dispatch.run(), dispatch.attempt()}] = result;
  base::FaultPoint("result.before_send");
  v1::AgentMessage message;
  *message.mutable_result() = std::move(result);
  outbox_->Push(std::move(message));
}

bool TargetServer::IsSameDatabase() {
  const auto connection = pool_.Acquire();
  const absl::StatusOr<bool> mine =
      connection.ok() ? StillMine(connection->get(), takeover_, *tenure_) : connection.status();
  if (mine.ok() && *mine) return true;
  spdlog::warn(base::WithFields(
      "the database is not what it was, or cannot be reached",
      {{"target", options_.target}, {"problem", mine.ok() ? "" : std::string(mine.status().message())}}));
  return false;
}

void TargetServer::LookAfter() {
  const Pulse::Elsewhere asks_the_database(pulse_.get());
  look_at_ = absl::Now() + kLookAfter;
  // Who is at work finds out by itself; who is about to become ready looks anyway.
  if (!tenure_.has_value() || !granted_ || running_ != nullptr || ready_at_ != absl::InfiniteFuture()) return;
  if (!IsSameDatabase()) ready_at_ = absl::Now();
}

void TargetServer::Abandon() {
  const Pulse::Elsewhere asks_the_database(pulse_.get());
  running_.reset();
  absl::MutexLock lock(&mutex_);
  ended_ = false;
}

void TargetServer::BecomeReady() {
  const Pulse::Elsewhere asks_the_database(pulse_.get());
  // Nobody else can have been given the target before the lease runs out.
  if (!lease_->Valid()) {
    ready_at_ = absl::Now() + kLookAtLeaseAgain;
    return;
  }
  ready_at_ = absl::InfiniteFuture();
  const absl::StatusOr<bool> mine = Secure();
  const absl::StatusOr<RunJournals> journals =
      mine.ok() && *mine ? ReadJournals() : absl::AbortedError("not mine");
  if (mine.ok() && *mine && journals.ok()) {
    backoff_.Reset();
    problem_.clear();
    metrics_->TargetStands(options_.target, TargetCondition::kReady, tenure_->epoch);
    look_at_ = absl::Now() + kLookAfter;
    return SayReady(*journals);
  }
  if (Stopping()) return;
  if (mine.ok() && !*mine) {
    granted_ = false;
    problem_ = "another agent has taken the target over";
    metrics_->TargetStands(options_.target, TargetCondition::kUnleased, 0);
    outbox_->Close();
    return;
  }
  problem_ = Words(mine.ok() ? journals.status() : mine.status());
  metrics_->TargetStands(options_.target, TargetCondition::kProblem, 0);
  const absl::Duration pause = backoff_.Next();
  ready_at_ = absl::Now() + pause;
  spdlog::warn(
      base::WithFields("target cannot be served",
                       {{"target", options_.target},
                        {"retry_in", absl::FormatDuration(absl::Floor(pause, absl::Milliseconds(1)))},
                        {"problem", problem_}}));
  v1::AgentMessage message;
  message.mutable_target_problem()->set_target(options_.target);
  message.mutable_target_problem()->set_message(problem_);
  outbox_->Push(std::move(message));
}

absl::StatusOr<bool> TargetServer::Secure() {
  if (tenure_.has_value()) {
    ASSIGN_OR_RETURN(const bool mine, StillMine(takeover_, *tenure_));
    if (mine && !in_doubt_) {
      just_granted_ = false;
      return true;
    }
    if (!mine) {
      spdlog::warn(base::WithFields("the journal is no longer at this agent's epoch",
                                    {{"target", options_.target}, {"epoch", absl::StrCat(tenure_->epoch)}}));
      Abandon();
      results_.clear();
      newest_begun_.clear();
      tenure_.reset();
      // Whoever took it over may be right: the controller must say so anew.
      if (!just_granted_) return false;
    }
  }
  pool_.Drain();
  ASSIGN_OR_RETURN(tenure_, TakeOver(takeover_, stop_));
  just_granted_ = false;
  in_doubt_ = false;
  spdlog::info(base::WithFields("taken over", {{"target", options_.target},
                                               {"epoch", absl::StrCat(tenure_->epoch)},
                                               {"database", tenure_->database},
                                               {"server", absl::StrCat(tenure_->server_version_num)}}));
  return true;
}

absl::StatusOr<RunJournals> TargetServer::ReadJournals() {
  ASSIGN_OR_RETURN(const auto connection, pool_.Acquire());
  ASSIGN_OR_RETURN(RunJournals journals, ReadRunJournals(connection.get(), kMostRunsTold));
  ASSIGN_OR_RETURN(const bool mine, StillMine(connection.get(), takeover_, *tenure_));
  if (mine) return journals;
  return absl::UnavailableError("the database went away while its journal was read");
}

// A success is told after its synchronous commit, by this thread, and the journal was read by this thread
// just now: whatever was told before is in it, unless the database has lost it.
void TargetServer::SayReady(RunJournals journals) {
  v1::AgentMessage message;
  v1::TargetReady& ready = *message.mutable_target_ready();
  ready.set_target(options_.target);
  ready.set_epoch(tenure_->epoch);
  ready.set_server_version_num(tenure_->server_version_num);
  ready.set_database(tenure_->database);
  ready.set_system_identifier(tenure_->system_identifier);
  ready.set_timeline(tenure_->timeline);
  ready.set_journal_is_whole(journals.whole);
  for (v1::RunJournal& run : journals.runs) *ready.add_journal() = std::move(run);
  const auto hold = [&](const std::string& run, const std::string& step, int attempt) {
    v1::HeldAttempt& held = *ready.add_held();
    held.set_run(run);
    held.set_step(step);
    held.set_attempt(attempt);
  };
  if (running_ != nullptr)
    hold(running_->dispatch().run(), running_->dispatch().step(), running_->dispatch().attempt());
  for (const auto& [key, result] : results_) hold(result.run(), result.step(), result.attempt());
  outbox_->Push(std::move(message));
  for (const auto& [key, result] : results_) {
    v1::AgentMessage again;
    *again.mutable_result() = result;
    outbox_->Push(std::move(again));
  }
}

void TargetServer::Acknowledge(const v1::Dispatch& dispatch) {
  v1::AgentMessage message;
  message.mutable_ack()->set_run(dispatch.run());
  message.mutable_ack()->set_attempt(dispatch.attempt());
  base::FaultPoint("ack.before_send");
  outbox_->Push(std::move(message));
}

void TargetServer::Refuse(const v1::Dispatch& dispatch, v1::NackReason reason, const std::string& message) {
  spdlog::warn(base::WithFields("command is refused", {{"target", options_.target},
                                                       {"run", dispatch.run()},
                                                       {"step", dispatch.step()},
                                                       {"attempt", absl::StrCat(dispatch.attempt())},
                                                       {"reason", v1::NackReason_Name(reason)},
                                                       {"message", message}}));
  v1::AgentMessage nack;
  nack.mutable_nack()->set_run(dispatch.run());
  nack.mutable_nack()->set_attempt(dispatch.attempt());
  nack.mutable_nack()->set_reason(reason);
  nack.mutable_nack()->set_message(message);
  outbox_->Push(std::move(nack));
}

}  // namespace curlew::agent
