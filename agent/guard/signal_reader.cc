#include "agent/guard/signal_reader.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/guard/check_role.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

constexpr absl::Duration kSeldom = absl::Seconds(1);
constexpr absl::Duration kStaleAfter = absl::Seconds(2);
// A statement that took long is run again after this many times as long.
constexpr int kRest = 10;
constexpr absl::Duration kAveraged = absl::Seconds(1);
constexpr absl::Duration kCheckpointsCounted = absl::Minutes(1);

constexpr char kPrepare[] = R"(
SET default_transaction_read_only = on;
SET statement_timeout = '1s';
SELECT pg_has_role('pg_read_all_stats', 'USAGE'),
       has_function_privilege('pg_ls_archive_statusdir()', 'EXECUTE'),
       current_setting('archive_mode') <> 'off')";

// $1: the backends that are ours. %s: who waits for a lock. Standbys are the physical ones that say what they
// have replayed: pg_receivewal and pg_basebackup do not, and how far a logical subscriber is, its slot knows.
constexpr char kLook[] = R"(
WITH activity AS MATERIALIZED (
  SELECT pid, state, backend_type, wait_event_type, greatest(age(backend_xid), age(backend_xmin)) AS xmin_age
  FROM pg_stat_activity WHERE pid <> ALL ($1::int[])),
slots AS MATERIALIZED (
  SELECT slot_name, slot_type, active_pid, xmin, catalog_xmin,
         pg_current_wal_flush_lsn() - coalesce(confirmed_flush_lsn, restart_lsn) AS behind
  FROM pg_replication_slots),
slowest AS (SELECT slot_name, behind FROM slots WHERE behind IS NOT NULL ORDER BY behind DESC LIMIT 1),
standbys AS (
  SELECT array_agg(name ORDER BY pid) AS names, array_agg(replayed ORDER BY pid) AS replayed,
         array_agg(lag_ms ORDER BY pid) AS lags_ms
  FROM (SELECT pid, concat_ws(' at ', application_name, host(client_addr)) AS name,
               replay_lsn - '0/0' AS replayed, coalesce(1000 * extract(epoch FROM replay_lag), 0) AS lag_ms
        FROM pg_stat_replication
        WHERE replay_lsn IS NOT NULL
          AND pid NOT IN (SELECT active_pid FROM slots WHERE active_pid IS NOT NULL AND slot_type = 'logical'))
       AS standby)
SELECT (SELECT count(*) FROM (%s) AS waiting WHERE pg_blocking_pids(pid) && $1::int[]),
       (SELECT count(*) FROM activity WHERE backend_type = 'client backend' AND state = 'active'),
       greatest((SELECT max(xmin_age) FROM activity WHERE backend_type <> 'autovacuum worker'),
                (SELECT max(greatest(age(xmin), age(catalog_xmin))) FROM slots),
                (SELECT max(age(transaction)) FROM pg_prepared_xacts)),
       pg_current_wal_flush_lsn() - '0/0',
       (SELECT names FROM standbys), (SELECT replayed FROM standbys), (SELECT lags_ms FROM standbys),
       (SELECT slot_name FROM slowest), (SELECT behind FROM slowest))";
constexpr char kWaiting[] = "SELECT pid FROM activity WHERE wait_event_type = 'Lock'";
constexpr char kWaitingForAnybody[] =
    "SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pid <> ALL ($1::int[])";

// $1: the table's name. %s: where checkpoints are counted.
constexpr char kTable[] = R"(
WITH RECURSIVE family AS (
  SELECT to_regclass(nullif($1, ''))::oid AS oid
  UNION
  SELECT inhrelid FROM pg_inherits JOIN family ON inhparent = family.oid),
vacuums AS (
  SELECT activity.query LIKE 'autovacuum:%%(to prevent wraparound)' AS wraparound
  FROM pg_stat_progress_vacuum AS vacuum LEFT JOIN pg_stat_activity AS activity USING (pid)
  WHERE vacuum.datname = current_database() AND vacuum.relid IN (SELECT oid FROM family))
