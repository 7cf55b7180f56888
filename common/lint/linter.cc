#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/lint/alter_table.h"
#include "common/lint/deletion.h"
#include "common/lint/judge.h"
#include "common/lint/statements.h"
#include "common/sql/identifier.h"
#include "common/sql/parser.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

std::vector<std::string> SearchPath(const Session& session, const std::vector<std::string>& names) {
  std::vector<std::string> path;
  for (const std::string& name : names) {
    if (name != "$user") {
      path.push_back(name);
      continue;
    }
    const auto user = session.catalogue.settings.find("current_user");
    if (user == session.catalogue.settings.end()) continue;
    for (const auto& [oid, schema] : session.catalogue.schemas) {
      if (schema.name == user->second) path.push_back(schema.name);
    }
  }
  return path;
}

// A search_path as the setting shows it.
std::vector<std::string> SplitPath(const std::string& text) {
  std::vector<std::string> names;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (const auto name = sql::ParseIdent(part); name.ok()) {
      names.push_back(*name);
    } else if (part == "\"$user\"" || part == "$user") {
      names.push_back("$user");
    }
  }
  return names;
}

void Set(Session& session, const std::string& name, const std::vector<std::string>& values) {
  if (name == "search_path") {
    session.search_path = SearchPath(session, values);
  } else if (absl::EqualsIgnoreCase(name, "timezone")) {
    if (!values.empty()) session.time_zone = values[0];
  } else if (name == "lock_timeout") {
    session.lock_timeout = !values.empty() && values[0] != "0";
  } else if (!values.empty()) {
    session.catalogue.settings[name] = values[0];
  }
}

void LintSet(Session& session, const pg_query::VariableSetStmt& set) {
  if (set.kind() != pg_query::VAR_SET_VALUE) return;
  std::vector<std::string> values;
  for (const Node& arg : set.args()) values.push_back(ConstantText(arg));
  Set(session, set.name() == "timezone" ? "TimeZone" : set.name(), values);
}

// set_config() in a SELECT.
void LintSetConfig(Session& session, const Node& node) {
  sql::Walk(node, [&](const google::protobuf::Message& m) {
    if (m.GetDescriptor() != pg_query::FuncCall::descriptor()) return true;
    const auto& call = static_cast<const pg_query::FuncCall&>(m);
    if (NameParts(call.funcname()).second == "set_config" && call.args_size() == 3) {
      const std::string name = ConstantText(call.args(0)), value = ConstantText(call.args(1));
      Set(session, name, name == "search_path" ? SplitPath(value) : std::vector<std::string>{value});
    }
    return true;
  });
}

// Statements that PostgreSQL refuses in a transaction block, for no relation's sake.
bool NeedsOwnTransaction(const Node& node) {
  switch (node.node_case()) {
    case Node::kCreatedbStmt:
    case Node::kDropdbStmt:
    case Node::kCreateTableSpaceStmt:
    case Node::kDropTableSpaceStmt:
    case Node::kAlterSystemStmt:
      return true;
    case Node::kCreateSubscriptionStmt:
      for (const Node& option : node.create_subscription_stmt().options()) {
        const auto& name = option.def_elem().defname();
        if ((name == "create_slot" || name == "connect") && !OptionIsOn(option.def_elem())) return false;
      }
      return true;
    case Node::kDiscardStmt:
      return node.discard_stmt().target() == pg_query::DISCARD_ALL;
    case Node::kAlterDatabaseStmt:
      for (const Node& option : node.alter_database_stmt().options()) {
        if (option.def_elem().defname() == "tablespace") return true;
      }
      return false;
    case Node::kTransactionStmt:
      return node.transaction_stmt().kind() == pg_query::TRANS_STMT_COMMIT_PREPARED ||
             node.transaction_stmt().kind() == pg_query::TRANS_STMT_ROLLBACK_PREPARED;
    default:
      return false;
  }
}

