#include "controller/store/postgres_rows.h"

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/store/postgres_values.h"
#include "controller/store/record.h"

namespace curlew::store {
namespace {

std::string Int(int64_t value) { return absl::StrCat(value); }

// `declare` declares cursor "backup".
absl::Status Visit(PostgresWork& work, absl::string_view declare, RowVisitor visit,
                   const std::function<void(const pg::Result&, int64_t, v1::StoreRow*)>& fill) {
  RETURN_IF_ERROR(work.Execute(declare).status());
  for (;;) {
    ASSIGN_OR_RETURN(const pg::Result rows, work.Execute("FETCH 50 FROM backup"));
    for (int64_t i = 0; i < rows.size(); ++i) {
      v1::StoreRow row;
      fill(rows, i, &row);
      RETURN_IF_ERROR(visit(row));
    }
    if (rows.empty()) break;
  }
  return work.Execute("CLOSE backup").status();
}

// Whether the store is of a version that has the table. Not by to_regclass: that looks beyond the snapshot.
absl::StatusOr<bool> HasTable(PostgresWork& work, const std::string& table) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   work.Execute("SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                                " WHERE n.nspname = 'curlew_controller' AND c.relname = $1",
                                {table}));
  return !rows.empty();
}

// Rollouts are whole in a backup, however they are kept.
absl::Status ReadRollouts(PostgresWork& work, RowVisitor visit) {
  ASSIGN_OR_RETURN(const bool runs, HasTable(work, "run"));
  return Visit(work,
               absl::StrCat("DECLARE backup NO SCROLL CURSOR FOR SELECT r.sequence, r.name, r.version,"
                            " r.last_event, ",
                            runs ? kWholeRollout : "encode(r.rollout, 'hex')",
                            " FROM curlew_controller.rollout AS r ORDER BY r.sequence"),
               visit, [](const pg::Result& from, int64_t i, v1::StoreRow* row) {
                 v1::RolloutRow* rollout = row->mutable_rollout();
                 rollout->set_sequence(from.Int(i, 0));
                 rollout->set_name(from.Text(i, 1));
                 rollout->set_version(from.Int(i, 2));
                 rollout->set_last_event(from.Int(i, 3));
                 rollout->set_rollout(BytesOf(from, i, 4));
               });
}

absl::Status ReadRecords(PostgresWork& work, RowVisitor visit) {
  RETURN_IF_ERROR(Visit(work,
                        "DECLARE backup NO SCROLL CURSOR FOR SELECT number, hash, encode(entry, 'hex')"
                        " FROM curlew_controller.audit ORDER BY number",
                        visit, [](const pg::Result& from, int64_t i, v1::StoreRow* row) {
                          v1::AuditRow* audit = row->mutable_audit();
                          audit->set_number(from.Int(i, 0));
                          audit->set_hash(from.Text(i, 1));
                          audit->set_entry(BytesOf(from, i, 2));
                        }));
  RETURN_IF_ERROR(Visit(work,
                        "DECLARE backup NO SCROLL CURSOR FOR SELECT id, encode(notification, 'hex')"
                        " FROM curlew_controller.notification ORDER BY id",
                        visit, [](const pg::Result& from, int64_t i, v1::StoreRow* row) {
                          v1::NotificationRow* notification = row->mutable_notification();
                          notification->set_id(from.Int(i, 0));
                          notification->set_notification(BytesOf(from, i, 1));
                        }));
  return Visit(work,
               "DECLARE backup NO SCROLL CURSOR FOR SELECT target, number, encode(record || schema, 'hex')"
               " FROM curlew_controller.target_record ORDER BY target, number",
               visit, [](const pg::Result& from, int64_t i, v1::StoreRow* row) {
                 v1::TargetRecordRow* record = row->mutable_target_record();
                 record->set_target(from.Text(i, 0));
                 record->set_number(from.Int(i, 1));
                 record->set_record(BytesOf(from, i, 2));
               });
}

absl::Status ReadTokens(PostgresWork& work, RowVisitor visit) {
  return Visit(work,
               "DECLARE backup NO SCROLL CURSOR FOR SELECT sequence, name, hash, encode(token, 'hex')"
               " FROM curlew_controller.token ORDER BY sequence",
               visit, [](const pg::Result& from, int64_t i, v1::StoreRow* row) {
                 v1::TokenRow* token = row->mutable_token();
                 token->set_sequence(from.Int(i, 0));
                 token->set_name(from.Text(i, 1));
                 token->set_hash(from.Text(i, 2));
                 token->set_token(BytesOf(from, i, 3));
               });
}

// A sequence is of no snapshot: it may be further than the rows, never behind them.
constexpr char kSequences[] =
    "DECLARE backup NO SCROLL CURSOR FOR"
    " SELECT 'outbox', CASE WHEN is_called THEN last_value ELSE 0 END"
    "   FROM curlew_controller.outbox_id_seq UNION ALL"
    " SELECT 'plan', CASE WHEN is_called THEN last_value ELSE 0 END"
    "   FROM curlew_controller.plan_sequence_seq UNION ALL"
    " SELECT 'rollout', CASE WHEN is_called THEN last_value ELSE 0 END"
    "   FROM curlew_controller.rollout_sequence_seq";