SELECT count(*) FILTER (WHERE c.relkind = 'r'),
       sum(pg_stat_get_dead_tuples(c.oid)) FILTER (WHERE c.relkind = 'r'),
       sum(greatest(pg_stat_get_live_tuples(c.oid), c.reltuples::bigint)) FILTER (WHERE c.relkind = 'r'),
       (SELECT count(*) FROM vacuums), (SELECT count(*) FROM vacuums WHERE wraparound),
       (SELECT %s)
FROM family JOIN pg_class AS c USING (oid))";

constexpr char kArchive[] = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'";

// The one number that a check returns.
absl::StatusOr<double> Number(const pg::Result& rows) {
  double value = 0;
  if (rows.size() != 1 || rows.columns().size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("returned ", rows.size(), " rows of ",
                                                   rows.columns().size(), " columns, not one number"));
  }
  if (rows.IsNull(0, 0)) return absl::InvalidArgumentError("returned NULL, not a number; use coalesce");
  if (!absl::SimpleAtod(rows.Text(0, 0), &value) || !std::isfinite(value)) {
    return absl::InvalidArgumentError("returned something that is no number");
  }
  return value;
}

bool Broken(pg::Connection* connection) { return !connection->alive(); }

}  // namespace

SignalReader::SignalReader(ThrottleConfig config, std::string table, absl::Duration interval, Clock now)
    : config_(std::move(config)), table_(std::move(table)), interval_(interval), now_(std::move(now)) {
  const auto add = [&](const std::string& name) {
    index_[name] = signals_.size();
    signals_.push_back({.name = name, .stale_after = std::max(kStaleAfter, 3 * interval_)});
  };
  for (const SignalKind& kind : KnownSignals()) add(std::string(kind.name));
  for (const ThrottleCheck& check : config_.checks) add(check.name);

  timed_.push_back({.read = [this](pg::Connection* c, absl::Time t) { return ReadTable(c, t); },
                    .signals = {"dead_rows_per_live_row", "autovacuum_on_table", "wraparound_vacuum_on_table",
                                "requested_checkpoints_per_minute"}});
  timed_.push_back({.read = [this](pg::Connection* c, absl::Time t) { return ReadArchive(c, t); },
                    .signals = {"archive_backlog"}});
  timed_.push_back({.read = [this](pg::Connection*, absl::Time t) { return ReadDisk(t); },
                    .signals = {"disk_used_fraction"}});
  for (const ThrottleCheck& check : config_.checks) {
    timed_.push_back(
        {.read = [this, &check](pg::Connection* c, absl::Time t) { return ReadCheck(check, c, t); },
         .signals = {check.name}});
  }
}

absl::Status SignalReader::Prepare(pg::Connection* connection) {
  ASSIGN_OR_RETURN(const pg::Result facts, connection->Execute(kPrepare));
  sees_sessions_ = facts.Bool(0, 0);
  sees_archive_ = facts.Bool(0, 1);
  archives_ = facts.Bool(0, 2);
  server_version_num_ = connection->server_version_num();
  return absl::OkStatus();
}

