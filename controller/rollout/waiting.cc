#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "controller/rollout/availability.h"
#include "controller/rollout/conditions.h"
#include "controller/rollout/describe.h"
#include "controller/rollout/draft.h"
#include "controller/rollout/gates.h"
#include "controller/rollout/machine.h"

namespace curlew::rollout {
namespace {

constexpr int kMostTargets = 100;

// Collects what a rollout waits for.
class Outlook {
 public:
  Outlook(v1::Rollout& rollout, absl::Time now) : rollout_(rollout), now_(now) {}

  void Forward() {
    for (StageScope& scope : ScopesOf(rollout_)) Stage(scope);
  }

  void Back() {
    for (const v1::Run& run : rollout_.runs()) {
      if (run.state() == v1::RUN_STATE_ROLLING_BACK) AtWork(run);
    }
  }

  // Replaces what the rollout says that it waits for; what was there before keeps its `since`.
  void Store() {
    if (targets_ > kMostTargets) {
      Add(NewWaiting(v1::WAIT_CAUSE_AGENT,
                     absl::StrCat("and ", targets_ - kMostTargets, " more targets wait"), now_));
    }
    std::map<Key, google::protobuf::Timestamp> since;
    for (const v1::Waiting& before : rollout_.waiting()) since.emplace(KeyOf(before), before.since());
    for (v1::Waiting& cause : causes_) {
      if (KnowsItsSince(cause.cause())) continue;
      if (const auto found = since.find(KeyOf(cause)); found != since.end()) {
        *cause.mutable_since() = found->second;
      }
    }
    rollout_.mutable_waiting()->Assign(causes_.begin(), causes_.end());
  }

  absl::Time wake() const { return wake_; }

 private:
  using Key = std::tuple<int, std::string, std::string, int64_t, int32_t>;
  static Key KeyOf(const v1::Waiting& waiting) {
    return {waiting.cause(), waiting.target(), waiting.gate(), waiting.until().seconds(),
            waiting.until().nanos()};
  }

  // Of these the state says since when.
  static bool KnowsItsSince(v1::WaitCause cause) {
    return cause == v1::WAIT_CAUSE_APPROVAL || cause == v1::WAIT_CAUSE_SOAK || cause == v1::WAIT_CAUSE_CHECK;
  }

  void Add(v1::Waiting waiting) { causes_.push_back(std::move(waiting)); }
  void AddTarget(const v1::Run& run, v1::Waiting waiting) {
    if (++targets_ > kMostTargets) return;
    waiting.set_target(run.target());
    Add(std::move(waiting));
  }
  void WakeAt(absl::Time time) {
    if (time > now_) wake_ = std::min(wake_, time);
  }

  void Stage(StageScope& scope) {
    v1::EnvironmentStage& stage = *scope.stage;
    if (stage.state() == v1::STAGE_STATE_PENDING || stage.state() == v1::STAGE_STATE_DONE) return;
    if (stage.state() == v1::STAGE_STATE_SOAKING) return Soak(stage);
    const bool works = stage.state() != v1::STAGE_STATE_PREPARING;
    if (works || stage.before().has_reached_time()) Freeze(stage);
    Gate({&stage, nullptr}, stage.before(), works, scope.runs);
    for (StageScope::WaveScope& wave : scope.waves) {
      if (wave.wave->has_before()) Gate({&stage, wave.wave}, wave.wave->before(), works, wave.runs);
      if (works) Bake(stage, *wave.wave);
    }
    // On the way to it again it says nothing.
    if (stage.state() == v1::STAGE_STATE_AT_DROP_GATE || stage.state() == v1::STAGE_STATE_DROPPING) {
      Gate({&stage, nullptr}, stage.before_drop(), false, scope.runs);
    }
    for (StageScope::WaveScope& wave : scope.waves) Wave(stage, wave);
  }

  void Soak(const v1::EnvironmentStage& stage) {
    const absl::Time until = base::FromProto(stage.soak_until());
    v1::Waiting waiting = NewWaiting(
        v1::WAIT_CAUSE_SOAK, absl::StrCat(BareName(stage.environment()), " soaks until ", TimeText(until)),
        until - base::FromProto(stage.soak()));
    *waiting.mutable_until() = stage.soak_until();
    Add(std::move(waiting));
    WakeAt(until);
  }

  void Bake(const v1::EnvironmentStage& stage, const v1::Wave& wave) {
    if (!wave.has_bake_until()) return;
    const absl::Time until = base::FromProto(wave.bake_until());
    v1::Waiting waiting = NewWaiting(v1::WAIT_CAUSE_SOAK,
                                     absl::StrCat("wave ", BareName(stage.environment()), "/", wave.name(),
                                                  " bakes until ", TimeText(until)),
                                     until - base::FromProto(wave.bake()));
    *waiting.mutable_until() = wave.bake_until();
    Add(std::move(waiting));
    WakeAt(until);
  }

  void Freeze(const v1::EnvironmentStage& stage) {
    std::optional<v1::Waiting> frozen = FrozenBy(stage, now_);
    if (!frozen.has_value()) return;
    if (frozen->has_until()) WakeAt(base::FromProto(frozen->until()));
    Add(*std::move(frozen));
  }