constexpr char kSequencesOfRecords[] =
    "DECLARE backup NO SCROLL CURSOR FOR"
    " SELECT 'notification', CASE WHEN is_called THEN last_value ELSE 0 END"
    "   FROM curlew_controller.notification_id_seq";

constexpr char kSequenceOfTokens[] =
    "DECLARE backup NO SCROLL CURSOR FOR SELECT 'token', CASE WHEN is_called THEN last_value ELSE 0 END"
    "   FROM curlew_controller.token_sequence_seq";

void FillSequence(const pg::Result& from, int64_t i, v1::StoreRow* row) {
  row->mutable_sequence()->set_table(from.Text(i, 0));
  row->mutable_sequence()->set_last(from.Int(i, 1));
}

}  // namespace

absl::Status ReadPostgresRows(PostgresWork& work, RowVisitor visit) {
  RETURN_IF_ERROR(Visit(work,
                        "DECLARE backup NO SCROLL CURSOR FOR SELECT sequence, name, plan_name, digest,"
                        " encode(stored, 'hex') FROM curlew_controller.plan ORDER BY sequence",
                        visit, [](const pg::Result& from, int64_t i, v1::StoreRow* row) {
                          v1::PlanRow* plan = row->mutable_plan();
                          plan->set_sequence(from.Int(i, 0));
                          plan->set_name(from.Text(i, 1));
                          plan->set_plan_name(from.Text(i, 2));
                          plan->set_digest(from.Text(i, 3));
                          plan->set_stored(BytesOf(from, i, 4));
                        }));
  RETURN_IF_ERROR(
      Visit(work,
            "DECLARE backup NO SCROLL CURSOR FOR SELECT position, name, encode(environment, 'hex')"
            " FROM curlew_controller.environment ORDER BY position",
            visit, [](const pg::Result& from, int64_t i, v1::StoreRow* row) {
              v1::EnvironmentRow* environment = row->mutable_environment();
              environment->set_position(static_cast<int32_t>(from.Int(i, 0)));
              environment->set_name(from.Text(i, 1));
              environment->set_environment(BytesOf(from, i, 2));
            }));
  RETURN_IF_ERROR(ReadRollouts(work, visit));
  RETURN_IF_ERROR(Visit(work,
                        "DECLARE backup NO SCROLL CURSOR FOR SELECT rollout, number, encode(event, 'hex')"
                        " FROM curlew_controller.event ORDER BY rollout, number",
                        visit, [](const pg::Result& from, int64_t i, v1::StoreRow* row) {
                          v1::EventRow* event = row->mutable_event();
                          event->set_rollout(from.Text(i, 0));
                          event->set_number(from.Int(i, 1));
                          event->set_event(BytesOf(from, i, 2));
                        }));
  RETURN_IF_ERROR(Visit(work,
                        "DECLARE backup NO SCROLL CURSOR FOR SELECT id, rollout, target, kind,"
                        " encode(payload, 'hex') FROM curlew_controller.outbox ORDER BY id",
                        visit, [](const pg::Result& from, int64_t i, v1::StoreRow* row) {
                          v1::OutboxRow* entry = row->mutable_outbox();
                          entry->set_id(from.Int(i, 0));
                          entry->set_rollout(from.Text(i, 1));
                          entry->set_target(from.Text(i, 2));
                          entry->set_kind(from.Text(i, 3));
                          entry->set_payload(BytesOf(from, i, 4));
                        }));
  RETURN_IF_ERROR(
      Visit(work,
            "DECLARE backup NO SCROLL CURSOR FOR SELECT run, rollout, encode(compiled_plan, 'hex')"
            " FROM curlew_controller.compiled_plan ORDER BY run",
            visit, [](const pg::Result& from, int64_t i, v1::StoreRow* row) {
              v1::CompiledPlanRow* plan = row->mutable_compiled_plan();
              plan->set_run(from.Text(i, 0));
              plan->set_rollout(from.Text(i, 1));
              plan->set_compiled_plan(BytesOf(from, i, 2));
            }));
  // A store of an earlier version does not have them.
  ASSIGN_OR_RETURN(const bool records, HasTable(work, "audit"));
  ASSIGN_OR_RETURN(const bool tokens, HasTable(work, "token"));
  if (records) RETURN_IF_ERROR(ReadRecords(work, visit));
  if (tokens) RETURN_IF_ERROR(ReadTokens(work, visit));
  if (records) RETURN_IF_ERROR(Visit(work, kSequencesOfRecords, visit, FillSequence));
  RETURN_IF_ERROR(Visit(work, kSequences, visit, FillSequence));
  return tokens ? Visit(work, kSequenceOfTokens, visit, FillSequence) : absl::OkStatus();
}

