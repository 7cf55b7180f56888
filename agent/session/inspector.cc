#include "agent/session/inspector.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/checks/run_check.h"
#include "agent/journal/names.h"
#include "agent/preflight/preflight.h"
#include "agent/verify/verify_run.h"
#include "common/base/canonical_json.h"
#include "common/base/error_detail.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// A takeover of the target ends all its sessions: what was asked just then is asked once more.
constexpr int kMostTries = 2;
// How often a request to stop is repeated while something runs.
constexpr absl::Duration kCancelAgain = absl::Milliseconds(200);

pg::PoolOptions ForPool(const InspectorOptions& options) {
  pg::PoolOptions pool{.connect = options.connect, .size = Inspector::kMostAtOnce, .max_overflow = 0};
  pool.connect.application_name = TargetApplicationName(options.target);
  // Of the whole request, wherever it waits.
  pool.acquire_timeout = absl::Seconds(10);
  return pool;
}

}  // namespace

Inspector::Inspector(InspectorOptions options, Outbox* outbox)
    : options_(std::move(options)), outbox_(outbox), pool_(ForPool(options_)) {}

Inspector::~Inspector() { Stop(); }

void Inspector::Handle(v1::ControllerMessage message) {
  if (!message.has_run_check() && !message.has_run_preflight()) return;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    if (waiting_.size() < kMostWaiting) {
      waiting_.push_back(std::move(message));
      if (static_cast<size_t>(idle_) < waiting_.size() && threads_.size() < kMostAtOnce) {
        ++idle_;
        ++running_;
        threads_.emplace_back([this] { Work(); });
      }
      return;
    }
  }
  const std::string why = absl::StrCat("target ", options_.target, ": ", kMostWaiting,
                                       " looks wait already: make checks less often, or quicker");
  v1::AgentMessage answer;
  if (message.has_run_check()) {
    *answer.mutable_check_report() = CheckError(message.run_check(), why);
  } else {
    v1::PreflightReport& report = *answer.mutable_preflight_report();
    report.set_request(message.run_preflight().request());
    report.set_target(options_.target);
    report.set_error(why);
  }
  outbox_->Push(std::move(answer));
}

void Inspector::Stop() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    waiting_.clear();
    threads.swap(threads_);
  }
  // Again and again: a request that comes between two statements cancels neither.
  const auto ended = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return running_ == 0; };
  while (true) {
    stop_.Cancel("the agent stops");
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithTimeout(absl::Condition(&ended), kCancelAgain)) break;
  }
  for (std::thread& thread : threads) thread.join();
}

void Inspector::Work() {
  const auto woken = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !waiting_.empty(); };
  while (true) {
    v1::ControllerMessage message;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&woken));
      if (!stopping_) {
        --idle_;
        message = std::move(waiting_.front());
        waiting_.pop_front();
      } else {
        --running_;
        return;
      }
    }
    v1::AgentMessage answer = Answer(message);
    {
      absl::MutexLock lock(&mutex_);
      ++idle_;
      if (stopping_) continue;
    }
    outbox_->Push(std::move(answer));
  }
}

v1::AgentMessage Inspector::Answer(const v1::ControllerMessage& message) {
  v1::AgentMessage answer;
  if (message.has_run_check()) {
    *answer.mutable_check_report() = Check(message.run_check());
  } else {
    *answer.mutable_preflight_report() = Preflight(message.run_preflight());
  }
  return answer;
}

v1::CheckReport Inspector::Check(const v1::RunCheck& request) {
  if (options_.trust.has_value() && !request.has_configured()) {
    return CheckError(request,
                      absl::StrCat("target ", options_.target,
                                   ": this agent runs signed plans alone, and makes checks of its own "
                                   "configuration alone; give the check a name in `checks:` there (the file "
                                   "that --config names), and take it out of the plan"));
  }
  v1::CheckReport report;
  for (int tries = 1;; ++tries) {
    const auto connection = pool_.Acquire();
    if (!connection.ok()) {
      report = CheckError(request, std::string(connection.status().message()));
      break;
    }
    const CancelToken::Interruptible interruptible(&stop_, connection->get());
    report = MakeCheck(connection->get(), request, options_.checks, options_.check_role);
    if ((*connection)->alive() || tries == kMostTries) break;
  }
  if (report.state() == v1::CHECK_STATE_ERROR) {
    spdlog::warn(base::WithFields("a check could not be made",
                                  {{"target", options_.target},
                                   {"check", request.has_configured() ? request.configured() : "of a plan"},
                                   {"message", report.message()}}));
  }
  return report;
}

absl::StatusOr<v1::Preflight> Inspector::LookAt(pg::Connection* connection, const v1::CompiledPlan& plan) {
  return LookAtTarget(connection, plan, {.target = options_.target, .backups = options_.backups}, stop_);
}

absl::StatusOr<v1::Preflight> Inspector::LookAtSigned(pg::Connection* connection,
                                                      const v1::RunPreflight& request) {
  ASSIGN_OR_RETURN(const OwnCompilation own,
                   VerifyRun(connection, *options_.trust,
                             {.target = options_.target,
                              .run = "",
                              .plan = &request.plan(),
                              .signatures = &request.signatures(),
                              .compiled_digest = base::CanonicalDigest(request.compiled_plan()),
                              .compiler_version = request.compiled_plan().compiler_version()},
                             absl::Now()));
  if (own.refusal.ok()) return LookAt(connection, own.run.compiled);
  v1::Preflight preflight;
  v1::PreflightFinding& finding = *preflight.add_findings();
  finding.set_severity(v1::PREFLIGHT_SEVERITY_ERROR);
  finding.set_code(std::string(kSignatureCode));
  finding.set_message(std::string(own.refusal.message()));
  finding.set_hint(base::Detail(own.refusal, base::kHint));
  *preflight.mutable_time() = base::ToProto(absl::Now());
  return preflight;
}

v1::PreflightReport Inspector::Preflight(const v1::RunPreflight& request) {
  v1::PreflightReport report;
  report.set_request(request.request());
  report.set_target(options_.target);
  const absl::Status status = [&]() -> absl::Status {
    for (int tries = 1;; ++tries) {
      ASSIGN_OR_RETURN(const auto connection, pool_.Acquire());
      const CancelToken::Interruptible interruptible(&stop_, connection.get());
      absl::StatusOr<v1::Preflight> preflight = options_.trust.has_value()
                                                    ? LookAtSigned(connection.get(), request)
                                                    : LookAt(connection.get(), request.compiled_plan());
      if (absl::IsUnavailable(preflight.status()) && tries < kMostTries) continue;
      RETURN_IF_ERROR(preflight.status());
      *report.mutable_preflight() = *std::move(preflight);
      return absl::OkStatus();
    }
  }();
  if (!status.ok()) {
    report.set_error(absl::StrCat("target ", options_.target, ": ", status.message()));
    spdlog::warn(base::WithFields("a target could not be looked at",
                                  {{"target", options_.target}, {"message", report.error()}}));
  }
  return report;
}

}  // namespace curlew::agent
