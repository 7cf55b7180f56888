#include "common/sql/statement.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/sql/expression.h"
#include "common/sql/parser.h"

namespace curlew::sql {
namespace {

using pg_query::Node;

constexpr char kAccessExclusive[] = "AccessExclusiveLock";
constexpr char kShareRowExclusive[] = "ShareRowExclusiveLock";
constexpr char kShareUpdateExclusive[] = "ShareUpdateExclusiveLock";
constexpr char kShare[] = "ShareLock";
constexpr char kRowExclusive[] = "RowExclusiveLock";

// SELECT set_config('name', 'value', true): a setting of this transaction alone, for the statements after it.
bool SetsForTransaction(const pg_query::SelectStmt& select) {
  if (select.target_list_size() != 1 || !select.from_clause().empty()) return false;
  const pg_query::FuncCall& call = select.target_list(0).res_target().val().func_call();
  if (call.funcname().empty() || call.funcname(call.funcname_size() - 1).string().sval() != "set_config") {
    return false;
  }
  const bool constant = std::all_of(call.args().begin(), call.args().end(),
                                    [](const Node& argument) { return argument.has_a_const(); });
  return constant && call.args_size() == 3 && call.args(2).a_const().boolval().boolval();
}

TableName NameOf(const pg_query::RangeVar& relation) {
  return {relation.schemaname().empty() ? "public" : relation.schemaname(), relation.relname()};
}

// The name that a list of String nodes spells; `fallback` is the schema where none stands there.
TableName NameOf(const Node& object, absl::string_view fallback) {
  const auto& items = object.list().items();
  TableName name{std::string(fallback), ""};
  if (items.empty()) return name;
  name.name = items[items.size() - 1].string().sval();
  if (items.size() > 1) name.schema = items[items.size() - 2].string().sval();
  return name;
}

// Collects what one statement does.
class Classifier {
 public:
  explicit Classifier(Statement* statement) : out_(*statement) {}

  absl::Status Classify(const Node& node) {
    switch (node.node_case()) {
      case Node::kTransactionStmt:
        return Refuse(
            "transaction control is the agent's: each operation already runs in its own transaction");
      case Node::kVariableSetStmt:
        return Refuse("settings are the agent's: it sets time-outs itself");
      case Node::kVacuumStmt:
        if (node.vacuum_stmt().is_vacuumcmd()) return Refuse("VACUUM cannot run in a transaction");
        for (const Node& rel : node.vacuum_stmt().rels()) {
          Lock(rel.vacuum_relation().relation(), kShareUpdateExclusive);
        }
        return absl::OkStatus();
      case Node::kCreatedbStmt:
      case Node::kDropdbStmt:
      case Node::kAlterSystemStmt:
      case Node::kCreateTableSpaceStmt:
      case Node::kDropTableSpaceStmt:
      case Node::kCreateSubscriptionStmt:
      case Node::kDropSubscriptionStmt:
        return Refuse("it cannot run in a transaction, or concerns more than this database");
      case Node::kReindexStmt:
        for (const Node& param : node.reindex_stmt().params()) {
          if (param.def_elem().defname() == "concurrently")
            return Refuse("REINDEX CONCURRENTLY cannot run in a transaction");
        }
        Hazard("blocks-writes");
        return absl::OkStatus();
      case Node::kIndexStmt:
        return Index(node.index_stmt());
      case Node::kDropStmt:
        return Drop(node.drop_stmt());
      case Node::kAlterTableStmt:
        return AlterTable(node.alter_table_stmt());
      case Node::kCreateStmt:
        for (const Node& parent : node.create_stmt().inh_relations())
          Lock(parent.range_var(), kAccessExclusive);
        ForeignKeys(node.create_stmt().table_elts());
        ForeignKeys(node.create_stmt().constraints());
        // A default partition is scanned for rows that belong into the new one.
        if (node.create_stmt().has_partbound() && !node.create_stmt().partbound().is_default()) {
          Hazard("scans-under-lock");
        }
        return absl::OkStatus();
      case Node::kCreateTrigStmt:
        Lock(node.create_trig_stmt().relation(), kShareRowExclusive);
        return absl::OkStatus();
      case Node::kCreatePolicyStmt:
        Lock(node.create_policy_stmt().table(), kAccessExclusive);
        if (!node.create_policy_stmt().permissive()) Hazard("breaks-applications");
        return absl::OkStatus();
      case Node::kAlterPolicyStmt:
        Lock(node.alter_policy_stmt().table(), kAccessExclusive);
        Hazard("breaks-applications");
        return absl::OkStatus();
      case Node::kCreateStatsStmt:
        for (const Node& rel : node.create_stats_stmt().relations())
          Lock(rel.range_var(), kShareUpdateExclusive);
        return absl::OkStatus();
      case Node::kRenameStmt:
        if (node.rename_stmt().has_relation()) Lock(node.rename_stmt().relation(), kAccessExclusive);
        if (node.rename_stmt().rename_type() != pg_query::OBJECT_INDEX &&
            node.rename_stmt().rename_type() != pg_query::OBJECT_TABCONSTRAINT) {
          Hazard("breaks-applications");
        }
        return absl::OkStatus();
      case Node::kInsertStmt:
        return Data(node.insert_stmt().relation());
      case Node::kUpdateStmt:
        return Data(node.update_stmt().relation());
      case Node::kDeleteStmt:
        return Data(node.delete_stmt().relation());
      case Node::kMergeStmt:
        return Data(node.merge_stmt().relation());
      case Node::kTruncateStmt:
        for (const Node& rel : node.truncate_stmt().relations()) Lock(rel.range_var(), kAccessExclusive);
        Hazard("breaks-applications");
        return absl::OkStatus();
      case Node::kGrantStmt:
        if (!node.grant_stmt().is_grant()) Hazard("breaks-applications");
        return absl::OkStatus();
      case Node::kAlterEnumStmt:
        if (!node.alter_enum_stmt().old_val().empty()) Hazard("breaks-applications");
        return absl::OkStatus();
      case Node::kSelectStmt:
        if (!SetsForTransaction(node.select_stmt())) Hazard("unknown-effect");
        return absl::OkStatus();
      // New objects, and changes of objects that no application's rows stand in: short locks, if any.
      case Node::kCommentStmt:
      case Node::kAlterDefaultPrivilegesStmt:
      case Node::kDefineStmt:
      case Node::kCreateFunctionStmt:
      case Node::kAlterFunctionStmt:
      case Node::kViewStmt:
      case Node::kCreateDomainStmt:
      case Node::kCreateSeqStmt:
      case Node::kAlterSeqStmt:
      case Node::kCreateSchemaStmt:
      case Node::kCompositeTypeStmt:
      case Node::kCreateEnumStmt:
      case Node::kCreateRangeStmt:
      case Node::kCreateExtensionStmt:
      case Node::kCreateCastStmt:
        return absl::OkStatus();
      default:
        Hazard("unknown-effect");
        return absl::OkStatus();
    }
  }

