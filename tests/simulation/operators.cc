#include "tests/simulation/operators.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace curlew::simulation {
namespace {

// Who may approve; alice starts the rollouts, and may not.
const char* const kPeople[] = {"bob", "carol", "erin"};

// What a run has failed with where it is other than those before.
constexpr absl::string_view kDiffers = "its steps differ from those of";

std::string Bare(const std::string& environment) { return environment.substr(environment.rfind('/') + 1); }

}  // namespace

std::string Operators::WhyNot(const std::string& run, const v1::Step& step) const {
  const std::string target = run.substr(run.rfind('/') + 1);
  for (const Started& started : rollouts_) {
    if (!absl::StartsWith(run, started.name + "/")) continue;
    for (const v1::Environment& environment : *environments_) {
      const auto& targets = environment.targets();
      if (std::find(targets.begin(), targets.end(), target) == targets.end()) continue;
      const auto lacks = [&](const std::string& gate, int required) {
        const auto given = started.approvals.find(gate);
        return required > (given == started.approvals.end() ? 0 : static_cast<int>(given->second.size()));
      };
      const std::string bare = Bare(environment.name());
      for (const v1::WavePolicy& wave : environment.waves()) {
        const std::string gate = absl::StrCat(bare, "/", wave.name(), "/before");
        // A wave of one is the first target's, any other has the rest.
        const bool in_wave = wave.count() == 1 ? target == targets[0] : target != targets[0];
        if (in_wave && lacks(gate, wave.before().approvals())) {
          return absl::StrCat("done before the gate ", gate, " was approved");
        }
      }
      if (lacks(bare + "/before", environment.before().approvals())) {
        return absl::StrCat("done before the gate ", bare, "/before was approved");
      }
      if (step.phase() == v1::PHASE_DROP &&
          lacks(bare + "/before-drop", environment.before_drop().approvals())) {
        return absl::StrCat("DROP before the gate ", bare, "/before-drop was approved");
      }
      return "";
    }
  }
  return "done for a rollout that nobody started";
}

void Operators::Call(std::string what, std::function<absl::Status(dispatch::Engine&)> deed,
                     std::function<void(const absl::Status&)> answered) {
  ControllerProcess* controller = any_();
  if (controller == nullptr) return answered(absl::UnavailableError("nobody there"));
  const absl::Duration there = random_.Between(absl::Microseconds(200), absl::Milliseconds(30));
  const absl::Duration back = random_.Between(absl::Microseconds(200), absl::Milliseconds(30));
  const auto answer = [scheduler = scheduler_, back, what, answered](const absl::Status& status) {
    scheduler->After(
        back, nullptr,
        absl::StrCat("operator: ", what, ": ", status.ok() ? "done" : std::string(status.message())),
        [answered, status] { answered(status); });
  };
  scheduler_->After(
      there, controller->process(), absl::StrCat("operator: ", what, " at ", controller->name()),
      [controller, deed, answer] {
        if (!controller->serving()) return answer(absl::UnavailableError("it does not lead"));
        controller->loop().Post([controller, deed, answer] { answer(deed(controller->engine())); });
      });
}

void Operators::Create(Started* started) {
  const Started copy = *started;
  Call(
      absl::StrCat("start ", copy.name),
      [copy](dispatch::Engine& engine) -> absl::Status {
        ASSIGN_OR_RETURN(const v1::StoredPlan plan, engine.store().GetPlan(copy.plan));
        const auto existing = engine.rollouts().Get(copy.name);
        if (existing.ok()) return absl::OkStatus();
        if (!absl::IsNotFound(existing.status())) return existing.status();
        return engine.rollouts()
            .Create(rollout::NewRollout({.name = copy.name,
                                         .plan = plan.name(),
                                         .plan_digest = plan.digest(),
                                         .plan_author = "dave",
                                         .creator = "alice"},
                                        engine.targets().environments(), engine.clock().Now()),
                    "alice")
            .status();
      },
      [started](const absl::Status& status) { started->created |= status.ok(); });
}

