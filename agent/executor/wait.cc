#include <spdlog/spdlog.h>

#include <map>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "agent/executor/quiet_time.h"
#include "agent/journal/names.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"
#include "common/sql/identifier.h"
#include "common/sql/scan.h"
#include "common/sql/sql_text.h"

namespace curlew::agent {
namespace {

constexpr absl::Duration kLookAgain = absl::Milliseconds(250);
constexpr absl::Duration kDefaultQuiet = absl::Seconds(10);

struct Use {
  sql::TableName table;
  std::string column;  // empty for the table as a whole

  bool IsMentionedIn(const std::string& query) const {
    return column.empty() ? sql::MentionsTable(query, table.name)
                          : sql::MentionsColumn(query, table.name, column);
  }
};

std::string Rounded(absl::Duration duration) {
  return absl::FormatDuration(
      absl::Floor(duration, absl::Milliseconds(duration < absl::Seconds(1) ? 1 : 100)));
}

// The last statement of each session of others. A role without pg_monitor sees that there is one, and whose,
// but neither its kind nor its name nor its statement.
constexpr char kSessions[] = R"sql(
SELECT pid, COALESCE(application_name, ''), COALESCE(usename, ''), query, backend_type IS NULL
FROM pg_stat_activity
WHERE datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
  AND COALESCE(backend_type, 'client backend') = 'client backend'
  AND COALESCE(application_name, '') <> $1 AND NOT starts_with(COALESCE(application_name, ''), $1 || ' ')
ORDER BY application_name, pid
)sql";

// "" where nobody uses the shape; else who.
absl::StatusOr<std::string> FindUsers(pg::Connection* connection, const std::string& target,
                                      const std::vector<Use>& uses) {
  ASSIGN_OR_RETURN(const pg::Result sessions,
                   connection->Execute(kSessions, {TargetApplicationName(target)}));
  std::map<std::string, std::vector<std::string>> users;
  std::map<std::string, int> hidden;
  for (int64_t i = 0; i < sessions.size(); ++i) {
    if (sessions.Bool(i, 4)) {
      ++hidden[sessions.Text(i, 2)];
      continue;
    }
    const std::string query = sessions.Text(i, 3);
    for (const Use& use : uses) {
      if (!use.IsMentionedIn(query)) continue;
      users[sessions.Text(i, 1)].push_back(sessions.Text(i, 0));
      break;
    }
  }
  std::vector<std::string> texts;
  for (const auto& [application, pids] : users) {
    texts.push_back(absl::StrCat(application.empty() ? "(no application_name)" : application,
                                 pids.size() == 1 ? " (pid " : " (pids ", absl::StrJoin(pids, ", "), ")"));
  }
  for (const auto& [user, count] : hidden) {
    texts.push_back(absl::StrCat("perhaps ", count, " of user ", user,
                                 ", whose statements this agent may not see: GRANT pg_monitor to its role"));
  }
  return absl::StrJoin(texts, "; ");
}

absl::StatusOr<std::optional<int64_t>> ReadCounter(pg::Connection* connection, const sql::TableName& name) {
  const std::string quoted = name.Quoted();
  ASSIGN_OR_RETURN(const pg::Result found,
                   connection->Execute("SELECT pg_catalog.to_regclass($1) IS NOT NULL", {quoted}));
  if (!found.Bool(0, 0)) return std::nullopt;
  const auto value =
      connection->Execute(sql::SqlText({"SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM ",
                                        sql::SqlText::Name(name)})
                              .str());
  // Dropped between the two.
  if (pg::Sqlstate(value.status()) == "42P01") return std::nullopt;
  RETURN_IF_ERROR(value.status());
  return value->Int(0, 0);
}

absl::StatusOr<std::vector<std::optional<int64_t>>> ReadCounters(pg::Connection* connection,
                                                                 const std::vector<sql::TableName>& names) {
  std::vector<std::optional<int64_t>> counters;
  for (const sql::TableName& name : names) {
    ASSIGN_OR_RETURN(counters.emplace_back(), ReadCounter(connection, name));
  }
  return counters;
}

std::string OverrideCommand(const RunContext& context) {
  const std::vector<std::string> parts =
      absl::StrSplit(context.attempt.run, '/');  // rollouts/NAME/runs/TARGET
  return absl::StrCat("curlew rollout override ", parts.size() > 1 ? parts[1] : context.attempt.run,
                      " --target ", context.target, " --reason '...'");
}

// Whoever reads it may see its beginning only: the way out stands before the names.
std::string InUse(const RunContext& context, const std::string& shape, const std::string& users,
                  const QuietTime& quiet) {
  const int64_t writes = quiet.writes();
  return absl::StrCat(
      "the ", shape, " shape ",
      writes == 0 ? "is still in use"
                  : absl::StrCat("was written by ", writes, writes == 1 ? " statement" : " statements",
                                 " in the last ", Rounded(quiet.window())),
      "; drain or restart the sessions that use it, or, to go on all the same: ", OverrideCommand(context),
      users.empty() ? "" : "; seen: ", users);
}

absl::Status AwaitShapeUnused(const RunContext& context, const v1::ShapeUnused& condition) {
  std::vector<Use> uses;
  for (const v1::ShapeUse& use : condition.uses()) {
    ASSIGN_OR_RETURN(sql::TableName table, sql::ParseTableName(use.table()));
    uses.push_back({.table = std::move(table), .column = use.column()});
  }
  std::vector<sql::TableName> counters;
  for (const std::string& counter : condition.counters()) {
    ASSIGN_OR_RETURN(counters.emplace_back(), sql::ParseTableName(counter));
  }
  const absl::Duration needed = condition.has_quiet() ? base::FromProto(condition.quiet()) : kDefaultQuiet;
  ASSIGN_OR_RETURN(const auto connection, context.pool->Acquire());
  const absl::Time began = absl::Now();
  QuietTime quiet(needed);
  while (true) {
    ASSIGN_OR_RETURN(const std::string users, FindUsers(connection.get(), context.target, uses));
    ASSIGN_OR_RETURN(const auto values, ReadCounters(connection.get(), counters));
    quiet.Look(absl::Now(), users.empty() ? Seen::kNobody : Seen::kSomebody, values);
    if (quiet.enough()) return absl::OkStatus();
    if (!users.empty() || quiet.writes() > 0) {
      context.progress->Report(
          WaitingFor(v1::WAIT_CAUSE_SESSIONS, InUse(context, condition.shape(), users, quiet), began));
    } else {
      v1::Progress progress;
      progress.set_message(absl::StrCat("no use of the ", condition.shape(), " shape was seen for ",
                                        Rounded(quiet.quiet()), " of ", absl::FormatDuration(needed),
                                        " (reads cannot be proved absent)"));
      context.progress->Report(progress);
    }
    RETURN_IF_ERROR(context.cancel->Pause(std::min(kLookAgain, needed + absl::Milliseconds(1))));
  }
}

}  // namespace

absl::Status RunWait(const RunContext& context, const v1::Wait& action) {
  if (context.override_wait.has_value()) {
    spdlog::warn("{}", base::WithFields("does not wait: an operator has overridden the condition",
                                        {{"target", context.target},
                                         {"run", context.attempt.run},
                                         {"step", context.attempt.step},
                                         {"attempt", absl::StrCat(context.attempt.attempt)},
                                         {"actor", context.override_wait->actor()},
                                         {"reason", context.override_wait->reason()}}));
    return JournalSuccess(context, 0);
  }
  switch (action.condition_case()) {
    case v1::Wait::kShapeUnused:
      RETURN_IF_ERROR(AwaitShapeUnused(context, action.shape_unused()));
      break;
    case v1::Wait::CONDITION_NOT_SET:
      return absl::InvalidArgumentError(
          "the step waits for something that this agent does not know: run a newer agent");
  }
  return JournalSuccess(context, 0);
}

}  // namespace curlew::agent