 private:
  absl::Status Refuse(absl::string_view why) const {
    return absl::InvalidArgumentError(
        absl::StrCat("line ", out_.line, ": ", why, ": ", base::Utf8Prefix(out_.text, 120)));
  }
  void Hazard(absl::string_view name) {
    if (std::find(out_.hazards.begin(), out_.hazards.end(), name) == out_.hazards.end())
      out_.hazards.emplace_back(name);
  }
  void Lock(const pg_query::RangeVar& relation, absl::string_view mode) {
    if (!relation.relname().empty()) out_.locks.push_back({NameOf(relation), std::string(mode)});
  }

  absl::Status Data(const pg_query::RangeVar& relation) {
    Lock(relation, kRowExclusive);
    Hazard("unbatched-data");
    return absl::OkStatus();
  }

  absl::Status Index(const pg_query::IndexStmt& index) {
    if (!index.concurrent()) {
      Lock(index.relation(), kShare);
      Hazard("blocks-writes");
      return absl::OkStatus();
    }
    if (index.idxname().empty()) return Refuse("give the index a name, so that it can be found again");
    Lock(index.relation(), kShareUpdateExclusive);
    out_.kind = StatementKind::kCreateIndexConcurrently;
    out_.index = {NameOf(index.relation()).schema, index.idxname()};
    return absl::OkStatus();
  }

  absl::Status Drop(const pg_query::DropStmt& drop) {
    if (drop.concurrent()) {
      if (drop.objects_size() != 1) return Refuse("drop one index a statement");
      out_.kind = StatementKind::kDropIndexConcurrently;
      out_.index = NameOf(drop.objects(0), "public");
      return absl::OkStatus();
    }
    if (drop.remove_type() == pg_query::OBJECT_TABLE) {
      for (const Node& object : drop.objects()) {
        out_.locks.push_back({NameOf(object, "public"), kAccessExclusive});
      }
    }
    Hazard("breaks-applications");
    return absl::OkStatus();
  }

  void ForeignKeys(const google::protobuf::RepeatedPtrField<Node>& elements) {
    for (const Node& element : elements) {
      if (element.has_column_def()) ForeignKeys(element.column_def().constraints());
      if (element.has_constraint() && element.constraint().contype() == pg_query::CONSTR_FOREIGN) {
        Lock(element.constraint().pktable(), kShareRowExclusive);
      }
    }
  }

