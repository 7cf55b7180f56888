#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/attempt/row_finder.h"
#include "agent/backfill/row_work.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/sql/subject.h"

namespace curlew::agent {
namespace {

constexpr char kMarkerOrigin[] = "marker";

}  // namespace

absl::StatusOr<std::string> RoleForRows(const ActingRoles& roles, pg::Connection* connection,
                                        const RowWork& work, const Leaf& leaf) {
  if (work.names_curlew()) return std::string();
  std::vector<std::string> tables = work.others();
  tables.push_back(leaf.name);
  return roles.ForTables(connection, tables);
}

absl::Status BeginWrites(FencedTransaction& transaction, const ActingRoles& roles, const RowWork& work,
                         const std::string& role) {
  return transaction
      .Execute(role.empty() ? work.Setup() : absl::StrCat(work.Setup(), "; ", roles.SetLocal(role)))
      .status();
}

absl::Status EndWrites(FencedTransaction& transaction, const ActingRoles& roles, const std::string& role) {
  return role.empty() ? absl::OkStatus() : transaction.Execute(roles.SetLocal("")).status();
}

DmlWork::DmlWork(const v1::Backfill& action, const v1::BackfillSettings& settings, uint32_t table_oid)
    : action_(action),
      setup_(absl::StrCat("SET LOCAL curlew.backfill = '", table_oid, "'; SET LOCAL jit = off")) {
  // Curlew's own triggers are ENABLE ALWAYS and stay in force.
  if (settings.skip_user_triggers())
    absl::StrAppend(&setup_, "; SET LOCAL session_replication_role = replica");
  assignments_ =
      absl::StrJoin(action.assignments(), ", ", [](std::string* out, const v1::Assignment& assignment) {
        absl::StrAppend(out, assignment.column(), " = (", assignment.expression(), ")");
      });
}

bool DmlWork::names_curlew() const {
  return std::any_of(action_.assignments().begin(), action_.assignments().end(), [](const auto& assignment) {
    const absl::StatusOr<sql::Subject> subject =
        sql::SubjectOf(absl::StrCat("SELECT ", assignment.expression()));
    // Syntax of a newer server.
    if (!subject.ok()) return absl::StrContains(assignment.expression(), "curlew.");
    return subject->names_curlew;
  });
}

std::vector<std::string> DmlWork::updated_columns() const {
  std::vector<std::string> columns;
  for (const v1::Assignment& assignment : action_.assignments()) columns.push_back(assignment.column());
  return columns;
}

absl::StatusOr<Written> DmlWork::Write(FencedTransaction& transaction, const Leaf& leaf, const Walker&,
                                       const std::string& condition, RowLocks locks) const {
  const std::string where =
      absl::StrCat(condition, " AND (", action_.pending().empty() ? "true" : action_.pending(), ")");
  const std::string unlocked =
      absl::StrCat("(SELECT t.ctid AS place FROM ONLY ", leaf.name, " AS t WHERE ", where, " FOR ",
                   action_.deletes() ? "UPDATE" : "NO KEY UPDATE", " SKIP LOCKED) AS unlocked");
  std::string statement = action_.deletes()
                              ? absl::StrCat("DELETE FROM ONLY ", leaf.name, " AS t")
                              : absl::StrCat("UPDATE ONLY ", leaf.name, " AS t SET ", assignments_);
  if (locks == RowLocks::kWait) {
    absl::StrAppend(&statement, " WHERE ", where);
  } else {
    absl::StrAppend(&statement, action_.deletes() ? " USING " : " FROM ", unlocked,
                    " WHERE t.ctid = unlocked.place");
  }
  ASSIGN_OR_RETURN(const pg::Result written, transaction.Execute(statement));
  Written done{.rows = written.affected()};
  if (locks == RowLocks::kSkip) {
    ASSIGN_OR_RETURN(const pg::Result left,
                     transaction.Execute(absl::StrCat("SELECT EXISTS (SELECT FROM ONLY ", leaf.name,
                                                      " AS t WHERE ", where, ")")));
    done.locked = left.Bool(0, 0);
  }
  return done;
}

std::string DmlWork::Marker() const {
  for (const v1::Assignment& assignment : action_.assignments()) {
    if (assignment.origin() == kMarkerOrigin) return assignment.column();
  }
  return "";
}

absl::Status DmlWork::Accept(FencedTransaction& transaction, const Leaf& leaf,
                             const std::string& condition) const {
  if (action_.deletes()) return absl::OkStatus();
  const std::string marker = Marker();
  if (marker.empty()) {
    return base::WithDetail(
        absl::FailedPreconditionError(absl::StrCat("rows of ", action_.table(),
                                                   " that could not be filled cannot stay so: the column must"
                                                   " not be NULL in the end")),
        base::kHint, "mend the rows and resume, or roll back");
  }
  return transaction
      .Execute(absl::StrCat("UPDATE ONLY ", leaf.name, " AS t SET ", marker, " = false WHERE ", condition))
      .status();
}

absl::StatusOr<std::string> DmlWork::Culprit(pg::Connection* connection, const Leaf& leaf,
                                             const std::string& condition, std::string* verb) const {
  *verb = action_.deletes() ? "deleted" : "filled";
  std::vector<std::string> expressions;
  if (action_.deletes()) {
    expressions.push_back(action_.pending());
  } else {
    for (const v1::Assignment& assignment : action_.assignments())
      expressions.push_back(assignment.expression());
  }
  const std::string setup =
      action_.search_path().empty() ? "" : absl::StrCat("SET LOCAL search_path = ", action_.search_path());
  ASSIGN_OR_RETURN(const int failing, FailingExpression(connection, setup, leaf, condition, expressions));
  if (failing < 0) {
    return std::string(action_.deletes()
                           ? "a foreign key or a trigger of the table"
                           : "what it is filled with, by a constraint or a trigger of the table,");
  }
  if (action_.deletes()) return std::string("the condition on it");
  return absl::StrCat("its expression (", action_.assignments(failing).origin(), ")");
}

}  // namespace curlew::agent