void Operators::Apply(const Started& started, const std::string& what, const rollout::Input& input) {
  const std::string etag = random_.Chance(0.05) ? absl::StrCat("v", 1 + random_.Below(30)) : "";
  Call(
      absl::StrCat(what, " ", started.name),
      [this, name = started.name, input, etag](dispatch::Engine& engine) {
        const auto before = engine.rollouts().Get(name);
        const auto after = engine.rollouts().Apply(name, input, etag);
        // What was waiting to be stored comes before it, and raises the etag, too.
        const auto version = [](const std::string& of) { return std::stoi(of.substr(1)); };
        if (after.ok() && before.ok() && !etag.empty() && etag != before->rollout.etag() &&
            version(after->etag()) != version(etag) + 1) {
          scheduler_->story().Violate(absl::StrCat(name, " is changed by who has seen ", etag, ", it was ",
                                                   before->rollout.etag(), ", it is ", after->etag()));
        }
        return after.status();
      },
      [](const absl::Status&) {});
}

void Operators::Approve(Started* started, const std::string& gate, const std::string& actor) {
  // Noted when it is said: it may count although no answer comes.
  ++started->approvals[gate][actor];
  Call(
      absl::StrCat("approve ", gate, " of ", started->name, " by ", actor),
      [name = started->name, gate, actor](dispatch::Engine& engine) {
        return engine.rollouts().Apply(name, rollout::Approved{gate, actor, ""}).status();
      },
      [started, gate, actor](const absl::Status& status) {
        if (!absl::IsFailedPrecondition(status) && !absl::IsNotFound(status)) return;
        if (--started->approvals[gate][actor] == 0) started->approvals[gate].erase(actor);
      });
}

void Operators::ApproveSomething(Started* started) {
  const v1::Environment& environment =
      (*environments_)[random_.Below(static_cast<int>(environments_->size()))];
  const std::string gate = Bare(environment.name()) + (random_.Chance(0.5) ? "/before" : "/before-drop");
  Approve(started, gate, random_.Chance(0.1) ? "alice" : kPeople[random_.Below(3)]);
}

void Operators::Tune(Started* started) {
  rollout::TuneAsked asked{.actor = "bob"};
  asked.tuning.set_max_workers(1 + random_.Below(4));
  if (random_.Chance(0.5)) (*asked.tuning.mutable_limits())["replica_lag_ms"] = 100 + random_.Below(1000);
  Apply(*started, "tune", asked);
}

bool Operators::ApproveWaiting(Started* started, const v1::Rollout& now) {
  for (const v1::Waiting& waiting : now.waiting()) {
    if (waiting.cause() != v1::WAIT_CAUSE_APPROVAL) continue;
    for (const char* actor : kPeople) Approve(started, waiting.gate(), actor);
    return true;
  }
  return false;
}

void Operators::SayDeployed(const Started& started, bool holds) {
  Apply(started, holds ? "deployed" : "not deployed",
        rollout::CheckReported{.check = "deployed",
                               .state = holds ? v1::CHECK_STATE_PASSING : v1::CHECK_STATE_FAILING,
                               .actor = "ci"});
}

void Operators::GetOut(Started* started, const v1::Rollout& now) {
  if (started->way_out == WayOut::kUndecided) started->way_out = static_cast<WayOut>(1 + random_.Below(3));
  switch (started->way_out) {
    case WayOut::kUndecided:
      return;
    case WayOut::kLeaveOut:
      for (const v1::Run& run : now.runs()) {
        if (run.state() != v1::RUN_STATE_FAILED || !absl::StrContains(run.error().message(), kDiffers))
          continue;
        Apply(*started, "leave out " + run.target(),
              rollout::TargetSkipped{run.target(), "bob", "is another"});
      }
      return;
    case WayOut::kAbort:
      return Apply(*started, "abort", rollout::AbortAsked{"bob", "is another"});
    case WayOut::kRollBack:
      return Call(
          absl::StrCat("roll back ", started->name),
          [name = started->name](dispatch::Engine& engine) {
            return engine.rollouts().Apply(name, rollout::RollbackAsked{"bob", "is another"}).status();
          },
          [started,
           other = random_.Chance(0.5) ? WayOut::kLeaveOut : WayOut::kAbort](const absl::Status& status) {
            if (absl::IsFailedPrecondition(status)) started->way_out = other;
          });
  }
}