absl::Status SignalReader::Look(pg::Connection* connection, const std::set<int>& ours) {
  std::vector<std::string> pids = {absl::StrCat(connection->backend_pid())};
  for (int pid : ours) pids.push_back(absl::StrCat(pid));
  const absl::Time begun = now_();
  ASSIGN_OR_RETURN(const pg::Result row,
                   connection->Execute(absl::StrFormat(kLook, sees_sessions_ ? kWaiting : kWaitingForAnybody),
                                       {pg::ArrayParam(pids)}));
  Set("lock_waiters", row.Double(0, 0), begun);
  const std::string slot = row.Text(0, 7);
  if (slot.empty()) {
    SetAbsent("slot_lag_bytes", begun);
  } else {
    Set("slot_lag_bytes", row.Double(0, 8), begun, absl::StrCat("slot \"", slot, "\""));
  }
  const double flushed = row.Double(0, 3);
  std::vector<Standby> standbys;
  const auto names = row.Array(0, 4), replayed = row.Array(0, 5), lags = row.Array(0, 6);
  for (size_t i = 0; i < names.size(); ++i) {
    Standby& standby = standbys.emplace_back(Standby{.name = names[i]});
    double lag_ms = 0;
    (void)absl::SimpleAtod(replayed[i], &standby.replayed);
    (void)absl::SimpleAtod(lags[i], &lag_ms);
    standby.measured = absl::Milliseconds(lag_ms);
  }
  const ReplicaLag lag = replicas_.Look(begun, flushed, standbys);
  Set("wal_bytes_per_second", replicas_.BytesPerSecond(), begun);
  if (!sees_sessions_) {
    for (const char* name : {"active_sessions", "oldest_xmin_age", "replica_lag_ms", "replica_lag_bytes"}) {
      SetAbsent(name, begun);
    }
    return absl::OkStatus();
  }
  const double weight =
      averaged_ == absl::InfinitePast() ? 1 : std::min(1.0, absl::FDivDuration(begun - averaged_, kAveraged));
  const double before = At("active_sessions").value;
  Set("active_sessions", before + weight * (row.Double(0, 1) - before), begun);
  averaged_ = begun;
  Set("oldest_xmin_age", row.Double(0, 2), begun);
  SetReplicaLag(lag, begun);
  return absl::OkStatus();
}

void SignalReader::SetReplicaLag(const ReplicaLag& lag, absl::Time read) {
  if (!lag.missing.empty()) {
    for (const char* name : {"replica_lag_ms", "replica_lag_bytes"}) {
      // It grows stale: nobody can know it.
      At(name).problem = absl::StrCat("standby \"", lag.missing, "\" was there a moment ago and is not now");
    }
    return;
  }
  if (!lag.any) {
    SetAbsent("replica_lag_ms", read);
    SetAbsent("replica_lag_bytes", read);
    return;
  }
  const auto standby = [](const std::string& name) {
    return name.empty() ? "" : absl::StrCat("standby \"", name, "\"");
  };
  Set("replica_lag_ms", absl::ToDoubleMilliseconds(lag.time), read, standby(lag.slowest_in_time));
  Set("replica_lag_bytes", lag.bytes, read, standby(lag.slowest_in_bytes));
}

absl::Status SignalReader::LookAtRest(pg::Connection* connection) {
  std::vector<Timed*> due;
  const absl::Time begun = now_();
  for (Timed& timed : timed_) {
    if (timed.next <= begun) due.push_back(&timed);
  }
  std::stable_sort(due.begin(), due.end(), [](const Timed* a, const Timed* b) { return a->next < b->next; });
  for (Timed* timed : due) {
    RETURN_IF_ERROR(Run(timed, connection));
    if (now_() - begun > interval_) break;
  }
  return absl::OkStatus();
}

absl::Status SignalReader::Run(Timed* timed, pg::Connection* connection) {
  const absl::Time begun = now_();
  const absl::Status status = timed->read(connection, begun);
  const absl::Duration period = std::max({kSeldom, interval_, kRest * (now_() - begun)});
  timed->next = begun + period;
  for (const std::string& name : timed->signals) {
    Signal& signal = At(name);
    signal.problem = std::string(status.message());
    if (status.ok()) signal.stale_after = std::max(kStaleAfter, 3 * period);
  }
  return Broken(connection) ? status : absl::OkStatus();
}

