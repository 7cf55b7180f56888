#include "controller/store/postgres_rollout_store.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"
#include "controller/store/change.h"
#include "controller/store/postgres_schema.h"
#include "controller/store/postgres_values.h"
#include "controller/store/record.h"

namespace curlew::store {
namespace {

absl::StatusOr<std::optional<StoredState>> ReadState(PostgresWork& work, const RolloutChange& change) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   work.Execute("SELECT version, last_event,"
                                " CASE WHEN $2::boolean THEN"
                                "  (SELECT min(number) FROM curlew_controller.event WHERE rollout = $1) END"
                                " FROM curlew_controller.rollout WHERE name = $1",
                                {change.rollout.name(), change.trim_events_below > 0 ? "t" : "f"}));
  if (rows.empty()) return std::nullopt;
  return StoredState{.version = rows.Int(0, 0), .last_event = rows.Int(0, 1), .first_event = rows.Int(0, 2)};
}

absl::Status WriteRollout(PostgresWork& work, const RolloutChange& change, const std::string& bytes) {
  return work
      .Execute(change.expected_version == 0
                   ? "INSERT INTO curlew_controller.rollout (version, last_event, rollout, name)"
                     " VALUES ($1::bigint, $2::bigint, decode($3, 'hex'), $4)"
                   : "UPDATE curlew_controller.rollout SET version = $1::bigint, last_event = $2::bigint,"
                     " rollout = decode($3, 'hex') WHERE name = $4",
               {absl::StrCat(change.expected_version + 1), absl::StrCat(change.rollout.last_event()),
                Hex(bytes), change.rollout.name()})
      .status();
}

absl::Status WriteRuns(PostgresWork& work, const std::string& rollout, const RunsToWrite& runs,
                       const RolloutBytes& bytes) {
  if (runs.removes) {
    RETURN_IF_ERROR(
        work.Execute("DELETE FROM curlew_controller.run WHERE rollout = $1 AND position >= $2::integer",
                     {rollout, absl::StrCat(runs.keep)})
            .status());
  }
  if (runs.positions.empty()) return absl::OkStatus();
  std::vector<std::string> positions;
  std::vector<std::string> values;
  for (const size_t position : runs.positions) {
    positions.push_back(absl::StrCat(position));
    values.push_back(Hex(bytes.runs[position]));
  }
  return work
      .Execute(
          "INSERT INTO curlew_controller.run (rollout, position, run)"
          " SELECT $1, r.position, decode(r.run, 'hex')"
          " FROM unnest($2::integer[], $3::text[]) AS r (position, run)"
          " ON CONFLICT (rollout, position) DO UPDATE SET run = excluded.run",
          {rollout, pg::ArrayParam(positions), pg::ArrayParam(values)})
      .status();
}

absl::Status WriteEvents(PostgresWork& work, const RolloutChange& change) {
  if (!change.events.empty()) {
    std::vector<std::string> numbers;
    std::vector<std::string> events;
    for (const v1::Event& event : change.events) {
      numbers.push_back(absl::StrCat(event.number()));
      events.push_back(Hex(event));
    }
    RETURN_IF_ERROR(work.Execute("INSERT INTO curlew_controller.event (rollout, number, event)"
                                 " SELECT $1, e.number, decode(e.event, 'hex')"
                                 " FROM unnest($2::bigint[], $3::text[]) AS e (number, event)",
                                 {change.rollout.name(), pg::ArrayParam(numbers), pg::ArrayParam(events)})
                        .status());
  }
  if (change.trim_events_below <= 0) return absl::OkStatus();
  return work
      .Execute("DELETE FROM curlew_controller.event WHERE rollout = $1 AND number < $2::bigint",
               {change.rollout.name(), absl::StrCat(change.trim_events_below)})
      .status();
}

absl::Status WriteOutbox(PostgresWork& work, const RolloutChange& change) {
  if (!change.outbox.empty()) {
    std::vector<std::string> targets;
    std::vector<std::string> kinds;
    std::vector<std::string> payloads;
    for (const OutboxEntry& entry : change.outbox) {
      targets.push_back(entry.target);
      kinds.push_back(entry.kind);
      payloads.push_back(absl::BytesToHexString(entry.payload));
    }
    // The rows get their ids in the order of the SELECT.
    RETURN_IF_ERROR(work.Execute("INSERT INTO curlew_controller.outbox (rollout, target, kind, payload)"
                                 " SELECT $1, e.target, e.kind, decode(e.payload, 'hex')"
                                 " FROM unnest($2::text[], $3::text[], $4::text[])"
                                 " WITH ORDINALITY AS e (target, kind, payload, place) ORDER BY e.place",
                                 {change.rollout.name(), pg::ArrayParam(targets), pg::ArrayParam(kinds),
                                  pg::ArrayParam(payloads)})
                        .status());
  }
  if (change.outbox_done.empty()) return absl::OkStatus();
  std::vector<std::string> ids;
  for (const int64_t id : change.outbox_done) ids.push_back(absl::StrCat(id));
  return work
      .Execute("DELETE FROM curlew_controller.outbox WHERE id = ANY ($1::bigint[])", {pg::ArrayParam(ids)})
      .status();
}