  // `begun`: approvals are needed only by what has not begun.
  void Gate(const GatePlace& place, const v1::Gate& gate, bool begun, const std::vector<v1::Run*>& runs) {
    if (!IsWanted(place, gate)) return;
    const auto is_out = [](const v1::Run* run) {
      return run->state() == v1::RUN_STATE_SKIPPED || run->state() == v1::RUN_STATE_FAILED;
    };
    const bool done = place.wave != nullptr && place.wave->state() == v1::WAVE_STATE_DONE &&
                      std::all_of(runs.begin(), runs.end(), [&](const v1::Run* run) {
                        return IsThrough(*place.stage, *place.wave, *run);
                      });
    if (done || (place.wave != nullptr && std::all_of(runs.begin(), runs.end(), is_out))) return;
    Verdict verdict = Judge(rollout_, place, gate, now_);
    wake_ = std::min(wake_, verdict.change);
    const bool needs_approval = !begun || std::any_of(runs.begin(), runs.end(), [&](const v1::Run* run) {
      return !IsBegun(*run) && !is_out(run);
    });
    for (v1::Waiting& cause : verdict.causes) {
      if (cause.cause() != v1::WAIT_CAUSE_APPROVAL || needs_approval) Add(std::move(cause));
    }
  }

  void Wave(const v1::EnvironmentStage& stage, const StageScope::WaveScope& wave) {
    const bool in_play =
        stage.state() == v1::STAGE_STATE_PREPARING ||
        (wave.wave->state() != v1::WAVE_STATE_PENDING &&
         (wave.wave->state() >= v1::WAVE_STATE_DROPPING || stage.state() != v1::STAGE_STATE_AT_DROP_GATE));
    const absl::Duration deadline = base::FromProto(stage.policy().target_deadline());
    int ready = 0, at_work = 0, late = 0, aside = 0;
    for (const v1::Run* run : wave.runs) {
      if (!run->held_by().empty() && run->state() == v1::RUN_STATE_PENDING) {
        AddTarget(*run, NewWaiting(v1::WAIT_CAUSE_ROLLOUT,
                                   absl::StrCat(run->target(), " waits until rollout ",
                                                BareName(run->held_by()), " has ended"),
                                   now_));
        continue;
      }
      const bool works = run->state() == v1::RUN_STATE_COMPILING || run->state() == v1::RUN_STATE_RUNNING ||
                         run->state() == v1::RUN_STATE_DROPPING;
      const bool through = IsThrough(stage, *wave.wave, *run);
      if (works || (in_play && !through && run->epoch() == 0)) AtWork(*run);
      if (in_play && !works && !through && run->epoch() != 0) ++ready;
      at_work += works && !run->set_aside();
      aside += run->set_aside();
      if (deadline > absl::ZeroDuration() && run->has_waiting_since() && !run->set_aside()) {
        const absl::Time until = base::FromProto(run->waiting_since()) + deadline;
        WakeAt(until);
        late += until <= now_;
      }
    }
    const std::string name = absl::StrCat(BareName(stage.environment()), "/", wave.wave->name());
    if (ready > 0 && wave.wave->max_parallel() > 0 && at_work >= wave.wave->max_parallel()) {
      Add(NewWaiting(
          v1::WAIT_CAUSE_BUDGET,
          absl::StrCat(ready, ready == 1 ? " target of " : " targets of ", name,
                       ready == 1 ? " waits for its turn: at most " : " wait for their turn: at most ",
                       wave.wave->max_parallel(), " at the same time"),
          now_));
    }
    if (late > 0) {
      Add(NewWaiting(v1::WAIT_CAUSE_BUDGET,
                     absl::StrCat(late, late == 1 ? " target of " : " targets of ", name,
                                  " cannot be reached, or not done in time, and ", aside,
                                  " are set aside already (max_unavailable ",
                                  stage.policy().max_unavailable(), "): the wave waits for them"),
                     now_));
    }
  }

  void AtWork(const v1::Run& run) {
    if (run.epoch() == 0) {
      AddTarget(run, NewWaiting(v1::WAIT_CAUSE_AGENT,
                                absl::StrCat("no agent serves ", run.target(),
                                             ": start its curlew-agent; see `curlew target show ",
                                             run.target(), "`"),
                                now_));
      return;
    }
    Backoff(run, run.compilation(), "its compilation");
    for (const v1::StepStatus& step : run.steps()) Backoff(run, step.attempt(), step.key());
    Backoff(run, run.rollback_gate().attempt(), kRollbackGateKey);
  }

  // Where the attempt waits for its time; `what` names it.
  void Backoff(const v1::Run& run, const v1::Attempt& attempt, absl::string_view what) {
    if (attempt.state() != v1::ATTEMPT_STATE_QUEUED || !attempt.has_not_before()) return;
    const absl::Time until = base::FromProto(attempt.not_before());
    if (until <= now_) return;
    v1::Waiting waiting = NewWaiting(v1::WAIT_CAUSE_BACKOFF,
                                     absl::StrCat(run.target(), ": ", what, " is tried again at ",
                                                  TimeText(until), ": ", attempt.error().message()),
                                     now_);
    *waiting.mutable_until() = attempt.not_before();
    AddTarget(run, std::move(waiting));
    WakeAt(until);
  }

  v1::Rollout& rollout_;
  const absl::Time now_;
  std::vector<v1::Waiting> causes_;
  int targets_ = 0;
  absl::Time wake_ = absl::InfiniteFuture();
};

}  // namespace

absl::Time DescribeWaiting(v1::Rollout& rollout, absl::Time now) {
  Outlook outlook(rollout, now);
  if (rollout.state() == v1::ROLLOUT_STATE_RUNNING) outlook.Forward();
  if (rollout.state() == v1::ROLLOUT_STATE_ROLLING_BACK) outlook.Back();
  outlook.Store();
  return outlook.wake();
}

}  // namespace curlew::rollout
