#include "controller/store/sqlite_rollout_store.h"

#include <optional>
#include <utility>

#include "SQLiteCpp/Statement.h"
#include "SQLiteCpp/Transaction.h"
#include "absl/strings/str_cat.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"
#include "controller/store/change.h"
#include "controller/store/record.h"
#include "controller/store/sqlite_error.h"
#include "controller/store/sqlite_schema.h"
#include "controller/store/sqlite_values.h"

namespace curlew::store {
namespace {

using SQLite::Statement;
using SQLite::Transaction;

absl::Status Configure(SQLite::Database& database) {
  const std::string mode = database.execAndGet("PRAGMA journal_mode = WAL").getString();
  if (mode != "wal") {
    return absl::FailedPreconditionError(absl::StrCat("store ", database.getFilename(),
                                                      ": its file system cannot hold a "
                                                      "write-ahead log (journal mode is ",
                                                      mode, "); put it on a local disk"));
  }
  database.exec("PRAGMA synchronous = FULL");
  database.exec("PRAGMA foreign_keys = ON");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteRolloutStore>> SqliteRolloutStore::Open(
    const SqliteStoreOptions& options) {
  return CatchSqlite(
      options.path, "cannot be opened", [&]() -> absl::StatusOr<std::unique_ptr<SqliteRolloutStore>> {
        auto database = std::make_unique<SQLite::Database>(
            options.path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE,
            static_cast<int>(absl::ToInt64Milliseconds(options.busy_timeout)));
        const std::vector<Migration> migrations = ControllerMigrations();
        // Before anything is written: a file that is not ours stays as it is.
        RETURN_IF_ERROR(ReadVersion(*database, static_cast<int>(migrations.size())).status());
        RETURN_IF_ERROR(Configure(*database));
        RETURN_IF_ERROR(Migrate(*database, migrations));
        return std::unique_ptr<SqliteRolloutStore>(new SqliteRolloutStore(std::move(database)));
      });
}

absl::StatusOr<v1::StoredPlan> SqliteRolloutStore::PutPlan(const v1::StoredPlan& plan, const Record& record) {
  RETURN_IF_ERROR(CheckPlanNames(plan));
  RETURN_IF_ERROR(CheckRecord(record));
  return CatchSqlite(path(), "cannot store the plan", [&]() -> absl::StatusOr<v1::StoredPlan> {
    Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
    Statement select(*database_, "SELECT digest, stored FROM plan WHERE name = ?");
    select.bind(1, plan.name());
    if (select.executeStep()) {
      RETURN_IF_ERROR(CheckSamePlan(plan, select.getColumn(0).getString()));
      return ReadProto<v1::StoredPlan>(select.getColumn(1), path());
    }
    Statement insert(*database_, "INSERT INTO plan (name, plan_name, digest, stored) VALUES (?, ?, ?, ?)");
    insert.bind(1, plan.name());
    insert.bind(2, plan.plan().name());
    insert.bind(3, plan.digest());
    BindProto(insert, 4, plan);
    insert.exec();
    records_.Write(record);
    transaction.commit();
    return plan;
  });
}

absl::StatusOr<v1::StoredPlan> SqliteRolloutStore::PutPlanSignature(const std::string& plan,
                                                                    const v1::PlanSignature& signature,
                                                                    const Record& record) {
  RETURN_IF_ERROR(CheckRecord(record));
  return CatchSqlite(path(), "cannot store the plan's signature", [&]() -> absl::StatusOr<v1::StoredPlan> {
    Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
    Statement select(*database_, "SELECT stored FROM plan WHERE name = ?");
    select.bind(1, plan);
    if (!select.executeStep()) return NoPlan(plan);
    ASSIGN_OR_RETURN(v1::StoredPlan stored, ReadProto<v1::StoredPlan>(select.getColumn(0), path()));
    if (!AddSignature(signature, &stored)) return stored;
    select.reset();
    Statement update(*database_, "UPDATE plan SET stored = ? WHERE name = ?");
    BindProto(update, 1, stored);
    update.bind(2, plan);
    update.exec();
    records_.Write(record);
    transaction.commit();
    return stored;
  });
}

absl::StatusOr<v1::StoredPlan> SqliteRolloutStore::GetPlan(const std::string& name) {
  return CatchSqlite(path(), "cannot read the plan", [&]() -> absl::StatusOr<v1::StoredPlan> {
    Statement select(*database_,
                     IsPlanResource(name)
                         ? "SELECT stored FROM plan WHERE name = ?"
                         : "SELECT stored FROM plan WHERE plan_name = ? ORDER BY sequence DESC LIMIT 1");
    select.bind(1, name);
    if (!select.executeStep()) return NoPlan(name);
    return ReadProto<v1::StoredPlan>(select.getColumn(0), path());
  });
}

absl::StatusOr<std::vector<v1::StoredPlan>> SqliteRolloutStore::ListPlans(const Page& page,
                                                                          std::string* next) {
  ASSIGN_OR_RETURN(const PageRange range, ReadPage(page));
  return CatchSqlite(path(), "cannot list the plans", [&] {
    Statement select(*database_,
                     "SELECT sequence, stored FROM plan WHERE sequence < ? ORDER BY sequence DESC LIMIT ?");
    return ReadPageOf<v1::StoredPlan>(select, 1, range, next, [&](Statement& row) {
      return ReadProto<v1::StoredPlan>(row.getColumn(1), path());
    });
  });
}

absl::Status SqliteRolloutStore::PutEnvironments(const std::vector<v1::Environment>& environments,
                                                 const Record& record) {
  RETURN_IF_ERROR(CheckRecord(record));
  for (const v1::Environment& environment : environments) {
    RETURN_IF_ERROR(CheckStorableText("the name of an environment", environment.name()));
  }
  return CatchSqlite(path(), "cannot store the environments", [&]() -> absl::Status {
    Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
    database_->exec("DELETE FROM environment");
    Statement insert(*database_, "INSERT INTO environment (position, name, environment) VALUES (?, ?, ?)");
    for (size_t i = 0; i < environments.size(); ++i) {
      insert.reset();
      insert.bind(1, static_cast<int64_t>(i));
      insert.bind(2, environments[i].name());
      BindProto(insert, 3, environments[i]);
      insert.exec();
    }
    records_.Write(record);
    transaction.commit();
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<v1::Environment>> SqliteRolloutStore::ListEnvironments() {
  return CatchSqlite(path(), "cannot list the environments",
                     [&]() -> absl::StatusOr<std::vector<v1::Environment>> {
                       std::vector<v1::Environment> environments;
                       Statement select(*database_, "SELECT environment FROM environment ORDER BY position");
                       while (select.executeStep()) {
                         ASSIGN_OR_RETURN(v1::Environment environment,
                                          ReadProto<v1::Environment>(select.getColumn(0), path()));
                         environments.push_back(std::move(environment));
                       }
                       return environments;
                     });
}

absl::StatusOr<int64_t> SqliteRolloutStore::Commit(const RolloutChange& change) {
  RETURN_IF_ERROR(CheckNames(change));
  RETURN_IF_ERROR(CheckRecord(change.record));
  const std::string doing = absl::StrCat("cannot store a change of ", change.rollout.name());
  return CatchSqlite(path(), doing, [&]() -> absl::StatusOr<int64_t> {
    Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
    std::optional<StoredState> stored;
    {
      Statement select(*database_, "SELECT version, last_event FROM rollout WHERE name = ?");
      select.bind(1, change.rollout.name());
      if (select.executeStep()) {
        stored = {.version = select.getColumn(0).getInt64(), .last_event = select.getColumn(1).getInt64()};
      }
      if (stored.has_value() && change.trim_events_below > 0) {
        Statement oldest(*database_, "SELECT coalesce(min(number), 0) FROM event WHERE rollout = ?");
        oldest.bind(1, change.rollout.name());
        if (oldest.executeStep()) stored->first_event = oldest.getColumn(0).getInt64();
      }
    }
    RETURN_IF_ERROR(CheckChange(change, stored));
    RolloutBytes bytes = SplitRollout(change.rollout);
    WriteRollout(change, bytes);
    WriteEvents(change);
    WriteOutbox(change);
    WritePin(change);
    records_.Write(change.record);
    base::FaultPoint("store.in_transaction");
    transaction.commit();
    written_runs_.Keep(change.rollout.name(), change.expected_version + 1, std::move(bytes.runs));
    return change.expected_version + 1;
  });
}

void SqliteRolloutStore::WriteRollout(const RolloutChange& change, const RolloutBytes& bytes) {
  Statement write(*database_,
                  change.expected_version == 0
                      ? "INSERT INTO rollout (version, last_event, rollout, name) VALUES (?, ?, ?, ?)"
                      : "UPDATE rollout SET version = ?, last_event = ?, rollout = ? WHERE name = ?");
  write.bind(1, change.expected_version + 1);
  write.bind(2, change.rollout.last_event());
  BindBytes(write, 3, bytes.rollout);
  write.bind(4, change.rollout.name());
  write.exec();
  const RunsToWrite runs =
      CompareRuns(written_runs_.Take(change.rollout.name(), change.expected_version), bytes.runs);
  if (runs.removes) {
    Statement remove(*database_, "DELETE FROM run WHERE rollout = ? AND position >= ?");
    remove.bind(1, change.rollout.name());
    remove.bind(2, static_cast<int64_t>(runs.keep));
    remove.exec();
  }
  Statement put(*database_,
                "INSERT INTO run (rollout, position, run) VALUES (?, ?, ?)"
                " ON CONFLICT (rollout, position) DO UPDATE SET run = excluded.run");
  for (const size_t position : runs.positions) {
    put.reset();
    put.bind(1, change.rollout.name());
    put.bind(2, static_cast<int64_t>(position));
    BindBytes(put, 3, bytes.runs[position]);
    put.exec();
  }
}

absl::StatusOr<v1::Rollout> SqliteRolloutStore::ReadWhole(const SQLite::Column& rollout,
                                                          const std::string& name) {
  std::string bytes = Bytes(rollout);
  Statement select(*database_, "SELECT run FROM run WHERE rollout = ? ORDER BY position");
  select.bind(1, name);
  while (select.executeStep()) {
    const SQLite::Column run = select.getColumn(0);
    bytes.append(static_cast<const char*>(run.getBlob()), run.getBytes());
  }
  return ParseProto<v1::Rollout>(bytes, path());
}

void SqliteRolloutStore::WriteEvents(const RolloutChange& change) {
  Statement insert(*database_, "INSERT INTO event (rollout, number, event) VALUES (?, ?, ?)");
  for (const v1::Event& event : change.events) {
    insert.reset();
    insert.bind(1, change.rollout.name());
    insert.bind(2, event.number());
    BindProto(insert, 3, event);
    insert.exec();
  }
  if (change.trim_events_below <= 0) return;
  Statement trim(*database_, "DELETE FROM event WHERE rollout = ? AND number < ?");
  trim.bind(1, change.rollout.name());
  trim.bind(2, change.trim_events_below);
  trim.exec();
}

void SqliteRolloutStore::WriteOutbox(const RolloutChange& change) {
  Statement insert(*database_, "INSERT INTO outbox (rollout, target, kind, payload) VALUES (?, ?, ?, ?)");
  for (const OutboxEntry& entry : change.outbox) {
    insert.reset();
    insert.bind(1, entry.rollout);
    insert.bind(2, entry.target);
    insert.bind(3, entry.kind);
    BindBytes(insert, 4, entry.payload);
    insert.exec();
  }
  Statement done(*database_, "DELETE FROM outbox WHERE id = ?");
  for (int64_t id : change.outbox_done) {
    done.reset();
    done.bind(1, id);
    done.exec();
  }
}

void SqliteRolloutStore::WritePin(const RolloutChange& change) {
  if (!change.pin.has_value()) return;
  Statement write(*database_,
                  "INSERT INTO compiled_plan (run, rollout, compiled_plan) VALUES (?, ?, ?) "
                  "ON CONFLICT (run) DO UPDATE SET compiled_plan = excluded.compiled_plan");
  write.bind(1, change.pin->run);
  write.bind(2, change.rollout.name());
  BindProto(write, 3, change.pin->plan);
  write.exec();
}

absl::StatusOr<VersionedRollout> SqliteRolloutStore::GetRollout(const std::string& name) {
  return CatchSqlite(path(), "cannot read the rollout", [&]() -> absl::StatusOr<VersionedRollout> {
    const Transaction snapshot(*database_);
    Statement select(*database_, "SELECT version, rollout FROM rollout WHERE name = ?");
    select.bind(1, name);
    if (!select.executeStep()) return absl::NotFoundError(absl::StrCat("there is no rollout \"", name, "\""));
    ASSIGN_OR_RETURN(v1::Rollout rollout, ReadWhole(select.getColumn(1), name));
    return VersionedRollout{.version = select.getColumn(0).getInt64(), .rollout = std::move(rollout)};
  });
}

absl::StatusOr<std::vector<VersionedRollout>> SqliteRolloutStore::ListRollouts(const Page& page,
                                                                               std::string* next) {
  ASSIGN_OR_RETURN(const PageRange range, ReadPage(page));
  return CatchSqlite(path(), "cannot list the rollouts", [&] {
    const Transaction snapshot(*database_);
    Statement select(*database_,
                     "SELECT sequence, rollout, version, name FROM rollout"
                     " WHERE sequence < ? ORDER BY sequence DESC LIMIT ?");
    return ReadPageOf<VersionedRollout>(
        select, 1, range, next, [&](Statement& row) -> absl::StatusOr<VersionedRollout> {
          ASSIGN_OR_RETURN(v1::Rollout rollout, ReadWhole(row.getColumn(1), row.getColumn(3).getString()));
          return VersionedRollout{.version = row.getColumn(2).getInt64(), .rollout = std::move(rollout)};
        });
  });
}

absl::StatusOr<std::vector<v1::Event>> SqliteRolloutStore::ListEvents(const std::string& rollout,
                                                                      int64_t after, int limit) {
  return CatchSqlite(path(), "cannot list the events", [&]() -> absl::StatusOr<std::vector<v1::Event>> {
    std::vector<v1::Event> events;
    Statement select(*database_,
                     "SELECT event FROM event WHERE rollout = ? AND number > ? ORDER BY number LIMIT ?");
    select.bind(1, rollout);
    select.bind(2, after);
    select.bind(3, std::max(0, limit));
    while (select.executeStep()) {
      ASSIGN_OR_RETURN(v1::Event event, ReadProto<v1::Event>(select.getColumn(0), path()));
      events.push_back(std::move(event));
    }
    return events;
  });
}

absl::StatusOr<v1::CompiledPlan> SqliteRolloutStore::GetCompiledPlan(const std::string& run) {
  return CatchSqlite(path(), "cannot read the compiled plan", [&]() -> absl::StatusOr<v1::CompiledPlan> {
    Statement select(*database_, "SELECT compiled_plan FROM compiled_plan WHERE run = ?");
    select.bind(1, run);
    if (!select.executeStep()) return absl::NotFoundError(absl::StrCat(run, " has not been compiled"));
    return ReadProto<v1::CompiledPlan>(select.getColumn(0), path());
  });
}

absl::StatusOr<std::vector<OutboxEntry>> SqliteRolloutStore::PendingOutbox() {
  return CatchSqlite(path(), "cannot read the outbox", [&]() -> absl::StatusOr<std::vector<OutboxEntry>> {
    std::vector<OutboxEntry> entries;
    Statement select(*database_, "SELECT id, rollout, target, kind, payload FROM outbox ORDER BY id");
    while (select.executeStep()) {
      entries.push_back({.id = select.getColumn(0).getInt64(),
                         .rollout = select.getColumn(1).getString(),
                         .target = select.getColumn(2).getString(),
                         .kind = select.getColumn(3).getString(),
                         .payload = Bytes(select.getColumn(4))});
    }
    return entries;
  });
}

}  // namespace curlew::store