  void AddColumn(const pg_query::ColumnDef& column) {
    ForeignKeys(column.constraints());
    bool not_null = false, valued = false;
    for (const Node& node : column.constraints()) {
      const pg_query::Constraint& constraint = node.constraint();
      not_null |= constraint.contype() == pg_query::CONSTR_NOTNULL;
      valued |= constraint.contype() == pg_query::CONSTR_DEFAULT ||
                constraint.contype() == pg_query::CONSTR_GENERATED ||
                constraint.contype() == pg_query::CONSTR_IDENTITY;
      switch (constraint.contype()) {
        case pg_query::CONSTR_NULL:
          break;
        case pg_query::CONSTR_NOTNULL:
          break;  // with a default it is fast
        case pg_query::CONSTR_DEFAULT: {
          bool call = false;
          Walk(constraint.raw_expr(), [&](const google::protobuf::Message& m) {
            call |= m.GetDescriptor() == pg_query::FuncCall::descriptor();
            return true;
          });
          if (call) Hazard("rewrites-table");
          break;
        }
        case pg_query::CONSTR_GENERATED:
        case pg_query::CONSTR_IDENTITY:
          Hazard("rewrites-table");
          break;
        default:
          Hazard("scans-under-lock");
      }
    }
    const auto& names = column.type_name().names();
    if (!names.empty() && names[names.size() - 1].string().sval().find("serial") != std::string::npos) {
      Hazard("rewrites-table");
    } else {
      // Without a value it fails on rows, and where there are none, the application's INSERT does.
      if (not_null && !valued) Hazard("breaks-applications");
      // A domain with constraints rewrites the table.
      if (!IsBuiltInType(column.type_name())) Hazard("unknown-effect");
    }
  }

  absl::Status AlterTable(const pg_query::AlterTableStmt& alter) {
    if (alter.objtype() != pg_query::OBJECT_TABLE) {
      Hazard("unknown-effect");
      return absl::OkStatus();
    }
    std::string mode = kAccessExclusive;
    for (const Node& node : alter.cmds()) {
      const pg_query::AlterTableCmd& cmd = node.alter_table_cmd();
      switch (cmd.subtype()) {
        case pg_query::AT_AddColumn:
          AddColumn(cmd.def().column_def());
          break;
        case pg_query::AT_AddConstraint: {
          const pg_query::Constraint& constraint = cmd.def().constraint();
          if (constraint.contype() == pg_query::CONSTR_FOREIGN)
            Lock(constraint.pktable(), kShareRowExclusive);
          if (!constraint.skip_validation() && constraint.indexname().empty()) Hazard("scans-under-lock");
          break;
        }
        case pg_query::AT_ValidateConstraint:
        case pg_query::AT_SetStatistics:
        case pg_query::AT_SetRelOptions:
        case pg_query::AT_ResetRelOptions:
          if (alter.cmds_size() == 1) mode = kShareUpdateExclusive;
          if (cmd.subtype() == pg_query::AT_ValidateConstraint && alter.cmds_size() > 1)
            Hazard("scans-under-lock");
          break;
        case pg_query::AT_ColumnDefault:
          // Without its default, an INSERT that leaves the column out may fail.
          if (!cmd.has_def()) Hazard("breaks-applications");
          break;
        // Rows that an application saw are hidden from it, or it may no longer touch them.
        case pg_query::AT_EnableRowSecurity:
        case pg_query::AT_ForceRowSecurity:
        case pg_query::AT_ChangeOwner:
          Hazard("breaks-applications");
          break;
        case pg_query::AT_DropNotNull:
        case pg_query::AT_SetStorage:
        case pg_query::AT_SetCompression:
        case pg_query::AT_SetOptions:
        case pg_query::AT_ResetOptions:
        case pg_query::AT_DropConstraint:
        case pg_query::AT_ReplicaIdentity:
        case pg_query::AT_DisableRowSecurity:
        case pg_query::AT_NoForceRowSecurity:
        case pg_query::AT_EnableTrig:
        case pg_query::AT_EnableAlwaysTrig:
        case pg_query::AT_DisableTrig:
        case pg_query::AT_DropIdentity:
          break;
        case pg_query::AT_DropColumn:
          Hazard("breaks-applications");
          break;
        case pg_query::AT_SetNotNull:
          Hazard("scans-under-lock");
          break;
        case pg_query::AT_AlterColumnType:
        case pg_query::AT_SetLogged:
        case pg_query::AT_SetUnLogged:
        case pg_query::AT_SetAccessMethod:
        case pg_query::AT_SetTableSpace:
          Hazard("rewrites-table");
          break;
        default:
          Hazard("unknown-effect");
      }
    }
    Lock(alter.relation(), mode);
    return absl::OkStatus();
  }

  Statement& out_;
};

}  // namespace

absl::StatusOr<std::vector<Statement>> ParseStatements(absl::string_view text) {
  ASSIGN_OR_RETURN(pg_query::ParseResult tree, Parse(text));
  std::vector<Statement> statements;
  for (const pg_query::RawStmt& raw : tree.stmts()) {
    absl::string_view piece = text.substr(raw.stmt_location());
    if (raw.stmt_len() > 0) piece = piece.substr(0, raw.stmt_len());
    const absl::string_view stripped = absl::StripLeadingAsciiWhitespace(piece);
    const size_t offset = raw.stmt_location() + (piece.size() - stripped.size());
    Statement statement;
    statement.text = std::string(absl::StripTrailingAsciiWhitespace(stripped));
    statement.line =
        1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<long>(offset), '\n'));
    RETURN_IF_ERROR(Classifier(&statement).Classify(raw.stmt()));
    statements.push_back(std::move(statement));
  }
  if (statements.empty()) return absl::InvalidArgumentError("there is no statement in it");
  return statements;
}

}  // namespace curlew::sql