absl::Status LintCopy(Effects& e, const pg_query::CopyStmt& copy) {
  if (copy.has_query()) return LintQuery(e, copy.query(), "");
  ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, copy.relation()));
  const Oid oid = r->oid;
  if (!copy.is_from()) {
    e.Lock(oid, LockMode::kAccessShare);
    if (r->kind == 'p' || r->kind == 'v')
      return e.Fail("42809", absl::StrCat("cannot copy from \"", r->name, "\"; use COPY (SELECT ...) TO"));
    e.Scan(oid, absl::StrCat("all rows of ", e.QuotedName(*r), " are read"));
    return absl::OkStatus();
  }
  e.Lock(oid, LockMode::kRowExclusive);
  e.LockIndexes(oid, LockMode::kRowExclusive);
  if (e.IsNew(oid)) r->has_rows = true;
  return absl::OkStatus();
}

absl::Status LintExplain(Effects& e, const pg_query::ExplainStmt& explain, absl::string_view text) {
  bool analyze = false;
  for (const Node& option : explain.options()) {
    if (option.def_elem().defname() == "analyze") analyze = OptionIsOn(option.def_elem());
  }
  const Node& query = explain.query();
  // Utility statements have no plan.
  if (query.has_refresh_mat_view_stmt()) return absl::OkStatus();
  if (analyze) {
    if (query.has_create_table_as_stmt()) {
      RETURN_IF_ERROR(LintCreateTableAs(e, query.create_table_as_stmt(), true));
      return absl::OkStatus();
    }
    return LintStatement(e, query, text);
  }
  if (query.has_create_table_as_stmt()) return LintCreateTableAs(e, query.create_table_as_stmt(), false);
  const bool scans = e.scans;
  RETURN_IF_ERROR(LintStatement(e, query, text));
  e.scans = scans;
  e.blocks_rows = false;
  e.hazards.clear();
  e.causes.clear();
  return absl::OkStatus();
}

absl::Status LintCall(Effects& e, const pg_query::FuncCall& call) {
  const Function* f = FindFunction(e.session, call.funcname(), call.args_size());
  if (f == nullptr || f->body.empty()) {
    e.Warn("unknown-effect", Severity::kWarning, "what the procedure does is not known here");
    return absl::OkStatus();
  }
  const Function copy = *f;
  return LintFunctionCall(e, copy, call.args());
}

// How many objects there are, by which it shows that some were made.
size_t SizeOf(const Catalogue& c) {
  return c.relations.size() + c.constraints.size() + c.types.size() + c.functions->size() +
         c.triggers.size() + c.policies.size() + c.schemas.size() + c.extensions.size() +
         c.dependencies.size();
}

// A label that the open transaction gave an enum may not be used before it ends.
bool UsesNewLabel(const Session& session, const Node& node) {
  bool uses = false;
  if (session.new_labels.empty() || node.has_alter_enum_stmt()) return false;
  sql::Walk(node, [&](const google::protobuf::Message& m) {
    if (m.GetDescriptor() == pg_query::A_Const::descriptor()) {
      const auto& constant = static_cast<const pg_query::A_Const&>(m);
      uses |= constant.has_sval() && session.new_labels.count(constant.sval().sval()) > 0;
    }
    return !uses;
  });
  return uses;
}

}  // namespace

bool IsTopLevelOnly(const Node& node) {
  if (NeedsOwnTransaction(node)) return true;
  switch (node.node_case()) {
    case Node::kVacuumStmt:
      return node.vacuum_stmt().is_vacuumcmd();
    case Node::kIndexStmt:
      return node.index_stmt().concurrent();
    case Node::kDropStmt:
      return node.drop_stmt().concurrent();
    case Node::kClusterStmt:
      return !node.cluster_stmt().has_relation();
    case Node::kReindexStmt:
      return HasOption(node.reindex_stmt().params(), "concurrently") ||
             node.reindex_stmt().kind() > pg_query::REINDEX_OBJECT_TABLE;
    default:
      return false;
  }
}

