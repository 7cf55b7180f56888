#include "controller/store/postgres_rows.h"

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/store/postgres_rollout_store.h"

namespace curlew::store {
namespace {

std::string Int(int64_t value) { return absl::StrCat(value); }
std::string Hex(const std::string& bytes) { return absl::BytesToHexString(bytes); }

// `declare` declares cursor "backup".
absl::Status Visit(PostgresWork& work, const char* declare, RowVisitor visit,
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
  RETURN_IF_ERROR(Visit(work,
                        "DECLARE backup NO SCROLL CURSOR FOR SELECT sequence, name, version, last_event,"
                        " encode(rollout, 'hex') FROM curlew_controller.rollout ORDER BY sequence",
                        visit, [](const pg::Result& from, int64_t i, v1::StoreRow* row) {
                          v1::RolloutRow* rollout = row->mutable_rollout();
                          rollout->set_sequence(from.Int(i, 0));
                          rollout->set_name(from.Text(i, 1));
                          rollout->set_version(from.Int(i, 2));
                          rollout->set_last_event(from.Int(i, 3));
                          rollout->set_rollout(BytesOf(from, i, 4));
                        }));
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
  // A sequence is of no snapshot: it may be further than the rows, never behind them.
  return Visit(work,
               "DECLARE backup NO SCROLL CURSOR FOR"
               " SELECT 'outbox', CASE WHEN is_called THEN last_value ELSE 0 END"
               "   FROM curlew_controller.outbox_id_seq UNION ALL"
               " SELECT 'plan', CASE WHEN is_called THEN last_value ELSE 0 END"
               "   FROM curlew_controller.plan_sequence_seq UNION ALL"
               " SELECT 'rollout', CASE WHEN is_called THEN last_value ELSE 0 END"
               "   FROM curlew_controller.rollout_sequence_seq",
               visit, [](const pg::Result& from, int64_t i, v1::StoreRow* row) {
                 row->mutable_sequence()->set_table(from.Text(i, 0));
                 row->mutable_sequence()->set_last(from.Int(i, 1));
               });
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
      const std::string column = row.sequence().table() == "outbox" ? "id" : "sequence";
      return work
          .Execute(
              "SELECT setval(pg_get_serial_sequence(format('curlew_controller.%I', $1::text), $2),"
              " $3::bigint, true)",
              {row.sequence().table(), column, Int(row.sequence().last())})
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
                                " AND NOT EXISTS (SELECT FROM curlew_controller.rollout)"));
  return rows.Bool(0, 0);
}

}  // namespace curlew::store
