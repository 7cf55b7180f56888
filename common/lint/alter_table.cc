#include "common/lint/alter_table.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/alter_level.h"
#include "common/lint/coercion.h"
#include "common/sql/parser.h"

namespace curlew::lint {
using pg_query::Node;

absl::Status AlterTable::Run() {
  Relation* r = FindRelation(e_, statement_.relation(), AssumedKind(statement_.objtype()));
  if (r == nullptr) {
    if (statement_.missing_ok()) return absl::OkStatus();
    return e_.Fail("42P01",
                   absl::StrCat("relation \"", statement_.relation().relname(), "\" does not exist"));
  }
  table_ = r->oid;
  if (statement_.objtype() == pg_query::OBJECT_TYPE) return AlterCompositeType();
  std::vector<const Cmd*> cmds;
  for (const Node& node : statement_.cmds()) cmds.push_back(&node.alter_table_cmd());
  for (const Cmd* cmd : cmds) {
    // Refused before a lock is taken.
    if (cmd->subtype() == pg_query::AT_AddConstraint) {
      const auto& constraint = cmd->def().constraint();
      if (constraint.skip_validation() && constraint.contype() != pg_query::CONSTR_CHECK &&
          constraint.contype() != pg_query::CONSTR_FOREIGN)
        return e_.Fail("0A000", "this kind of constraint cannot be marked NOT VALID");
    }
    level_ = std::max(level_, LevelOf(*cmd));
  }
  e_.Lock(table_, level_);
  std::stable_sort(cmds.begin(), cmds.end(),
                   [](const Cmd* a, const Cmd* b) { return PassOf(*a) < PassOf(*b); });
  for (const Cmd* cmd : cmds) {
    if (!table().assumed && !Allows(table().kind, cmd->subtype()))
      return e_.Fail("42809",
                     absl::StrCat("this action cannot be performed on ", TableName(), ", which is no table"));
  }
  for (const Cmd* cmd : cmds) {
    e_.place = PlaceOf(*cmd);
    RETURN_IF_ERROR(Execute(*cmd));
  }
  return Finish();
}

// ALTER TYPE ... ATTRIBUTE: tables of the type follow, columns of it stand in the way of a change of type.
absl::Status AlterTable::AlterCompositeType() {
  Catalogue& c = e_.catalogue;
  e_.Lock(table_, LockMode::kAccessExclusive);
  level_ = LockMode::kAccessExclusive;
  const Oid type = table().row_type;
  for (const Node& node : statement_.cmds()) {
    const Cmd& cmd = node.alter_table_cmd();
    if (cmd.subtype() == pg_query::AT_ChangeOwner) return absl::OkStatus();
    const bool adds = cmd.subtype() == pg_query::AT_AddColumn;
    const Column* column = table().Find(adds ? cmd.def().column_def().colname() : cmd.name());
    if (!table().assumed && (column == nullptr) != adds && !cmd.missing_ok())
      return e_.Fail(adds ? "42701" : "42703", absl::StrCat("attribute \"", cmd.name(), "\" of ", TableName(),
                                                            adds ? " already exists" : " does not exist"));
    std::vector<Oid> typed;
    for (const auto& [oid, r] : c.relations) {
      if (r.of_type != 0 && r.of_type == type) typed.push_back(oid);
    }
    if (!typed.empty() && cmd.behavior() != pg_query::DROP_CASCADE)
      return e_.Fail("2BP01", absl::StrCat("cannot alter type ", TableName(),
                                           " because it is the type of a typed table"));
    e_.Lock(typed, level_);
    if (cmd.subtype() != pg_query::AT_AlterColumnType) continue;
    for (const auto& [oid, r] : c.relations) {
      for (const Column& own : r.columns) {
        if (type == 0 || r.kind != 'r' || (own.type != type && ElementOf(c, own.type) != type)) continue;
        e_.Lock(oid, LockMode::kAccessShare);
        return e_.Fail("0A000", absl::StrCat("cannot alter type ", TableName(), " because column \"", r.name,
                                             ".", own.name, "\" uses it"));
      }
    }
  }
  return absl::OkStatus();
}

std::vector<Oid> AlterTable::LockBelow(Oid table) {
  if (!Recurses()) return {};
  std::vector<Oid> all = e_.catalogue.AllInheritors(table);
  all.erase(all.begin());
  e_.Lock(all, level_);
  return all;
}

absl::StatusOr<Column*> AlterTable::NeedColumn(Relation& r, absl::string_view name) {
  if (Column* column = r.Find(name); column != nullptr) return column;
  if (r.assumed) {
    Column column;
    column.number = static_cast<int>(r.columns.size()) + 1;
    column.name = std::string(name);
    r.columns.push_back(column);
    return &r.columns.back();
  }
  return e_.Fail("42703",
                 absl::StrCat("column \"", name, "\" of relation ", e_.QuotedName(r), " does not exist"));
}

void AlterTable::Scan(Oid table, std::string why, std::string safe) {
  Work(table).scans.push_back({std::move(why), std::move(safe), e_.place});
}

void AlterTable::Rewrite(Oid table, std::string why, std::string safe) {
  Work(table).rewrites.push_back({std::move(why), std::move(safe), e_.place});
}

void AlterTable::Validate(Oid foreign_key, std::string safe) {
  const Oid table = e_.catalogue.constraints[foreign_key].table;
  Work(table).foreign_keys.emplace_back(foreign_key, Reason{"", std::move(safe), e_.place});
}

// Where an action stands: the tree knows it of definitions; else it is the name that it is about.
int AlterTable::PlaceOf(const Cmd& cmd) const {
  if (e_.text.empty()) return 0;
  if (cmd.def().has_column_def()) return cmd.def().column_def().location();
  if (cmd.def().has_constraint()) return cmd.def().constraint().location();
  if (cmd.name().empty()) return 0;
  const auto tokens = sql::Scan(e_.text);
  if (!tokens.ok()) return 0;
  for (const sql::Token& token : *tokens) {
    if (token.start > statement_.relation().location() && !token.comment &&
        sql::TokenName(e_.text.substr(token.start, token.end - token.start)) == cmd.name())
      return token.start;
  }
  return 0;
}

absl::Status AlterTable::Execute(const Cmd& cmd) {
  switch (cmd.subtype()) {
    case pg_query::AT_AddColumn:
      return AddColumn(cmd.def().column_def(), Recurses(), cmd.missing_ok());
    case pg_query::AT_DropColumn:
      return DropColumn(cmd);
    case pg_query::AT_SetNotNull:
      return SetNotNullFor(cmd.name(), Recurses());
    case pg_query::AT_DropNotNull:
      return DropNotNull(cmd.name());
    case pg_query::AT_AlterColumnType:
      return AlterType(cmd);
    case pg_query::AT_AddIdentity:
    case pg_query::AT_SetIdentity:
    case pg_query::AT_DropIdentity:
      return ChangeIdentity(cmd);
    case pg_query::AT_AddConstraint:
      return AddConstraint(cmd.def().constraint(), "", Recurses());
    case pg_query::AT_DropConstraint:
      return DropConstraint(
          table_, cmd.name(),
          cmd.behavior() == pg_query::DROP_CASCADE ? Behaviour::kCascade : Behaviour::kRestrict,
          cmd.missing_ok(), Recurses());
    case pg_query::AT_ValidateConstraint:
      return Validate(cmd.name());
    case pg_query::AT_AttachPartition:
      return table().IsIndex() || statement_.objtype() == pg_query::OBJECT_INDEX ? AttachIndex(cmd)
                                                                                 : Attach(cmd);
    case pg_query::AT_DetachPartition:
    case pg_query::AT_DetachPartitionFinalize:
      return Detach(cmd);
    case pg_query::AT_AddInherit:
      return Inherit(cmd);
    case pg_query::AT_DropInherit:
      return Disinherit(cmd);
    case pg_query::AT_ChangeOwner:
      return ChangeOwner(cmd.newowner().rolename());
    case pg_query::AT_SetLogged:
      return ChangePersistence('p');
    case pg_query::AT_SetUnLogged:
      return ChangePersistence('u');
    case pg_query::AT_SetTableSpace:
      return ChangeTablespace(cmd);
    case pg_query::AT_SetAccessMethod:
      return ChangeMethod(cmd);
    case pg_query::AT_ReplicaIdentity:
      return ReplicaIdentity(cmd);
    case pg_query::AT_ClusterOn:
      return ClusterOn(cmd);
    case pg_query::AT_EnableRowSecurity:
    case pg_query::AT_DisableRowSecurity:
    case pg_query::AT_ForceRowSecurity:
    case pg_query::AT_NoForceRowSecurity:
      return RowSecurity(cmd);
    default:
      return Simple(cmd);
  }
}

// Subcommands that only change the catalogue.
absl::Status AlterTable::Simple(const Cmd& cmd) {
  switch (cmd.subtype()) {
    case pg_query::AT_ColumnDefault:
    case pg_query::AT_DropExpression:
    case pg_query::AT_SetStatistics:
    case pg_query::AT_SetStorage:
    case pg_query::AT_SetCompression:
    case pg_query::AT_SetOptions:
    case pg_query::AT_ResetOptions: {
      const bool below = cmd.subtype() != pg_query::AT_SetOptions &&
                         cmd.subtype() != pg_query::AT_ResetOptions &&
                         cmd.subtype() != pg_query::AT_SetCompression;
      const std::vector<Oid> children = below ? LockBelow(table_) : std::vector<Oid>();
      if (!cmd.name().empty() && table().kind != 'i' && table().kind != 'I') {
        ASSIGN_OR_RETURN(Column * column, NeedColumn(table(), cmd.name()));
        if (cmd.subtype() == pg_query::AT_ColumnDefault) {
          column->has_default = cmd.has_def();
          ForgetDefault(table_, column->number);
          if (!cmd.has_def() && column->not_null && !e_.IsNew(table_))
            e_.Warn("breaks-applications", Severity::kWarning,
                    absl::StrCat("without its default, an INSERT into ", TableName(), " that leaves ",
                                 cmd.name(), " out fails"));
        }
        if (cmd.subtype() == pg_query::AT_DropExpression) column->generated = 0;
        static const auto* const plain =
            new std::set<std::string>{"int2", "int4", "int8",      "float4",      "float8", "bool",
                                      "date", "time", "timestamp", "timestamptz", "uuid",   "oid"};
        const Type* type = e_.catalogue.type(column->type);
        const bool is_plain = type != nullptr && plain->count(type->name) > 0;
        const std::string option = absl::AsciiStrToLower(ConstantText(cmd.def()));
        if (is_plain && ((cmd.subtype() == pg_query::AT_SetStorage && option != "plain") ||
                         (cmd.subtype() == pg_query::AT_SetCompression && option != "default")))
          return e_.Fail("0A000", absl::StrCat("column data type ", type->name, " can only be stored plain"));
      }
      if (cmd.subtype() == pg_query::AT_SetStorage || cmd.subtype() == pg_query::AT_SetCompression) {
        e_.LockIndexes(table_, level_);
        for (Oid child : children) e_.LockIndexes(child, level_);
      }
      return absl::OkStatus();
    }
    case pg_query::AT_EnableTrig:
    case pg_query::AT_EnableAlwaysTrig:
    case pg_query::AT_EnableReplicaTrig:
    case pg_query::AT_DisableTrig:
    case pg_query::AT_EnableTrigAll:
    case pg_query::AT_DisableTrigAll:
    case pg_query::AT_EnableTrigUser:
    case pg_query::AT_DisableTrigUser:
      if (table().kind == 'p') LockBelow(table_);
      if (!cmd.name().empty() && !table().assumed && e_.catalogue.complete) {
        const bool there = std::any_of(
            e_.catalogue.triggers.begin(), e_.catalogue.triggers.end(),
            [&](const auto& t) { return t.second.table == table_ && t.second.name == cmd.name(); });
        if (!there) return e_.Fail("42704", absl::StrCat("trigger \"", cmd.name(), "\" does not exist"));
      }
      if (absl::StartsWith(pg_query::AlterTableType_Name(cmd.subtype()), "AT_Disable") && !e_.IsNew(table_))
        e_.Warn("breaks-applications", Severity::kWarning,
                absl::StrCat("a trigger of ", TableName(), " no longer fires for anybody"));
      return absl::OkStatus();
    case pg_query::AT_AlterConstraint: {
      const std::string& name = cmd.def().constraint().conname();
      char kind = 0;
      for (const auto& [oid, constraint] : e_.catalogue.constraints) {
        if (constraint.table == table_ && constraint.name == name) kind = constraint.kind;
      }
      if (kind == 0 && !table().assumed)
        return e_.Fail(
            "42704", absl::StrCat("constraint \"", name, "\" of relation ", TableName(), " does not exist"));
      if (kind != 0 && kind != 'f')
        return e_.Fail("42809", absl::StrCat("constraint \"", name, "\" of relation ", TableName(),
                                             " is not a foreign key constraint"));
      LockBelow(table_);
      return absl::OkStatus();
    }
    case pg_query::AT_AddOf: {
      const TypeUse type = ResolveType(e_, cmd.def().type_name());
      LockTypeRelation(type.type);
      return absl::OkStatus();
    }
    default:
      return absl::OkStatus();
  }
}

// A default that goes, or gets another expression, needs nothing any more.
void AlterTable::ForgetDefault(Oid table, int column) {
  std::set<Oid> defaults;
  for (const Dependency& d : e_.catalogue.dependencies) {
    if (d.object.catalogue == kPgAttrdef && d.kind == 'a' && d.referenced == Address{kPgClass, table, column})
      defaults.insert(d.object.id);
  }
  std::erase_if(e_.catalogue.dependencies, [&](const Dependency& d) {
    return d.object.catalogue == kPgAttrdef && defaults.count(d.object.id) > 0;
  });
}

// Phase 3: ATRewriteTables.
absl::Status AlterTable::Finish() {
  std::vector<std::pair<Oid, Reason>> keys;
  for (auto& [oid, work] : work_) {
    const Relation* r = e_.catalogue.relation(oid);
    if (r == nullptr || creating_) continue;
    if (!work.empty_columns.empty() && work.built.empty() && r->kind == 'r' && r->has_rows && !r->assumed) {
      return e_.Fail("23502", absl::StrCat("column \"", work.empty_columns[0], "\" of relation ",
                                           e_.QuotedName(*r), " contains null values"));
    }
    if (!work.rewrites.empty()) {
      if (r->kind == 'r' || r->kind == 'm') e_.LockIndexes(oid, LockMode::kAccessExclusive);
      for (const Reason& reason : work.rewrites) e_.Rewrite(oid, reason, !work.copies_files);
      for (const Reason& reason : work.scans) e_.Scan(oid, reason);
    } else {
      for (const Reason& reason : work.built) e_.BuildIndex(oid, reason);
      if (!work.empty_columns.empty() && r->kind == 'r' && r->has_rows && !r->assumed) {
        return e_.Fail("23502", absl::StrCat("column \"", work.empty_columns[0], "\" of relation ",
                                             e_.QuotedName(*r), " contains null values"));
      }
      for (const Reason& reason : work.scans) e_.Scan(oid, reason);
    }
    if (!work.empty_columns.empty() && r->assumed && !e_.IsNew(oid)) {
      e_.Warn("fails", Severity::kError,
              absl::StrCat("column ", work.empty_columns[0], " is NOT NULL and rows that ", e_.QuotedName(*r),
                           " has get no value: it fails unless the table is empty"));
    }
    keys.insert(keys.end(), work.foreign_keys.begin(), work.foreign_keys.end());
  }
  for (auto& [key, reason] : keys) {
    const auto it = e_.catalogue.constraints.find(key);
    if (it == e_.catalogue.constraints.end() || creating_) continue;
    const Constraint& fk = it->second;
    const Relation* from = e_.catalogue.relation(fk.table);
    if (from == nullptr || from->kind == 'p') continue;
    e_.Lock(fk.referenced, LockMode::kRowShare);
    LockForeignKeyQuery(e_, fk.table, fk.referenced);
    reason.why =
        absl::StrCat("every row of ", e_.QuotedName(*from), " is looked up in ", e_.Name(fk.referenced));
    e_.Scan(fk.table, reason);
  }
  return absl::OkStatus();
}

}  // namespace curlew::lint
