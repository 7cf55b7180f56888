#include "common/from_sql/session.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/from_sql/text.h"

namespace curlew::from_sql {
namespace {

using pg_query::Node;

std::vector<std::string> SplitPath(absl::string_view path) {
  std::vector<std::string> schemas;
  for (absl::string_view part : absl::StrSplit(path, ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (part.empty() || part == "\"\"") continue;
    const auto name = sql::ParseIdent(part);
    schemas.push_back(name.ok() ? *name : std::string(part));
  }
  return schemas;
}

absl::Status CheckSetting(const std::string& name) {
  static const auto* const refused = new std::set<std::string>{"role",
                                                               "session_authorization",
                                                               "default_tablespace",
                                                               "default_table_access_method",
                                                               "session_replication_role",
                                                               "default_toast_compression"};
  if (refused->count(absl::AsciiStrToLower(name)) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("SET ", name,
                   " changes what later statements do, and no step of a plan keeps it; leave it out, and "
                   "let the agent's role, or the statements themselves, say it"));
}

absl::Status ReadSet(const pg_query::VariableSetStmt& set, Sink* sink) {
  if (set.name() == "search_path") {
    std::vector<std::string> path;
    for (const Node& value : set.args()) {
      const std::string text = ValueText(value);
      if (!text.empty()) path.push_back(text);
    }
    const bool is_default = set.kind() != pg_query::VAR_SET_VALUE && set.kind() != pg_query::VAR_SET_CURRENT;
    sink->known().SetSearchPath(is_default ? std::vector<std::string>{"public"} : path);
    sink->LeaveOut("search_path: names are written in full, or it is set for the statement");
    return absl::OkStatus();
  }
  const bool resets = set.kind() == pg_query::VAR_RESET || set.kind() == pg_query::VAR_RESET_ALL;
  const std::string value = set.args_size() > 0 ? ValueText(set.args(0)) : "";
  // What dumps write, and means the default.
  const bool harmless = resets || (set.name() == "default_tablespace" && value.empty()) ||
                        (set.name() == "default_table_access_method" && value == "heap");
  if (!harmless) {
    if (absl::Status s = CheckSetting(set.name()); !s.ok()) return s;
  }
  sink->LeaveOut("settings are the agent's: it sets time-outs itself");
  return absl::OkStatus();
}

// SELECT set_config('name', 'value', ...), as dumps write it.
bool ReadSetConfig(const pg_query::SelectStmt& select, Sink* sink) {
  if (select.target_list_size() != 1 || !select.from_clause().empty()) return false;
  const Node& value = select.target_list(0).res_target().val();
  if (!value.has_func_call() || NameOf(value.func_call().funcname()).name != "set_config") return false;
  if (value.func_call().args_size() != 3) return false;
  if (ValueText(value.func_call().args(0)) == "search_path") {
    sink->known().SetSearchPath(SplitPath(ValueText(value.func_call().args(1))));
  }
  sink->LeaveOut("settings are the agent's");
  return true;
}

}  // namespace

absl::StatusOr<bool> ReadSession(const Node& node, Sink* sink) {
  switch (node.node_case()) {
    case Node::kTransactionStmt:
      sink->LeaveOut("transactions are the agent's: each step has its own");
      return true;
    case Node::kVariableSetStmt: {
      const absl::Status status = ReadSet(node.variable_set_stmt(), sink);
      if (!status.ok()) return status;
      return true;
    }
    case Node::kVariableShowStmt:
    case Node::kDiscardStmt:
    case Node::kNotifyStmt:
    case Node::kListenStmt:
    case Node::kUnlistenStmt:
    case Node::kExplainStmt:
    case Node::kCheckPointStmt:
      sink->LeaveOut("it changes nothing that lasts");
      return true;
    case Node::kLockStmt:
      sink->LeaveOut("locks are taken by the steps that need them");
      return true;
    case Node::kConstraintsSetStmt:
      sink->LeaveOut("it ends with its transaction, and each step has its own");
      return true;
    case Node::kSelectStmt:
      return ReadSetConfig(node.select_stmt(), sink);
    case Node::kCopyStmt:
      return absl::InvalidArgumentError(
          "COPY takes its rows from a file or from psql, and no step of a plan has either; load the rows by "
          "themselves, before or after the rollout");
    case Node::kPrepareStmt:
    case Node::kExecuteStmt:
    case Node::kDeallocateStmt:
    case Node::kDeclareCursorStmt:
    case Node::kFetchStmt:
      return absl::InvalidArgumentError(
          "it lives in a session, and steps have several; write the statement itself");
    case Node::kCreatedbStmt:
    case Node::kDropdbStmt:
    case Node::kAlterSystemStmt:
    case Node::kAlterDatabaseStmt:
    case Node::kAlterDatabaseSetStmt:
    case Node::kCreateTableSpaceStmt:
    case Node::kDropTableSpaceStmt:
    case Node::kCreateRoleStmt:
    case Node::kDropRoleStmt:
    case Node::kAlterRoleStmt:
    case Node::kAlterRoleSetStmt:
    case Node::kGrantRoleStmt:
    case Node::kCreateSubscriptionStmt:
    case Node::kDropSubscriptionStmt:
      return absl::InvalidArgumentError(
          "it concerns more than the tables of this database, or cannot run in a transaction; run it by "
          "itself, and "
          "take it out of the script");
    default:
      return false;
  }
}

}  // namespace curlew::from_sql
