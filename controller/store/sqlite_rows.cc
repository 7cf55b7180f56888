#include "controller/store/sqlite_rows.h"

#include <functional>
#include <string>

#include "SQLiteCpp/Statement.h"
#include "common/base/status_macros.h"
#include "controller/store/record.h"
#include "controller/store/sqlite_values.h"

namespace curlew::store {
namespace {

using SQLite::Statement;

absl::Status Visit(SQLite::Database& database, const char* sql, RowVisitor visit,
                   const std::function<void(Statement&, v1::StoreRow*)>& fill) {
  Statement select(database, sql);
  while (select.executeStep()) {
    v1::StoreRow row;
    fill(select, &row);
    RETURN_IF_ERROR(visit(row));
  }
  return absl::OkStatus();
}

// Binds what follows from the first parameter on.
class Binder {
 public:
  explicit Binder(Statement* statement) : statement_(statement) {}
  Binder& Int(int64_t value) {
    statement_->bind(++index_, value);
    return *this;
  }
  Binder& Text(const std::string& value) {
    statement_->bind(++index_, value);
    return *this;
  }
  Binder& Blob(const std::string& value) {
    statement_->bind(++index_, static_cast<const void*>(value.data()), static_cast<int>(value.size()));
    return *this;
  }

 private:
  Statement* statement_;
  int index_ = 0;
};

void WriteSequence(SQLite::Database& database, const v1::SequenceRow& row) {
  // Rows that were written with their numbers have made SQLite count already.
  Statement update(database, "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?");
  Binder(&update).Int(row.last()).Text(row.table());
  if (update.exec() > 0) return;
  Statement insert(database, "INSERT INTO sqlite_sequence (seq, name) VALUES (?, ?)");
  Binder(&insert).Int(row.last()).Text(row.table());
  insert.exec();
}

absl::Status ReadRecords(SQLite::Database& database, RowVisitor visit) {
  RETURN_IF_ERROR(Visit(database, "SELECT number, hash, entry FROM audit ORDER BY number", visit,
                        [](Statement& from, v1::StoreRow* row) {
                          v1::AuditRow* audit = row->mutable_audit();
                          audit->set_number(from.getColumn(0).getInt64());
                          audit->set_hash(from.getColumn(1).getString());
                          audit->set_entry(Bytes(from.getColumn(2)));
                        }));
  RETURN_IF_ERROR(Visit(database, "SELECT id, notification FROM notification ORDER BY id", visit,
                        [](Statement& from, v1::StoreRow* row) {
                          v1::NotificationRow* notification = row->mutable_notification();
                          notification->set_id(from.getColumn(0).getInt64());
                          notification->set_notification(Bytes(from.getColumn(1)));
                        }));
  return Visit(database, "SELECT target, number, record, schema FROM target_record ORDER BY target, number",
               visit, [](Statement& from, v1::StoreRow* row) {
                 v1::TargetRecordRow* record = row->mutable_target_record();
                 record->set_target(from.getColumn(0).getString());
                 record->set_number(from.getColumn(1).getInt64());
                 record->set_record(Bytes(from.getColumn(2)) + Bytes(from.getColumn(3)));
               });
}

absl::Status ReadTokens(SQLite::Database& database, RowVisitor visit) {
  return Visit(database, "SELECT sequence, name, hash, token FROM token ORDER BY sequence", visit,
               [](Statement& from, v1::StoreRow* row) {
                 v1::TokenRow* token = row->mutable_token();
                 token->set_sequence(from.getColumn(0).getInt64());
                 token->set_name(from.getColumn(1).getString());
                 token->set_hash(from.getColumn(2).getString());
                 token->set_token(Bytes(from.getColumn(3)));
               });
}

// Rollouts are whole in a backup, however they are kept.
absl::Status ReadRollouts(SQLite::Database& database, RowVisitor visit) {
  // A store of an earlier version does not have the table.
  Statement runs(database, database.tableExists("run")
                               ? "SELECT run FROM run WHERE rollout = ? ORDER BY position"
                               : "SELECT x'' WHERE ? IS NULL");
  return Visit(database, "SELECT sequence, name, version, last_event, rollout FROM rollout ORDER BY sequence",
               visit, [&](Statement& from, v1::StoreRow* row) {
                 v1::RolloutRow* rollout = row->mutable_rollout();
                 rollout->set_sequence(from.getColumn(0).getInt64());
                 rollout->set_name(from.getColumn(1).getString());
                 rollout->set_version(from.getColumn(2).getInt64());
                 rollout->set_last_event(from.getColumn(3).getInt64());
                 rollout->set_rollout(Bytes(from.getColumn(4)));
                 runs.reset();
                 runs.bind(1, rollout->name());
                 while (runs.executeStep()) rollout->mutable_rollout()->append(Bytes(runs.getColumn(0)));
               });
}

}  // namespace

absl::Status ReadSqliteRows(SQLite::Database& database, RowVisitor visit) {
  RETURN_IF_ERROR(Visit(database,
                        "SELECT sequence, name, plan_name, digest, stored FROM plan ORDER BY sequence", visit,
                        [](Statement& from, v1::StoreRow* row) {
                          v1::PlanRow* plan = row->mutable_plan();
                          plan->set_sequence(from.getColumn(0).getInt64());
                          plan->set_name(from.getColumn(1).getString());
                          plan->set_plan_name(from.getColumn(2).getString());
                          plan->set_digest(from.getColumn(3).getString());
                          plan->set_stored(Bytes(from.getColumn(4)));
                        }));
  RETURN_IF_ERROR(Visit(database, "SELECT position, name, environment FROM environment ORDER BY position",
                        visit, [](Statement& from, v1::StoreRow* row) {
                          v1::EnvironmentRow* environment = row->mutable_environment();
                          environment->set_position(from.getColumn(0).getInt());
                          environment->set_name(from.getColumn(1).getString());
                          environment->set_environment(Bytes(from.getColumn(2)));
                        }));
  RETURN_IF_ERROR(ReadRollouts(database, visit));
  RETURN_IF_ERROR(Visit(database, "SELECT rollout, number, event FROM event ORDER BY rollout, number", visit,
                        [](Statement& from, v1::StoreRow* row) {
                          v1::EventRow* event = row->mutable_event();
                          event->set_rollout(from.getColumn(0).getString());
                          event->set_number(from.getColumn(1).getInt64());
                          event->set_event(Bytes(from.getColumn(2)));
                        }));
  RETURN_IF_ERROR(Visit(database, "SELECT id, rollout, target, kind, payload FROM outbox ORDER BY id", visit,
                        [](Statement& from, v1::StoreRow* row) {
                          v1::OutboxRow* entry = row->mutable_outbox();
                          entry->set_id(from.getColumn(0).getInt64());
                          entry->set_rollout(from.getColumn(1).getString());
                          entry->set_target(from.getColumn(2).getString());
                          entry->set_kind(from.getColumn(3).getString());
                          entry->set_payload(Bytes(from.getColumn(4)));
                        }));
  RETURN_IF_ERROR(Visit(database, "SELECT run, rollout, compiled_plan FROM compiled_plan ORDER BY run", visit,
                        [](Statement& from, v1::StoreRow* row) {
                          v1::CompiledPlanRow* plan = row->mutable_compiled_plan();
                          plan->set_run(from.getColumn(0).getString());
                          plan->set_rollout(from.getColumn(1).getString());
                          plan->set_compiled_plan(Bytes(from.getColumn(2)));
                        }));
  // A store of an earlier version does not have them.
  if (database.tableExists("audit")) RETURN_IF_ERROR(ReadRecords(database, visit));
  if (database.tableExists("token")) RETURN_IF_ERROR(ReadTokens(database, visit));
  return Visit(database,
               "SELECT name, seq FROM sqlite_sequence"
               " WHERE name IN ('notification', 'outbox', 'plan', 'rollout', 'token') ORDER BY name",
               visit, [](Statement& from, v1::StoreRow* row) {
                 v1::SequenceRow* sequence = row->mutable_sequence();
                 sequence->set_table(from.getColumn(0).getString());
                 sequence->set_last(from.getColumn(1).getInt64());
               });
}

void WriteSqliteRow(SQLite::Database& database, const v1::StoreRow& row) {
  switch (row.kind_case()) {
    case v1::StoreRow::kPlan: {
      Statement insert(database,
                       "INSERT INTO plan (sequence, name, plan_name, digest, stored) VALUES (?, ?, ?, ?, ?)");
      const v1::PlanRow& plan = row.plan();
      Binder(&insert)
          .Int(plan.sequence())
          .Text(plan.name())
          .Text(plan.plan_name())
          .Text(plan.digest())
          .Blob(plan.stored());
      insert.exec();
      return;
    }
    case v1::StoreRow::kEnvironment: {
      Statement insert(database, "INSERT INTO environment (position, name, environment) VALUES (?, ?, ?)");
      const v1::EnvironmentRow& environment = row.environment();
      Binder(&insert).Int(environment.position()).Text(environment.name()).Blob(environment.environment());
      insert.exec();
      return;
    }
    case v1::StoreRow::kRollout: {
      Statement insert(
          database,
          "INSERT INTO rollout (sequence, name, version, last_event, rollout) VALUES (?, ?, ?, ?, ?)");
      const v1::RolloutRow& rollout = row.rollout();
      Binder(&insert)
          .Int(rollout.sequence())
          .Text(rollout.name())
          .Int(rollout.version())
          .Int(rollout.last_event())
          .Blob(rollout.rollout());
      insert.exec();
      return;
    }
    case v1::StoreRow::kEvent: {
      Statement insert(database, "INSERT INTO event (rollout, number, event) VALUES (?, ?, ?)");
      Binder(&insert).Text(row.event().rollout()).Int(row.event().number()).Blob(row.event().event());
      insert.exec();
      return;
    }
    case v1::StoreRow::kOutbox: {
      Statement insert(database,
                       "INSERT INTO outbox (id, rollout, target, kind, payload) VALUES (?, ?, ?, ?, ?)");
      const v1::OutboxRow& entry = row.outbox();
      Binder(&insert)
          .Int(entry.id())
          .Text(entry.rollout())
          .Text(entry.target())
          .Text(entry.kind())
          .Blob(entry.payload());
      insert.exec();
      return;
    }
    case v1::StoreRow::kCompiledPlan: {
      Statement insert(database, "INSERT INTO compiled_plan (run, rollout, compiled_plan) VALUES (?, ?, ?)");
      const v1::CompiledPlanRow& plan = row.compiled_plan();
      Binder(&insert).Text(plan.run()).Text(plan.rollout()).Blob(plan.compiled_plan());
      insert.exec();
      return;
    }
    case v1::StoreRow::kSequence:
      return WriteSequence(database, row.sequence());
    case v1::StoreRow::kAudit: {
      Statement insert(database, "INSERT INTO audit (number, hash, entry) VALUES (?, ?, ?)");
      Binder(&insert).Int(row.audit().number()).Text(row.audit().hash()).Blob(row.audit().entry());
      insert.exec();
      return;
    }
    case v1::StoreRow::kNotification: {
      Statement insert(database, "INSERT INTO notification (id, notification) VALUES (?, ?)");
      Binder(&insert).Int(row.notification().id()).Blob(row.notification().notification());
      insert.exec();
      return;
    }
    case v1::StoreRow::kTargetRecord: {
      Statement insert(database,
                       "INSERT INTO target_record (target, number, record, schema) VALUES (?, ?, ?, ?)");
      const v1::TargetRecordRow& record = row.target_record();
      const TargetRecordBytes bytes = SplitTargetRecord(record.record());
      Binder(&insert).Text(record.target()).Int(record.number()).Blob(bytes.record).Blob(bytes.schema);
      insert.exec();
      return;
    }
    case v1::StoreRow::kToken: {
      Statement insert(database, "INSERT INTO token (sequence, name, hash, token) VALUES (?, ?, ?, ?)");
      const v1::TokenRow& token = row.token();
      Binder(&insert).Int(token.sequence()).Text(token.name()).Text(token.hash()).Blob(token.token());
      insert.exec();
      return;
    }
    case v1::StoreRow::KIND_NOT_SET:
      return;
  }
}

bool IsEmptySqlite(SQLite::Database& database) {
  return database
             .execAndGet(
                 "SELECT EXISTS (SELECT 1 FROM plan) OR EXISTS (SELECT 1 FROM environment)"
                 " OR EXISTS (SELECT 1 FROM rollout) OR EXISTS (SELECT 1 FROM audit)"
                 " OR EXISTS (SELECT 1 FROM notification) OR EXISTS (SELECT 1 FROM target_record)"
                 " OR EXISTS (SELECT 1 FROM token)")
             .getInt() == 0;
}

}  // namespace curlew::store
