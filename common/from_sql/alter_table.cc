#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/from_sql/alter_column.h"
#include "common/from_sql/families.h"
#include "common/from_sql/text.h"
#include "common/schema/schema.h"

namespace curlew::from_sql {
namespace {

using pg_query::AlterTableCmd;
using pg_query::Node;
using sql::TableName;

// PostgreSQL does the parts of one ALTER TABLE in passes, whatever their order in the text: what goes, types,
// new columns, NOT NULL, keys, other constraints and defaults, the rest.
int Pass(const AlterTableCmd& command) {
  switch (command.subtype()) {
    case pg_query::AT_DropColumn:
    case pg_query::AT_DropConstraint:
    case pg_query::AT_DropNotNull:
    case pg_query::AT_DropExpression:
    case pg_query::AT_DropIdentity:
      return 0;
    case pg_query::AT_ColumnDefault:
      return command.has_def() ? 5 : 0;
    case pg_query::AT_AlterColumnType:
      return 1;
    case pg_query::AT_AddColumn:
      return 2;
    case pg_query::AT_SetNotNull:
      return 3;
    case pg_query::AT_AddConstraint: {
      const auto type = command.def().constraint().contype();
      return type == pg_query::CONSTR_PRIMARY || type == pg_query::CONSTR_UNIQUE ||
                     type == pg_query::CONSTR_EXCLUSION
                 ? 4
                 : 5;
    }
    case pg_query::AT_AddIdentity:
      return 5;
    default:
      return 6;
  }
}

std::string Alter(const TableName& table) { return absl::StrCat("ALTER TABLE ", table.Quoted(), " "); }

void DropConstraint(const AlterTableCmd& command, const TableName& table, const Node& node, Sink* sink) {
  Known& known = sink->known();
  const v1::Table* there = known.exact() ? known.Table(table) : nullptr;
  const v1::Constraint* constraint =
      there == nullptr ? nullptr : schema::FindConstraint(*there, command.name());
  if (command.missing_ok() && there != nullptr && constraint == nullptr &&
      !known.Made("constraint " + table.Quoted() + " " + command.name())) {
    sink->LeaveOut(
        absl::StrCat("IF EXISTS: ", table.Quoted(), " has no constraint ", sql::Ident(command.name())));
    return;
  }
  const bool is_primary = constraint != nullptr ? constraint->type() == v1::CONSTRAINT_TYPE_PRIMARY_KEY
                                                : absl::EndsWith(command.name(), "_pkey");
  const std::string key = RelationKey(table.Quoted());
  if (is_primary || command.behavior() == pg_query::DROP_CASCADE) {
    Piece& piece = sink->Sql(node, is_primary ? "a primary key is dropped by no operation"
                                              : "CASCADE may take foreign keys of other tables with it");
    piece.reaches_all = command.behavior() == pg_query::DROP_CASCADE;
    known.DropConstraint(table, command.name());
    return;
  }
  v1::Operation operation;
  operation.mutable_drop_constraint()->set_table(table.Quoted());
  operation.mutable_drop_constraint()->set_name(command.name());
  Piece& piece = sink->Operation(std::move(operation), node, key);
  if (command.missing_ok() && !known.exact()) piece.notes.push_back("IF EXISTS: taken to be there");
  known.DropConstraint(table, command.name());
}

// The piece of the script that adds the constraint, NOT VALID, and is no operation for that alone.
std::optional<size_t> NotValid(const TableName& table, const std::string& name, Sink* sink) {
  for (size_t i = sink->pieces().size(); i-- > 0;) {
    const Piece& piece = sink->pieces()[i];
    if (piece.is_operation() || !piece.operation.has_value() || piece.merged_into.has_value()) continue;
    if (piece.operation->has_add_check() && piece.operation->add_check().table() == table.Quoted() &&
        piece.operation->add_check().name() == name) {
      return i;
    }
    if (piece.operation->has_add_foreign_key() &&
        piece.operation->add_foreign_key().table() == table.Quoted() &&
        piece.operation->add_foreign_key().name() == name) {
      return i;
    }
  }
  return std::nullopt;
}

void ValidateConstraint(const AlterTableCmd& command, const TableName& table, const Node& node, Sink* sink) {
  const std::string key = RelationKey(table.Quoted());
  if (const auto added = NotValid(table, command.name(), sink); added.has_value()) {
    const Piece before = sink->pieces()[*added];
    Piece& piece = sink->Operation(*before.operation, node, key);
    piece.touches.insert(before.touches.begin(), before.touches.end());
    sink->Merge(*added, static_cast<int>(sink->pieces().size()) - 1);
    return;
  }
  v1::Operation operation;
  operation.mutable_validate_constraint()->set_table(table.Quoted());
  operation.mutable_validate_constraint()->set_name(command.name());
  sink->Operation(std::move(operation), node, key);
}

// UNIQUE USING INDEX, where the script has made the index: both together are add_unique.
bool AdoptIndex(const pg_query::Constraint& constraint, const TableName& table, const Node& node,
                Sink* sink) {
  if (constraint.contype() != pg_query::CONSTR_UNIQUE || constraint.indexname().empty()) return false;
  for (size_t i = sink->pieces().size(); i-- > 0;) {
    const Piece& piece = sink->pieces()[i];
    if (!piece.is_operation() || piece.merged_into.has_value() || !piece.operation->has_create_index())
      continue;
    const v1::CreateIndex& index = piece.operation->create_index();
    if (index.table() != table.Quoted() || index.name() != constraint.indexname()) continue;
    const bool plain = index.unique() && index.keys().empty() && index.where().empty() &&
                       index.method().empty() && index.options().empty();
    if (!plain) return false;
    v1::Operation operation;
    v1::AddUnique* unique = operation.mutable_add_unique();
    unique->set_table(table.Quoted());
    unique->set_name(constraint.conname().empty() ? index.name() : constraint.conname());
    *unique->mutable_columns() = index.columns();
    *unique->mutable_include() = index.include();
    unique->set_nulls_not_distinct(index.nulls_not_distinct());
    unique->set_deferral(ReadDeferral(constraint));
    const std::string name = unique->name();
    sink->known().Drop({table.schema, index.name()});
    sink->Operation(std::move(operation), node, RelationKey(table.Quoted()));
    sink->Merge(i, static_cast<int>(sink->pieces().size()) - 1);
    sink->known().MakeConstraint(table, name);
    sink->known().MakeIndex(table, name);
    return true;
  }
  return false;
}

void TableOptions(const AlterTableCmd& command, const TableName& table, const Node& node, Sink* sink) {
  v1::Operation operation;
  v1::SetTableOptions* options = operation.mutable_set_table_options();
  options->set_table(table.Quoted());
  const auto parameters = ReadParameters(command.def().list().items());
  if (!parameters.has_value()) {
    sink->Sql(node, "a parameter's value is none that a plan can write");
    return;
  }
  for (const v1::Parameter& parameter : *parameters) {
    if (command.subtype() == pg_query::AT_SetRelOptions) {
      *options->add_set() = parameter;
    } else {
      options->add_reset(parameter.name());
    }
  }
  sink->Operation(std::move(operation), node, RelationKey(table.Quoted()));
}

void RowSecurity(const AlterTableCmd& command, const TableName& table, const Node& node, Sink* sink) {
  const std::string key = RelationKey(table.Quoted());
  v1::Operation operation;
  v1::SetRowSecurity* security = operation.mutable_set_row_security();
  security->set_table(table.Quoted());
  const v1::Table* there = sink->known().Table(table);
  switch (command.subtype()) {
    case pg_query::AT_EnableRowSecurity:
      // FORCE may have come first, and says nothing without it.
      security->set_state(v1::ROW_SECURITY_ENABLED);
      sink->Operation(std::move(operation), node, key).acknowledge = {"breaks-applications"};
      return;
    case pg_query::AT_DisableRowSecurity:
      if (there != nullptr && there->row_security() == "enabled") {
        security->set_state(v1::ROW_SECURITY_DISABLED);
        sink->Operation(std::move(operation), node, key);
        return;
      }
      break;
    case pg_query::AT_ForceRowSecurity:
      // The script, or the database, has it enabled.
      if (there != nullptr && !there->row_security().empty()) {
        security->set_state(v1::ROW_SECURITY_FORCED);
        sink->Operation(std::move(operation), node, key);
        return;
      }
      for (Piece& piece : sink->pieces()) {
        if (!piece.is_operation() || !piece.operation->has_set_row_security()) continue;
        if (piece.operation->set_row_security().table() != table.Quoted()) continue;
        piece.operation->mutable_set_row_security()->set_state(v1::ROW_SECURITY_FORCED);
        sink->LeaveOut("FORCE: the operation that enables row-level security says it too");
        return;
      }
      break;
    default:
      if (there != nullptr && there->row_security() == "forced") {
        security->set_state(v1::ROW_SECURITY_ENABLED);
        sink->Operation(std::move(operation), node, key);
        return;
      }
  }
  sink->Sql(node, "what row-level security the table has, the text does not tell");
}

void ReplicaIdentity(const AlterTableCmd& command, const TableName& table, const Node& node, Sink* sink) {
  const pg_query::ReplicaIdentityStmt& statement = command.def().replica_identity_stmt();
  v1::Operation operation;
  v1::SetReplicaIdentity* identity = operation.mutable_set_replica_identity();
  identity->set_table(table.Quoted());
  identity->set_index(statement.name());
  const std::string& type = statement.identity_type();
  identity->set_identity(type == "f"   ? v1::REPLICA_IDENTITY_FULL
                         : type == "n" ? v1::REPLICA_IDENTITY_NOTHING
                         : type == "i" ? v1::REPLICA_IDENTITY_INDEX
                                       : v1::REPLICA_IDENTITY_DEFAULT);
  sink->Operation(std::move(operation), node, RelationKey(table.Quoted()));
}

void OtherCommand(const AlterTableCmd& command, const TableName& table, const Node& node, Sink* sink) {
  const v1::Table* there = sink->known().exact() ? sink->known().Table(table) : nullptr;
  switch (command.subtype()) {
    case pg_query::AT_ChangeOwner:
      sink->Sql(node, "no operation changes an owner",
                there == nullptr || there->owner().empty()
                    ? ""
                    : absl::StrCat(Alter(table), "OWNER TO ", sql::Ident(there->owner())));
      return;
    case pg_query::AT_SetLogged:
    case pg_query::AT_SetUnLogged:
    case pg_query::AT_SetTableSpace:
    case pg_query::AT_SetAccessMethod:
      sink->Sql(node, "no operation rewrites a table for where, or how, it is stored");
      return;
    case pg_query::AT_AttachPartition:
    case pg_query::AT_DetachPartition: {
      Piece& piece = sink->Sql(node, "partitions are attached and detached by no operation");
      const TableName part = sink->known().Relation(command.def().partition_cmd().name());
      const bool attaches = command.subtype() == pg_query::AT_AttachPartition;
      // A partition that the script made is gone, or whole again, when that is undone.
      if (attaches && sink->known().Made(RelationKey(part.Quoted()))) {
        piece.down = absl::StrCat(Alter(table), "DETACH PARTITION ", part.Quoted());
      }
      return;
    }
    case pg_query::AT_EnableTrig:
    case pg_query::AT_DisableTrig:
    case pg_query::AT_EnableAlwaysTrig:
    case pg_query::AT_EnableReplicaTrig:
      sink->Sql(node, "no operation switches a trigger");
      return;
    default:
      sink->Sql(node, "there is no operation for this form of ALTER TABLE");
  }
}

void Command(const AlterTableCmd& command, const TableName& table, const Node& node, Sink* sink) {
  switch (command.subtype()) {
    case pg_query::AT_AddColumn:
      return AddColumn(command, table, node, sink);
    case pg_query::AT_DropColumn:
      return DropColumn(command, table, node, sink);
    case pg_query::AT_ColumnDefault:
      return ColumnDefault(command, table, node, sink);
    case pg_query::AT_SetNotNull:
    case pg_query::AT_DropNotNull:
      return NotNull(command, table, node, sink);
    case pg_query::AT_AlterColumnType:
      return ColumnType(command, table, node, sink);
    case pg_query::AT_SetStatistics:
      return StatisticsTarget(command, table, node, sink);
    case pg_query::AT_AddConstraint:
      if (AddPrimaryKey(command.def().constraint(), table, node, sink)) return;
      if (AdoptIndex(command.def().constraint(), table, node, sink)) return;
      return AddConstraint(command.def().constraint(), table, sink);
    case pg_query::AT_DropConstraint:
      return DropConstraint(command, table, node, sink);
    case pg_query::AT_ValidateConstraint:
      return ValidateConstraint(command, table, node, sink);
    case pg_query::AT_SetRelOptions:
    case pg_query::AT_ResetRelOptions:
      return TableOptions(command, table, node, sink);
    case pg_query::AT_EnableRowSecurity:
    case pg_query::AT_DisableRowSecurity:
    case pg_query::AT_ForceRowSecurity:
    case pg_query::AT_NoForceRowSecurity:
      return RowSecurity(command, table, node, sink);
    case pg_query::AT_ReplicaIdentity:
      return ReplicaIdentity(command, table, node, sink);
    default:
      return OtherCommand(command, table, node, sink);
  }
}

}  // namespace

void AlterTable(const Node& node, Sink* sink) {
  const pg_query::AlterTableStmt& alter = node.alter_table_stmt();
  Known& known = sink->known();
  const TableName table = known.Relation(alter.relation());
  const Kind kind = known.KindOf(table);
  if (alter.missing_ok() && known.exact() && kind == Kind::kUnknown) {
    sink->LeaveOut(absl::StrCat("IF EXISTS: there is no ", table.Quoted()));
    return;
  }
  if (alter.objtype() != pg_query::OBJECT_TABLE ||
      (kind != Kind::kUnknown && kind != Kind::kTable && kind != Kind::kPartitioned)) {
    sink->Sql(node, "operations alter tables only");
    return;
  }
  std::vector<const AlterTableCmd*> commands;
  for (const Node& command : alter.cmds()) commands.push_back(&command.alter_table_cmd());
  std::stable_sort(commands.begin(), commands.end(),
                   [](const AlterTableCmd* a, const AlterTableCmd* b) { return Pass(*a) < Pass(*b); });
  for (const AlterTableCmd* command : commands) {
    Node one = node;
    one.mutable_alter_table_stmt()->clear_cmds();
    *one.mutable_alter_table_stmt()->add_cmds()->mutable_alter_table_cmd() = *command;
    if (!alter.relation().inh() && kind == Kind::kPartitioned) {
      sink->Sql(one, "ONLY leaves the partitions out, and operations do not");
    } else {
      Command(*command, table, one, sink);
    }
  }
}

}  // namespace curlew::from_sql