absl::Status SignalReader::ReadTable(pg::Connection* connection, absl::Time begun) {
  const char* const checkpoints = server_version_num_ >= 170000 ? "num_requested FROM pg_stat_checkpointer"
                                                                : "checkpoints_req FROM pg_stat_bgwriter";
  ASSIGN_OR_RETURN(const pg::Result row, connection->Execute(absl::StrFormat(kTable, checkpoints), {table_}));
  const bool exists = row.Int(0, 0) > 0;
  const double dead = row.Double(0, 1), live = row.Double(0, 2);
  // Statistics that were never taken say nothing.
  if (exists && live > 0) {
    Set("dead_rows_per_live_row", dead / live, begun);
  } else {
    SetAbsent("dead_rows_per_live_row", begun);
  }
  if (exists && sees_sessions_) {
    Set("autovacuum_on_table", row.Int(0, 3) > 0 ? 1 : 0, begun);
    Set("wraparound_vacuum_on_table", row.Int(0, 4) > 0 ? 1 : 0, begun);
  } else {
    SetAbsent("autovacuum_on_table", begun);
    SetAbsent("wraparound_vacuum_on_table", begun);
  }
  // Someone may have reset the statistics.
  if (!checkpoints_.empty() && row.Int(0, 5) < checkpoints_.back().second) checkpoints_.clear();
  checkpoints_.emplace_back(begun, row.Int(0, 5));
  while (begun - checkpoints_.front().first > kCheckpointsCounted) checkpoints_.pop_front();
  Set("requested_checkpoints_per_minute",
      static_cast<double>(checkpoints_.back().second - checkpoints_.front().second), begun);
  return absl::OkStatus();
}

absl::Status SignalReader::ReadArchive(pg::Connection* connection, absl::Time begun) {
  if (!archives_ || !sees_archive_) {
    SetAbsent("archive_backlog", begun);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const pg::Result row, connection->Execute(kArchive));
  Set("archive_backlog", row.Double(0, 0), begun);
  return absl::OkStatus();
}

absl::Status SignalReader::ReadDisk(absl::Time begun) {
  if (config_.disk_path.empty()) {
    SetAbsent("disk_used_fraction", begun);
    return absl::OkStatus();
  }
  struct statvfs disk = {};
  if (statvfs(config_.disk_path.c_str(), &disk) != 0) {
    return absl::NotFoundError(absl::StrCat("disk_path ", config_.disk_path, ": ", std::strerror(errno)));
  }
  const double used = static_cast<double>(disk.f_blocks - disk.f_bfree);
  const double usable = used + static_cast<double>(disk.f_bavail);
  Set("disk_used_fraction", usable > 0 ? used / usable : 0, begun);
  return absl::OkStatus();
}

absl::Status SignalReader::ReadCheck(const ThrottleCheck& check, pg::Connection* connection,
                                     absl::Time begun) {
  RETURN_IF_ERROR(connection->Execute("BEGIN READ ONLY; SET LOCAL statement_timeout = '1s'").status());
  const absl::Status taken = TakeCheckRole(connection, config_.check_role);
  const absl::StatusOr<pg::Result> rows =
      taken.ok() ? connection->Execute(check.sql) : absl::StatusOr<pg::Result>(taken);
  // Rolled back, so that nothing that the check has set outlives it.
  const absl::Status ended = connection->Execute("ROLLBACK").status();
  RETURN_IF_ERROR(rows.status());
  RETURN_IF_ERROR(ended);
  ASSIGN_OR_RETURN(const double value, Number(*rows));
  Set(check.name, value, begun);
  return absl::OkStatus();
}

void SignalReader::Lost(const absl::Status& status) {
  for (Signal& signal : signals_) signal.problem = std::string(status.message());
  // All of it is read as soon as there is a connection again.
  for (Timed& timed : timed_) timed.next = absl::InfinitePast();
}

void SignalReader::Set(const std::string& name, double value, absl::Time read, std::string detail) {
  Signal& signal = At(name);
  signal.value = value;
  signal.detail = std::move(detail);
  signal.read = read;
  signal.absent = false;
  signal.problem.clear();
}

void SignalReader::SetAbsent(const std::string& name, absl::Time read) {
  Set(name, 0, read);
  At(name).absent = true;
}

}  // namespace curlew::agent