absl::Status WritePin(PostgresWork& work, const RolloutChange& change) {
  if (!change.pin.has_value()) return absl::OkStatus();
  return work
      .Execute(
          "INSERT INTO curlew_controller.compiled_plan (run, rollout, compiled_plan)"
          " VALUES ($1, $2, decode($3, 'hex'))"
          " ON CONFLICT (run) DO UPDATE SET compiled_plan = excluded.compiled_plan",
          {change.pin->run, change.rollout.name(), Hex(change.pin->plan)})
      .status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresRolloutStore>> PostgresRolloutStore::Open(
    const PostgresStoreOptions& options, const std::string& name, const PostgresFence& fence) {
  std::unique_ptr<PostgresRolloutStore> store(new PostgresRolloutStore(options, name, fence));
  RETURN_IF_ERROR(MigratePostgres(store->session_, PostgresMigrations()));
  // This process may have led for the same epoch before, and a commit of then may still be on its way.
  store->session_.Doubt();
  return store;
}

absl::StatusOr<pg::Result> PostgresRolloutStore::Read(absl::string_view doing, absl::string_view sql,
                                                      const std::vector<pg::Param>& params) {
  ASSIGN_OR_RETURN(PostgresWork work, session_.Begin(doing));
  return work.Execute(sql, params);
}

absl::StatusOr<v1::StoredPlan> PostgresRolloutStore::PutPlan(const v1::StoredPlan& plan,
                                                             const Record& record) {
  RETURN_IF_ERROR(CheckPlanNames(plan));
  RETURN_IF_ERROR(CheckRecord(record));
  ASSIGN_OR_RETURN(PostgresWork work, session_.BeginFenced("cannot store the plan", fence_));
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      work.Execute("SELECT digest, encode(stored, 'hex') FROM curlew_controller.plan WHERE name = $1",
                   {plan.name()}));
  if (!rows.empty()) {
    RETURN_IF_ERROR(CheckSamePlan(plan, rows.Text(0, 0)));
    return ReadProto<v1::StoredPlan>(rows, 0, 1, session_.name());
  }
  RETURN_IF_ERROR(work.Execute("INSERT INTO curlew_controller.plan (name, plan_name, digest, stored)"
                               " VALUES ($1, $2, $3, decode($4, 'hex'))",
                               {plan.name(), plan.plan().name(), plan.digest(), Hex(plan)})
                      .status());
  RETURN_IF_ERROR(WriteRecord(work, record));
  RETURN_IF_ERROR(work.Commit());
  return plan;
}

absl::StatusOr<v1::StoredPlan> PostgresRolloutStore::PutPlanSignature(const std::string& plan,
                                                                      const v1::PlanSignature& signature,
                                                                      const Record& record) {
  if (!IsStorableText(plan)) return NoPlan(plan);
  RETURN_IF_ERROR(CheckRecord(record));
  ASSIGN_OR_RETURN(PostgresWork work, session_.BeginFenced("cannot store the plan's signature", fence_));
  ASSIGN_OR_RETURN(const pg::Result rows,
                   work.Execute("SELECT encode(stored, 'hex') FROM curlew_controller.plan WHERE name = $1"
                                " FOR UPDATE",
                                {plan}));
  if (rows.empty()) return NoPlan(plan);
  ASSIGN_OR_RETURN(v1::StoredPlan stored, ReadProto<v1::StoredPlan>(rows, 0, 0, session_.name()));
  if (!AddSignature(signature, &stored)) return stored;
  RETURN_IF_ERROR(work.Execute("UPDATE curlew_controller.plan SET stored = decode($2, 'hex') WHERE name = $1",
                               {plan, Hex(stored)})
                      .status());
  RETURN_IF_ERROR(WriteRecord(work, record));
  RETURN_IF_ERROR(work.Commit());
  return stored;
}