void Operators::LeaveSomethingOut(const Started& started) {
  const v1::Environment& environment =
      (*environments_)[random_.Below(static_cast<int>(environments_->size()))];
  if (random_.Chance(0.5))
    return Apply(started, "skip a gate", rollout::GateSkipped{"", "bob", "an emergency"});
  if (random_.Chance(0.7)) return;
  Apply(started, "skip a target",
        rollout::TargetSkipped{environment.targets(random_.Below(environment.targets_size())), "bob",
                               "not now"});
}

void Operators::Meddle(const std::function<absl::StatusOr<v1::Rollout>(const std::string&)>& state) {
  Started* started = &rollouts_[random_.Below(static_cast<int>(rollouts_.size()))];
  for (Started& active : rollouts_) {
    const auto now = state(active.name);
    if (!now.ok() || rollout::Ended(*now) || random_.Chance(0.1)) continue;
    started = &active;
    // Most of the time they do what is asked for.
    if (random_.Chance(0.5) && ApproveWaiting(started, *now)) return;
    if (random_.Chance(0.5) &&
        (now->state() == v1::ROLLOUT_STATE_PAUSED || now->state() == v1::ROLLOUT_STATE_FAILED)) {
      return Apply(active, "resume", rollout::ResumeAsked{"bob", "go on"});
    }
  }
  if (!started->created) return Create(started);
  switch (random_.Below(19)) {
    case 0:
      return Create(started);
    case 1:
      return Apply(*started, "pause", rollout::PauseAsked{"bob", "a pause"});
    case 2:
      if (!started->wants_rollback || random_.Chance(0.6)) return;
      if (random_.Chance(0.2)) {
        const v1::Environment& environment =
            (*environments_)[random_.Below(static_cast<int>(environments_->size()))];
        return Apply(*started, "roll back " + environment.name(),
                     rollout::RollbackAsked{"bob", "no good", environment.name()});
      }
      return Apply(*started, "roll back", rollout::RollbackAsked{"bob", "no good"});
    case 3:
      if (!started->wants_rollback || random_.Chance(0.8)) return;
      return Apply(*started, "abort", rollout::AbortAsked{"bob", "enough"});
    case 4:
      return Apply(*started, "override", rollout::OverrideAsked{"", "carol", "it never comes"});
    case 5:
      if (random_.Chance(0.5)) return Tune(started);
      return Apply(*started, "skip", rollout::SkipAsked{"", "", "carol", "not needed"});
    case 16:
      return LeaveSomethingOut(*started);
    case 17:
    case 18:
      return SayDeployed(*started, random_.Chance(0.7));
    case 6:
    case 7:
    case 8:
    case 9:
      return Apply(*started, "resume", rollout::ResumeAsked{"bob", "go on"});
    default:
      return ApproveSomething(started);
  }
}

void Operators::Settle(const std::function<absl::StatusOr<v1::Rollout>(const std::string&)>& state,
                       const std::function<bool(const std::string&)>& stuck) {
  for (Started& started : rollouts_) {
    const absl::StatusOr<v1::Rollout> now = state(started.name);
    if (!now.ok()) {
      Create(&started);
      continue;
    }
    started.created = true;
    const rollout::Input back = rollout::RollbackAsked{"bob", "the end"};
    switch (now->state()) {
      case v1::ROLLOUT_STATE_ABORTED:
        if (started.nothing_to_undo) continue;
        Call(
            absl::StrCat("roll back ", started.name),
            [name = started.name, back](dispatch::Engine& engine) {
              return engine.rollouts().Apply(name, back).status();
            },
            [&started](const absl::Status& status) {
              // Another one has the targets: that one first.
              started.nothing_to_undo =
                  absl::IsFailedPrecondition(status) && !absl::StrContains(status.message(), "is active on");
            });
        continue;
      case v1::ROLLOUT_STATE_PAUSED:
      case v1::ROLLOUT_STATE_FAILED:
        // Where the first target was compiled while its schema was another one, or another rollout has left
        // something in a target, to resume does not help.
        if (now->has_rollback_time() || (started.wants_rollback && random_.Chance(0.5))) {
          Apply(started, "roll back", back);
        } else if (absl::StrContains(now->reason(), kDiffers) && random_.Chance(0.5)) {
          GetOut(&started, *now);
        } else {
          Apply(started, "resume", rollout::ResumeAsked{"bob", "the end"});
        }
        continue;
      case v1::ROLLOUT_STATE_RUNNING:
      case v1::ROLLOUT_STATE_ROLLING_BACK:
        ApproveWaiting(&started, *now);
        if (std::any_of(now->waiting().begin(), now->waiting().end(),
                        [](const v1::Waiting& waiting) { return waiting.cause() == v1::WAIT_CAUSE_CHECK; })) {
          SayDeployed(started, true);
        }
        if (stuck(started.name)) {
          Apply(started, "override", rollout::OverrideAsked{"", "carol", "it never comes"});
        }
        continue;
      default:
        continue;
    }
  }
}

