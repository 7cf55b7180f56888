#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "agent/journal/names.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/sql/identifier.h"
#include "common/sql/scan.h"

namespace curlew::agent {
namespace {

constexpr absl::Duration kLookAgain = absl::Milliseconds(250);

struct Use {
  sql::TableName table;
  std::string column;
};

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
      if (!sql::MentionsColumn(query, use.table.name, use.column)) continue;
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

absl::Status AwaitShapeUnused(const RunContext& context, const v1::ShapeUnused& condition) {
  std::vector<Use> uses;
  for (const v1::ShapeUse& use : condition.uses()) {
    ASSIGN_OR_RETURN(sql::TableName table, sql::ParseTableName(use.table()));
    uses.push_back({.table = std::move(table), .column = use.column()});
  }
  const absl::Duration quiet = condition.has_quiet() ? base::FromProto(condition.quiet()) : absl::Seconds(2);
  ASSIGN_OR_RETURN(const auto connection, context.pool->Acquire());
  const absl::Time began = absl::Now();
  absl::Time last_seen = began;
  while (true) {
    ASSIGN_OR_RETURN(const std::string users, FindUsers(connection.get(), context.target, uses));
    const absl::Time now = absl::Now();
    if (!users.empty()) {
      last_seen = now;
      context.progress->Report(WaitingFor(v1::WAIT_CAUSE_SESSIONS,
                                          absl::StrCat("sessions that use the ", condition.shape(),
                                                       " shape must end (drain or restart them): ", users),
                                          began));
    } else if (now - last_seen >= quiet) {
      return absl::OkStatus();
    } else {
      v1::Progress progress;
      progress.set_message(
          absl::StrCat("no session was seen to use the ", condition.shape(), " shape for ",
                       absl::FormatDuration(absl::Floor(now - last_seen, absl::Milliseconds(100))), " of ",
                       absl::FormatDuration(quiet)));
      context.progress->Report(progress);
    }
    RETURN_IF_ERROR(context.cancel->Pause(std::min(kLookAgain, quiet + absl::Milliseconds(1))));
  }
}

}  // namespace

absl::Status RunWait(const RunContext& context, const v1::Wait& action) {
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