absl::Status LintStatement(Effects& e, const Node& node, absl::string_view text) {
  if (NeedsOwnTransaction(node)) e.transactional = false;
  if (node.has_drop_subscription_stmt() &&
      (!e.catalogue.complete || e.catalogue.subscriptions.count(node.drop_subscription_stmt().subname()) > 0))
    e.transactional = false;
  switch (node.node_case()) {
    case Node::kAlterTableStmt:
      return AlterTable(&e, node.alter_table_stmt()).Run();
    case Node::kDropStmt:
      return LintDrop(e, node.drop_stmt());
    case Node::kDropOwnedStmt:
      return LintDropOwned(e, node.drop_owned_stmt());
    case Node::kCreateStmt:
      return LintCreateTable(e, node.create_stmt(), false);
    case Node::kCreateForeignTableStmt:
      return LintCreateTable(e, node.create_foreign_table_stmt().base_stmt(), true);
    case Node::kIndexStmt:
      return LintCreateIndex(e, node.index_stmt());
    case Node::kViewStmt:
      return LintCreateView(e, node.view_stmt());
    case Node::kCreateTableAsStmt:
      return LintCreateTableAs(e, node.create_table_as_stmt(), true);
    case Node::kSelectStmt:
      if (node.select_stmt().has_into_clause()) {
        pg_query::CreateTableAsStmt create;
        *create.mutable_into() = node.select_stmt().into_clause();
        *create.mutable_query() = node;
        create.mutable_query()->mutable_select_stmt()->clear_into_clause();
        create.set_objtype(pg_query::OBJECT_TABLE);
        return LintCreateTableAs(e, create, true);
      }
      LintSetConfig(e.session, node);
      return LintQuery(e, node, text);
    case Node::kInsertStmt:
    case Node::kUpdateStmt:
    case Node::kDeleteStmt:
    case Node::kMergeStmt:
      return LintQuery(e, node, text);
    case Node::kCopyStmt:
      return LintCopy(e, node.copy_stmt());
    case Node::kExplainStmt:
      return LintExplain(e, node.explain_stmt(), text);
    case Node::kPrepareStmt:
      e.session.prepared[node.prepare_stmt().name()] = node.prepare_stmt().query();
      return LintQueryTables(e, node.prepare_stmt().query());
    case Node::kExecuteStmt: {
      const auto it = e.session.prepared.find(node.execute_stmt().name());
      if (it != e.session.prepared.end()) return LintStatement(e, Node(it->second), text);
      e.Warn("unknown-effect", Severity::kWarning, "what was prepared under this name is not known here");
      return absl::OkStatus();
    }
    case Node::kFetchStmt: {
      // A cursor that is read to its end.
      const auto it = e.session.prepared.find("cursor " + node.fetch_stmt().portalname());
      const bool all = node.fetch_stmt().direction() == pg_query::FETCH_FORWARD &&
                       node.fetch_stmt().how_many() > (1LL << 31);
      if (it == e.session.prepared.end() || !all) return absl::OkStatus();
      return LintQuery(e, Node(it->second), text);
    }
    case Node::kDeclareCursorStmt: {
      e.session.prepared["cursor " + node.declare_cursor_stmt().portalname()] =
          node.declare_cursor_stmt().query();
      const bool scans = e.scans;
      RETURN_IF_ERROR(LintQuery(e, node.declare_cursor_stmt().query(), text));
      e.scans = scans;
      return absl::OkStatus();
    }
    case Node::kVacuumStmt:
    case Node::kClusterStmt:
    case Node::kReindexStmt:
    case Node::kRefreshMatViewStmt:
    case Node::kLockStmt:
    case Node::kTruncateStmt:
      return LintMaintenance(e, node);
    case Node::kDoStmt:
      return LintDo(e, node.do_stmt());
    case Node::kCallStmt:
      return LintCall(e, node.call_stmt().funccall());
    case Node::kVariableSetStmt:
      LintSet(e.session, node.variable_set_stmt());
      return absl::OkStatus();
    case Node::kRenameStmt:
    case Node::kAlterObjectSchemaStmt:
    case Node::kCommentStmt:
    case Node::kAlterDomainStmt:
    case Node::kAlterEnumStmt:
    case Node::kAlterSeqStmt:
    case Node::kReassignOwnedStmt:
    case Node::kAlterTableMoveAllStmt:
    case Node::kAlterObjectDependsStmt:
    case Node::kAlterExtensionContentsStmt:
    case Node::kAlterOwnerStmt:
    case Node::kGrantStmt:
      return LintAlterObject(e, node);
    default:
      return LintCreateObject(e, node);
  }
}