bool Operators::AllEnded(const std::function<absl::StatusOr<v1::Rollout>(const std::string&)>& state) const {
  return std::all_of(rollouts_.begin(), rollouts_.end(), [&](const Started& started) {
    const absl::StatusOr<v1::Rollout> now = state(started.name);
    if (!now.ok()) return false;
    return now->state() == v1::ROLLOUT_STATE_ABORTED ? started.nothing_to_undo : rollout::Ended(*now);
  });
}

// --- Watchers. ---

Watching::Watching(std::string rollout, Scheduler* scheduler, SharedStore* shared,
                   std::function<ControllerProcess*()> any)
    : rollout_(std::move(rollout)),
      scheduler_(scheduler),
      shared_(shared),
      any_(std::move(any)),
      random_(scheduler->random().Fork()) {}

void Watching::Look() {
  if (controller_ == nullptr) {
    if (std::exchange(attaching_, true)) return;
    scheduler_->After(random_.Between(absl::Milliseconds(100), absl::Seconds(4)), nullptr, "",
                      [this] { Attach(); });
    return;
  }
  if (ended_) return Detach();
  if (!dirty_ || std::exchange(reading_, true)) return;
  scheduler_->After(absl::Milliseconds(1), controller_->process(), "", [this, controller = controller_] {
    controller->loop().Post([this, controller] {
      if (controller_ == controller) Read();
    });
  });
}

void Watching::Attach() {
  attaching_ = false;
  ControllerProcess* controller = any_();
  if (controller == nullptr || !controller->serving()) return;
  controller_ = controller;
  cursor_ = {.event = last_};
  ended_ = reading_ = false;
  dirty_ = true;
  controller->engine().rollouts().watches().Add(rollout_, this);
}

void Watching::Detach() {
  if (controller_->serving()) controller_->engine().rollouts().watches().Remove(rollout_, this);
  controller_ = nullptr;
}

void Watching::Buried(const ControllerProcess* controller) {
  if (controller_ == controller) controller_ = nullptr;
}

void Watching::Read() {
  reading_ = dirty_ = false;
  const auto batch = controller_->engine().rollouts().watches().Read(rollout_, &cursor_);
  const int64_t first_kept = shared_->first_kept(rollout_);
  if (!batch.ok()) {
    if (absl::IsOutOfRange(batch.status())) {
      if (last_ + 1 >= first_kept) {
        scheduler_->story().Violate(
            absl::StrCat("a watcher of ", rollout_, " is told that event ", last_ + 1, " was removed"));
      }
      last_ = first_kept - 1;
    }
    return Detach();
  }
  for (const v1::WatchRolloutResponse& message : batch->messages) {
    if (random_.Chance(broken)) {
      scheduler_->story().Fault("broken watch");
      return Detach();
    }
    if (!message.has_event()) continue;
    const v1::Event& event = message.event();
    const bool first = last_ == 0 && event.number() == first_kept;
    if (event.number() != last_ + 1 && !first) {
      scheduler_->story().Violate(
          absl::StrCat("a watcher of ", rollout_, " is told event ", event.number(), " after ", last_));
    }
    const auto& all = shared_->events(rollout_);
    if (event.number() > static_cast<int64_t>(all.size()) ||
        all[event.number() - 1].SerializeAsString() != event.SerializeAsString()) {
      scheduler_->story().Violate(
          absl::StrCat("a watcher of ", rollout_, " is told another event ", event.number()));
    }
    last_ = event.number();
    ++scheduler_->story().figures.watched;
  }
  if (!batch->messages.empty()) dirty_ = true;
}

}  // namespace curlew::simulation