absl::StatusOr<v1::StoredPlan> PostgresRolloutStore::GetPlan(const std::string& name) {
  const absl::Status not_found = NoPlan(name);
  if (!IsStorableText(name)) return not_found;
  ASSIGN_OR_RETURN(const pg::Result rows,
                   Read("cannot read the plan",
                        IsPlanResource(name)
                            ? "SELECT encode(stored, 'hex') FROM curlew_controller.plan WHERE name = $1"
                            : "SELECT encode(stored, 'hex') FROM curlew_controller.plan WHERE plan_name = $1"
                              " ORDER BY sequence DESC LIMIT 1",
                        {name}));
  if (rows.empty()) return not_found;
  return ReadProto<v1::StoredPlan>(rows, 0, 0, session_.name());
}

absl::StatusOr<std::vector<v1::StoredPlan>> PostgresRolloutStore::ListPlans(const Page& page,
                                                                            std::string* next) {
  ASSIGN_OR_RETURN(const PageRange range, ReadPage(page));
  ASSIGN_OR_RETURN(const pg::Result rows,
                   Read("cannot list the plans",
                        "SELECT sequence, encode(stored, 'hex') FROM curlew_controller.plan"
                        " WHERE sequence < $1::bigint ORDER BY sequence DESC LIMIT $2::bigint",
                        PageParams(range)));
  std::vector<v1::StoredPlan> plans;
  for (int64_t row = 0, count = CutPage(rows, range, next); row < count; ++row) {
    ASSIGN_OR_RETURN(v1::StoredPlan plan, ReadProto<v1::StoredPlan>(rows, row, 1, session_.name()));
    plans.push_back(std::move(plan));
  }
  return plans;
}

absl::Status PostgresRolloutStore::PutEnvironments(const std::vector<v1::Environment>& environments,
                                                   const Record& record) {
  RETURN_IF_ERROR(CheckRecord(record));
  std::vector<std::string> names;
  std::vector<std::string> values;
  for (const v1::Environment& environment : environments) {
    RETURN_IF_ERROR(CheckStorableText("the name of an environment", environment.name()));
    names.push_back(environment.name());
    values.push_back(Hex(environment));
  }
  ASSIGN_OR_RETURN(PostgresWork work, session_.BeginFenced("cannot store the environments", fence_));
  RETURN_IF_ERROR(work.Execute("DELETE FROM curlew_controller.environment").status());
  RETURN_IF_ERROR(work.Execute("INSERT INTO curlew_controller.environment (position, name, environment)"
                               " SELECT e.place - 1, e.name, decode(e.environment, 'hex')"
                               " FROM unnest($1::text[], $2::text[])"
                               " WITH ORDINALITY AS e (name, environment, place)",
                               {pg::ArrayParam(names), pg::ArrayParam(values)})
                      .status());
  RETURN_IF_ERROR(WriteRecord(work, record));
  return work.Commit();
}

absl::StatusOr<std::vector<v1::Environment>> PostgresRolloutStore::ListEnvironments() {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      Read("cannot list the environments",
           "SELECT encode(environment, 'hex') FROM curlew_controller.environment ORDER BY position"));
  std::vector<v1::Environment> environments;
  for (int64_t row = 0; row < rows.size(); ++row) {
    ASSIGN_OR_RETURN(v1::Environment environment, ReadProto<v1::Environment>(rows, row, 0, session_.name()));
    environments.push_back(std::move(environment));
  }
  return environments;
}

absl::StatusOr<int64_t> PostgresRolloutStore::Commit(const RolloutChange& change) {
  RETURN_IF_ERROR(CheckNames(change));
  RETURN_IF_ERROR(CheckRecord(change.record));
  ASSIGN_OR_RETURN(
      PostgresWork work,
      session_.BeginFenced(absl::StrCat("cannot store a change of ", change.rollout.name()), fence_));
  ASSIGN_OR_RETURN(const std::optional<StoredState> stored, ReadState(work, change));
  RETURN_IF_ERROR(CheckChange(change, stored));
  RolloutBytes bytes = SplitRollout(change.rollout);
  RETURN_IF_ERROR(WriteRollout(work, change, bytes.rollout));
  const std::string& name = change.rollout.name();
  const auto written = written_runs_.Take(name, change.expected_version);
  RETURN_IF_ERROR(WriteRuns(work, name, CompareRuns(written, bytes.runs), bytes));
  RETURN_IF_ERROR(WriteEvents(work, change));
  RETURN_IF_ERROR(WriteOutbox(work, change));
  RETURN_IF_ERROR(WritePin(work, change));
  RETURN_IF_ERROR(WriteRecord(work, change.record));
  base::FaultPoint("store.in_transaction");
  RETURN_IF_ERROR(work.Commit());
  written_runs_.Keep(name, change.expected_version + 1, std::move(bytes.runs));
  return change.expected_version + 1;
}