absl::Status WritePostgresRow(PostgresWork& work, const v1::StoreRow& row) {
  switch (row.kind_case()) {
    case v1::StoreRow::kPlan: {
      const v1::PlanRow& plan = row.plan();
      return work
          .Execute(
              "INSERT INTO curlew_controller.plan (sequence, name, plan_name, digest, stored)"
              " VALUES ($1::bigint, $2, $3, $4, decode($5, 'hex'))",
              {Int(plan.sequence()), plan.name(), plan.plan_name(), plan.digest(), Hex(plan.stored())})
          .status();
    }
    case v1::StoreRow::kEnvironment: {
      const v1::EnvironmentRow& environment = row.environment();
      return work
          .Execute(
              "INSERT INTO curlew_controller.environment (position, name, environment)"
              " VALUES ($1::integer, $2, decode($3, 'hex'))",
              {Int(environment.position()), environment.name(), Hex(environment.environment())})
          .status();
    }
    case v1::StoreRow::kRollout: {
      const v1::RolloutRow& rollout = row.rollout();
      return work
          .Execute(
              "INSERT INTO curlew_controller.rollout (sequence, name, version, last_event, rollout)"
              " VALUES ($1::bigint, $2, $3::bigint, $4::bigint, decode($5, 'hex'))",
              {Int(rollout.sequence()), rollout.name(), Int(rollout.version()), Int(rollout.last_event()),
               Hex(rollout.rollout())})
          .status();
    }
    case v1::StoreRow::kEvent: {
      const v1::EventRow& event = row.event();
      return work
          .Execute(
              "INSERT INTO curlew_controller.event (rollout, number, event)"
              " VALUES ($1, $2::bigint, decode($3, 'hex'))",
              {event.rollout(), Int(event.number()), Hex(event.event())})
          .status();
    }
    case v1::StoreRow::kOutbox: {
      const v1::OutboxRow& entry = row.outbox();
      return work
          .Execute(
              "INSERT INTO curlew_controller.outbox (id, rollout, target, kind, payload)"
              " VALUES ($1::bigint, $2, $3, $4, decode($5, 'hex'))",
              {Int(entry.id()), entry.rollout(), entry.target(), entry.kind(), Hex(entry.payload())})
          .status();
    }
    case v1::StoreRow::kCompiledPlan: {
      const v1::CompiledPlanRow& plan = row.compiled_plan();
      return work
          .Execute(
              "INSERT INTO curlew_controller.compiled_plan (run, rollout, compiled_plan)"
              " VALUES ($1, $2, decode($3, 'hex'))",
              {plan.run(), plan.rollout(), Hex(plan.compiled_plan())})
          .status();
    }
    case v1::StoreRow::kSequence: {
      if (row.sequence().last() <= 0) return absl::OkStatus();
      const std::string& table = row.sequence().table();
      const std::string column = table == "outbox" || table == "notification" ? "id" : "sequence";
      return work
          .Execute(
              "SELECT setval(pg_get_serial_sequence(format('curlew_controller.%I', $1::text), $2),"
              " $3::bigint, true)",
              {table, column, Int(row.sequence().last())})
          .status();
    }
    case v1::StoreRow::kAudit: {
      return work
          .Execute(
              "INSERT INTO curlew_controller.audit (number, hash, entry)"
              " VALUES ($1::bigint, $2, decode($3, 'hex'))",
              {Int(row.audit().number()), row.audit().hash(), Hex(row.audit().entry())})
          .status();
    }
    case v1::StoreRow::kNotification: {
      return work
          .Execute(
              "INSERT INTO curlew_controller.notification (id, notification)"
              " VALUES ($1::bigint, decode($2, 'hex'))",
              {Int(row.notification().id()), Hex(row.notification().notification())})
          .status();
    }
    case v1::StoreRow::kTargetRecord: {
      const v1::TargetRecordRow& record = row.target_record();
      const TargetRecordBytes bytes = SplitTargetRecord(record.record());
      return work
          .Execute(
              "INSERT INTO curlew_controller.target_record (target, number, record, schema)"
              " VALUES ($1, $2::bigint, decode($3, 'hex'), decode($4, 'hex'))",
              {record.target(), Int(record.number()), Hex(bytes.record), Hex(bytes.schema)})
          .status();
    }
    case v1::StoreRow::kToken: {
      const v1::TokenRow& token = row.token();
      return work
          .Execute(
              "INSERT INTO curlew_controller.token (sequence, name, hash, token)"
              " VALUES ($1::bigint, $2, $3, decode($4, 'hex'))",
              {Int(token.sequence()), token.name(), token.hash(), Hex(token.token())})
          .status();
    }
    case v1::StoreRow::KIND_NOT_SET:
      break;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> IsEmptyPostgres(PostgresWork& work) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   work.Execute("SELECT NOT EXISTS (SELECT FROM curlew_controller.plan)"
                                " AND NOT EXISTS (SELECT FROM curlew_controller.environment)"
                                " AND NOT EXISTS (SELECT FROM curlew_controller.rollout)"
                                " AND NOT EXISTS (SELECT FROM curlew_controller.audit)"
                                " AND NOT EXISTS (SELECT FROM curlew_controller.notification)"
                                " AND NOT EXISTS (SELECT FROM curlew_controller.target_record)"
                                " AND NOT EXISTS (SELECT FROM curlew_controller.token)"));
  return rows.Bool(0, 0);
}

}  // namespace curlew::store
