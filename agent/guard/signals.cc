#include "agent/guard/signals.h"

#include <algorithm>
#include <thread>

#include "common/base/proto_time.h"

namespace curlew::agent {
namespace {

constexpr double kMiB = 1024.0 * 1024;
constexpr double kGiB = 1024 * kMiB;

double DefaultLimit(const SignalKind& kind) {
  switch (kind.scale) {
    case SignalKind::Scale::kWhole:
      return kind.limit;
    case SignalKind::Scale::kPerProcessor:
      return kind.limit * std::max(1u, std::thread::hardware_concurrency());
  }
  return kind.limit;
}

}  // namespace

const std::vector<SignalKind>& KnownSignals() {
  using Scale = SignalKind::Scale;
  static const auto* const kinds = new std::vector<SignalKind>{
      {.name = "lock_waiters",
       .limit = 1,
       .meaning = "Sessions that wait for a lock which a worker of the walk holds."},
      {.name = "active_sessions",
       .limit = 2,
       .scale = Scale::kPerProcessor,
       .meaning = "Client sessions of the whole server that are at work, without the walk's own; the mean of "
                  "about the last second."},
      {.name = "replica_lag_ms",
       .limit = 1500,
       .when_stale = WhenStale::kPauses,
       .meaning = "Age of the oldest change that the slowest standby has not replayed."},
      {.name = "replica_lag_bytes",
       .limit = 256 * kMiB,
       .when_stale = WhenStale::kPauses,
       .meaning = "WAL that the slowest standby has not replayed."},
      {.name = "slot_lag_bytes",
       .limit = 10 * kGiB,
       .when_stale = WhenStale::kPauses,
       .meaning = "WAL that the slowest replication slot, in use or not, has not confirmed."},
      {.name = "wal_bytes_per_second",
       .limit = -1,
       .meaning = "WAL that the whole server writes; the mean of about the last second."},
      {.name = "archive_backlog",
       .limit = 256,
       .meaning = "Finished WAL files that wait to be archived, where archiving is on."},
      {.name = "oldest_xmin_age",
       .limit = 200e6,
       .effect = Effect::kBound,
       .meaning =
           "Transactions since the oldest snapshot, slot or prepared transaction that keeps VACUUM from "
           "removing dead rows."},
      {.name = "dead_rows_per_live_row",
       .limit = 3,
       .effect = Effect::kSheds,
       .meaning =
           "Dead rows of the table and its partitions for each live one. A walk that changes every row "
           "makes at most 1 by itself."},
      {.name = "autovacuum_on_table",
       .limit = 2,
       .effect = Effect::kSheds,
       .meaning = "1 while a vacuum works on the table or a partition."},
      {.name = "wraparound_vacuum_on_table",
       .limit = 0.5,
       .effect = Effect::kBound,
       .meaning = "1 while an autovacuum against wraparound works on the table or a partition."},
      {.name = "requested_checkpoints_per_minute",
       .limit = 12,
       .effect = Effect::kSheds,
       .meaning =
           "Checkpoints in the last minute that came before their time, mostly because max_wal_size was "
           "used up."},
      {.name = "disk_used_fraction",
       .limit = 0.9,
       .effect = Effect::kBound,
       .meaning = "Share of the file system of `disk_path` that is used, as df has it."},
  };
  return *kinds;
}

std::map<std::string, double> DefaultLimits() {
  std::map<std::string, double> limits;
  for (const SignalKind& kind : KnownSignals()) limits[std::string(kind.name)] = DefaultLimit(kind);
  return limits;
}

SignalRules RulesFor(const ThrottleConfig& config, const v1::Tuning& tuning) {
  SignalRules rules;
  for (const SignalKind& kind : KnownSignals()) {
    rules[std::string(kind.name)] = {
        .limit = DefaultLimit(kind), .effect = kind.effect, .when_stale = kind.when_stale};
  }
  for (const ThrottleCheck& check : config.checks) {
    rules[check.name] = {.limit = check.limit,
                         .when_stale = check.required ? WhenStale::kPauses : WhenStale::kFreezes};
  }
  const auto set = [&](const std::string& name, double limit) {
    if (const auto rule = rules.find(name); rule != rules.end()) rule->second.limit = limit;
  };
  for (const auto& [name, limit] : config.limits) set(name, limit);
  for (const auto& [name, limit] : tuning.limits()) set(name, limit);
  return rules;
}

v1::Tuning WithinOwnLimits(const ThrottleConfig& config, absl::Duration longest_batch, v1::Tuning tuning) {
  const SignalRules own = RulesFor(config, v1::Tuning());
  google::protobuf::Map<std::string, double> limits;
  for (const auto& [name, limit] : tuning.limits()) {
    const auto rule = own.find(name);
    if (rule == own.end()) continue;
    const bool off = rule->second.limit < 0;
    // So that what is no number counts as too much.
    const bool within = limit >= 0 && (off || limit <= rule->second.limit);
    limits[name] = within ? limit : rule->second.limit;
  }
  *tuning.mutable_limits() = limits;
  if (!tuning.has_batch_target()) return tuning;
  const absl::Duration batch = base::FromProto(tuning.batch_target());
  if (batch > longest_batch) *tuning.mutable_batch_target() = base::ToProto(longest_batch);
  if (batch < absl::Milliseconds(1)) tuning.clear_batch_target();
  return tuning;
}

}  // namespace curlew::agent