absl::StatusOr<VersionedRollout> PostgresRolloutStore::GetRollout(const std::string& name) {
  const absl::Status not_found = absl::NotFoundError(absl::StrCat("there is no rollout \"", name, "\""));
  if (!IsStorableText(name)) return not_found;
  ASSIGN_OR_RETURN(const pg::Result rows,
                   Read("cannot read the rollout",
                        absl::StrCat("SELECT r.version, ", kWholeRollout,
                                     " FROM curlew_controller.rollout AS r WHERE r.name = $1"),
                        {name}));
  if (rows.empty()) return not_found;
  ASSIGN_OR_RETURN(v1::Rollout rollout, ReadProto<v1::Rollout>(rows, 0, 1, session_.name()));
  return VersionedRollout{.version = rows.Int(0, 0), .rollout = std::move(rollout)};
}

absl::StatusOr<std::vector<VersionedRollout>> PostgresRolloutStore::ListRollouts(const Page& page,
                                                                                 std::string* next) {
  ASSIGN_OR_RETURN(const PageRange range, ReadPage(page));
  ASSIGN_OR_RETURN(const pg::Result rows,
                   Read("cannot list the rollouts",
                        absl::StrCat("SELECT r.sequence, r.version, ", kWholeRollout,
                                     " FROM curlew_controller.rollout AS r WHERE r.sequence < $1::bigint"
                                     " ORDER BY r.sequence DESC LIMIT $2::bigint"),
                        PageParams(range)));
  std::vector<VersionedRollout> rollouts;
  for (int64_t row = 0, count = CutPage(rows, range, next); row < count; ++row) {
    ASSIGN_OR_RETURN(v1::Rollout rollout, ReadProto<v1::Rollout>(rows, row, 2, session_.name()));
    rollouts.push_back({.version = rows.Int(row, 1), .rollout = std::move(rollout)});
  }
  return rollouts;
}

absl::StatusOr<std::vector<v1::Event>> PostgresRolloutStore::ListEvents(const std::string& rollout,
                                                                        int64_t after, int limit) {
  std::vector<v1::Event> events;
  if (!IsStorableText(rollout)) return events;
  ASSIGN_OR_RETURN(const pg::Result rows,
                   Read("cannot list the events",
                        "SELECT encode(event, 'hex') FROM curlew_controller.event"
                        " WHERE rollout = $1 AND number > $2::bigint ORDER BY number LIMIT $3::bigint",
                        {rollout, absl::StrCat(after), absl::StrCat(std::max(0, limit))}));
  for (int64_t row = 0; row < rows.size(); ++row) {
    ASSIGN_OR_RETURN(v1::Event event, ReadProto<v1::Event>(rows, row, 0, session_.name()));
    events.push_back(std::move(event));
  }
  return events;
}

absl::StatusOr<v1::CompiledPlan> PostgresRolloutStore::GetCompiledPlan(const std::string& run) {
  const absl::Status not_found = absl::NotFoundError(absl::StrCat(run, " has not been compiled"));
  if (!IsStorableText(run)) return not_found;
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      Read("cannot read the compiled plan",
           "SELECT encode(compiled_plan, 'hex') FROM curlew_controller.compiled_plan WHERE run = $1", {run}));
  if (rows.empty()) return not_found;
  return ReadProto<v1::CompiledPlan>(rows, 0, 0, session_.name());
}

absl::StatusOr<std::vector<OutboxEntry>> PostgresRolloutStore::PendingOutbox() {
  ASSIGN_OR_RETURN(const pg::Result rows, Read("cannot read the outbox",
                                               "SELECT id, rollout, target, kind, encode(payload, 'hex')"
                                               " FROM curlew_controller.outbox ORDER BY id"));
  std::vector<OutboxEntry> entries;
  for (int64_t row = 0; row < rows.size(); ++row) {
    entries.push_back({.id = rows.Int(row, 0),
                       .rollout = rows.Text(row, 1),
                       .target = rows.Text(row, 2),
                       .kind = rows.Text(row, 3),
                       .payload = BytesOf(rows, row, 4)});
  }
  return entries;
}

}  // namespace curlew::store