struct Linter::State {
  Session session;
};

Linter::Linter() : Linter(BuiltInCatalogue(), nullptr) {}

Linter::Linter(Catalogue catalogue, Explainer* explainer) : state_(std::make_unique<State>()) {
  Session& s = state_->session;
  s.catalogue = std::move(catalogue);
  s.explainer = explainer;
  if (const auto it = s.catalogue.settings.find("search_path"); it != s.catalogue.settings.end())
    s.search_path = SearchPath(s, SplitPath(it->second));
  if (const auto it = s.catalogue.settings.find("TimeZone"); it != s.catalogue.settings.end())
    s.time_zone = it->second;
}

Linter::~Linter() = default;
Linter::Linter(Linter&&) noexcept = default;
Linter& Linter::operator=(Linter&&) noexcept = default;

Report Linter::Lint(const Node& tree, absl::string_view text) {
  Session& s = state_->session;
  Effects e(&s);
  e.text = text;
  if (tree.has_transaction_stmt()) {
    switch (tree.transaction_stmt().kind()) {
      case pg_query::TRANS_STMT_BEGIN:
      case pg_query::TRANS_STMT_START:
        s.in_transaction = true;
        break;
      case pg_query::TRANS_STMT_COMMIT:
      case pg_query::TRANS_STMT_ROLLBACK:
      case pg_query::TRANS_STMT_PREPARE:
        s.in_transaction = false;
        s.held.clear();
        s.names.clear();
        s.constraints_new.clear();
        s.new_labels.clear();
        break;
      default:
        break;
    }
    if (NeedsOwnTransaction(tree)) e.transactional = false;
    return Judge(e, absl::OkStatus());
  }
  const size_t size = SizeOf(s.catalogue);
  absl::Status status;
  if (s.in_transaction && UsesNewLabel(s, tree)) {
    const bool data =
        tree.has_insert_stmt() || tree.has_update_stmt() || tree.has_select_stmt() || tree.has_delete_stmt();
    status = data ? LintQueryTables(e, tree) : LintStatement(e, tree, text);
    if (status.ok())
      status = e.Fail("55P04", "a new value of an enum cannot be used before its transaction ends");
  } else {
    status = LintStatement(e, tree, text);
  }
  if (s.in_transaction && tree.has_alter_enum_stmt()) s.new_labels.insert(tree.alter_enum_stmt().new_val());
  if (s.in_transaction && !e.transactional) {
    // It is refused before it does anything.
    Effects refused(&s);
    refused.text = text;
    refused.transactional = false;
    return Judge(refused, refused.Fail("25001", "it cannot run inside a transaction block"));
  }
  Report report = Judge(e, status);
  // A DO that takes no lock and makes nothing has found nothing to do.
  const bool idle = tree.has_select_stmt() || tree.has_variable_set_stmt() || tree.has_do_stmt();
  if (!idle || !e.locks.empty() || SizeOf(s.catalogue) != size) s.changed = true;
  if (s.in_transaction) {
    for (const auto& [oid, mode] : e.locks) {
      LockMode& now = s.held.try_emplace(oid, mode).first->second;
      now = std::max(now, mode);
      s.names.try_emplace(oid, e.names[oid]);
    }
  } else {
    s.constraints_new.clear();
  }
  return report;
}

}  // namespace curlew::lint
