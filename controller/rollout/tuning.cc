#include "controller/rollout/tuning.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "controller/rollout/attempt.h"
#include "controller/rollout/names.h"
#include "controller/rollout/operators.h"

namespace curlew::rollout {
namespace {

constexpr char kMaxWorkers[] = "max_workers";
constexpr char kBatchTarget[] = "batch_target";
constexpr int kMostWorkers = 1000;
constexpr absl::Duration kShortestBatch = absl::Milliseconds(1);
constexpr absl::Duration kLongestBatch = absl::Seconds(10);
constexpr int kMostLimits = 100;
constexpr size_t kLongestName = 100;

absl::Status Bad(absl::string_view field, absl::string_view message, absl::string_view hint) {
  return base::WithDetail(
      base::WithDetail(absl::InvalidArgumentError(message), base::kField, std::string(field)), base::kHint,
      std::string(hint));
}

// By name: a proto's map has no order.
std::map<std::string, double> LimitsOf(const v1::Tuning& tuning) {
  return {tuning.limits().begin(), tuning.limits().end()};
}

absl::Status CheckTuning(const v1::Tuning& tuning) {
  if (tuning.max_workers() < 0 || tuning.max_workers() > kMostWorkers) {
    return Bad(kMaxWorkers,
               absl::StrCat("max_workers is ", tuning.max_workers(), ", not 1 to ", kMostWorkers),
               tuning.max_workers() < 0 ? "to stop all work, `curlew rollout pause`"
                                        : "the agent has a limit of its own too");
  }
  if (tuning.has_batch_target()) {
    const absl::Duration target = base::FromProto(tuning.batch_target());
    if (target < kShortestBatch || target > kLongestBatch) {
      return Bad(
          kBatchTarget,
          absl::StrCat("batch_target is ", absl::FormatDuration(target), ", not ",
                       absl::FormatDuration(kShortestBatch), " to ", absl::FormatDuration(kLongestBatch)),
          "50ms suits most databases");
    }
  }
  for (const auto& [name, limit] : LimitsOf(tuning)) {
    if (name.empty() || name.size() > kLongestName) {
      return Bad("limits",
                 absl::StrCat("the name of a limit has ", name.size(), " bytes, not 1 to ", kLongestName),
                 "name a signal, for example replica_lag_ms");
    }
    if (name == kMaxWorkers || name == kBatchTarget) {
      return Bad("limits", absl::StrCat(name, " is no signal that could have a limit"),
                 absl::StrCat("set ", name, " itself"));
    }
    if (!std::isfinite(limit) || limit == 0) {
      return Bad("limits", absl::StrCat("limit ", name, " is ", limit, ", which no value can keep"),
                 "give a number above 0, or a negative one to switch the signal off");
    }
  }
  return absl::OkStatus();
}

bool IsSet(const v1::Tuning& tuning, const std::string& name) {
  if (name == kMaxWorkers) return tuning.max_workers() != 0;
  if (name == kBatchTarget) return tuning.has_batch_target();
  return tuning.limits().count(name) > 0;
}

bool IsEmpty(const v1::Tuning& tuning) {
  return tuning.max_workers() == 0 && !tuning.has_batch_target() && tuning.limits().empty();
}

void Reset(const std::string& name, v1::Tuning& tuning) {
  if (name == kMaxWorkers) {
    tuning.clear_max_workers();
  } else if (name == kBatchTarget) {
    tuning.clear_batch_target();
  } else {
    tuning.mutable_limits()->erase(name);
  }
}

// Field by field; limits one by one.
void Merge(const v1::Tuning& change, v1::Tuning& tuning) {
  if (change.max_workers() != 0) tuning.set_max_workers(change.max_workers());
  if (change.has_batch_target()) *tuning.mutable_batch_target() = change.batch_target();
  for (const auto& [name, limit] : change.limits()) (*tuning.mutable_limits())[name] = limit;
}

// "max_workers 2, batch_target 20ms, limit replica_lag_ms 500".
std::string SetText(const v1::Tuning& tuning) {
  std::vector<std::string> parts;
  if (tuning.max_workers() != 0) parts.push_back(absl::StrCat(kMaxWorkers, " ", tuning.max_workers()));
  if (tuning.has_batch_target()) {
    parts.push_back(
        absl::StrCat(kBatchTarget, " ", absl::FormatDuration(base::FromProto(tuning.batch_target()))));
  }
  for (const auto& [name, limit] : LimitsOf(tuning)) {
    parts.push_back(limit < 0 ? absl::StrCat("limit ", name, " off")
                              : absl::StrCat("limit ", name, " ", absl::StrFormat("%.15g", limit)));
  }
  return absl::StrJoin(parts, ", ");
}

std::string Text(const TuneAsked& input) {
  std::vector<std::string> parts;
  if (!IsEmpty(input.tuning)) parts.push_back(SetText(input.tuning));
  for (const std::string& name : input.reset) {
    const bool is_limit = name != kMaxWorkers && name != kBatchTarget;
    parts.push_back(absl::StrCat(is_limit ? "limit " : "", name, " as before"));
  }
  return absl::StrCat("tuned to ", absl::StrJoin(parts, ", "));
}

bool HasEnded(const v1::Run& run) {
  return run.state() == v1::RUN_STATE_SUCCEEDED || run.state() == v1::RUN_STATE_ROLLED_BACK;
}

std::vector<v1::Run*> RunsToTune(v1::Rollout& rollout, const std::string& target) {
  std::vector<v1::Run*> runs;
  for (v1::Run& run : *rollout.mutable_runs()) {
    if (!HasEnded(run) && (target.empty() || run.target() == target)) runs.push_back(&run);
  }
  return runs;
}

absl::Status AllEnded(const v1::Rollout& rollout, const std::string& target) {
  std::vector<std::string> states;
  for (const v1::Run& run : rollout.runs()) {
    if (target.empty() || run.target() == target) {
      states.push_back(absl::StrCat(run.target(), " is ", Name(run.state())));
    }
  }
  return base::WithDetail(
      absl::FailedPreconditionError(absl::StrCat(
          BareName(rollout.name()), " has no walks to come there: ", absl::StrJoin(states, ", "))),
      base::kReason, "RUN_ENDED");
}

// A name that is set nowhere is most likely misspelt: it must not pass for done.
absl::Status CheckReset(const TuneAsked& input, const std::vector<v1::Run*>& runs) {
  v1::Tuning set;
  for (const v1::Run* run : runs) Merge(run->tuning(), set);
  for (const std::string& name : input.reset) {
    if (IsSet(input.tuning, name)) {
      return Bad("reset", absl::StrCat(name, " cannot be set and reset at once"), "leave one of them out");
    }
    if (!IsSet(set, name)) {
      return Bad("reset", absl::StrCat("nothing is set by the name \"", name, "\""),
                 IsEmpty(set) ? "nothing is tuned: all is as plan and agent have it"
                              : absl::StrCat("what is set: ", SetText(set)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status OnTuneAsked(Draft& draft, const TuneAsked& input) {
  v1::Rollout& rollout = draft.state;
  if (input.actor.empty()) {
    return Bad("actor", "tuning needs an actor: who decides?", "give --actor NAME");
  }
  if (IsEmpty(input.tuning) && input.reset.empty()) {
    return Bad("tuning", "nothing to tune was given",
               "set max_workers, batch_target or a limit, or reset one of them");
  }
  if (absl::Status status = CheckTuning(input.tuning); !status.ok()) return status;
  if (!input.target.empty() && FindRun(rollout, input.target) == nullptr) {
    return UnknownTarget(rollout, input.target);
  }
  if (Ended(rollout)) return Misfit(rollout, "tuned");
  const std::vector<v1::Run*> runs = RunsToTune(rollout, input.target);
  if (runs.empty()) return AllEnded(rollout, input.target);
  if (absl::Status status = CheckReset(input, runs); !status.ok()) return status;
  const std::string text = Deed(absl::StrCat(Text(input), ","), input.actor, input.reason);
  for (v1::Run* run : runs) {
    v1::Tuning& tuning = *run->mutable_tuning();
    for (const std::string& name : input.reset) Reset(name, tuning);
    Merge(input.tuning, tuning);
    if (tuning.limits_size() > kMostLimits) {
      return Bad("limits", absl::StrCat(run->target(), " would have more than ", kMostLimits, " limits"),
                 "reset those that are not needed");
    }
    AddEvent(draft, v1::EVENT_TYPE_TUNED, *run, text).set_actor(input.actor);
    const v1::StepStatus* live = LiveStep(*run);
    if (live && (live->attempt().state() == v1::ATTEMPT_STATE_LEASED ||
                 live->attempt().state() == v1::ATTEMPT_STATE_RUNNING)) {
      SendTuningOf(draft, *run);
    }
  }
  return absl::OkStatus();
}

void SendTuningOf(Draft& draft, const v1::Run& run) {
  if (!run.has_tuning()) return;
  draft.commands.push_back(SendTuning{.target = run.target(), .run = run.name(), .tuning = run.tuning()});
}

}  // namespace curlew::rollout
