#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/alter_table.h"
#include "common/lint/coercion.h"
#include "common/sql/identifier.h"
#include "common/sql/parser.h"

namespace curlew::lint {

void LockForeignKeyQuery(Effects& e, Oid referencing, Oid referenced) {
  for (Oid table : {referencing, referenced}) {
    for (Oid part : e.catalogue.AllInheritors(table)) {
      const Relation* r = e.catalogue.relation(part);
      if (r->kind == 'p') continue;
      if (table != part && e.catalogue.relation(table)->kind != 'p') continue;  // ONLY
      e.Lock(part, LockMode::kAccessShare);
      e.LockIndexes(part, LockMode::kAccessShare);
    }
  }
}

namespace {

bool SameForeignKey(const Constraint& a, const Constraint& b) {
  return a.kind == 'f' && b.kind == 'f' && a.referenced == b.referenced &&
         a.columns.size() == b.columns.size() && a.referenced_columns == b.referenced_columns;
}

// The constraint with its triggers on both tables.
Oid NewForeignKey(Effects& e, const Relation& table, std::string name, const Constraint& like) {
  Catalogue& c = e.catalogue;
  const Oid oid = NewConstraint(e, table, std::move(name), 'f');
  Constraint& fk = c.constraints[oid];
  fk.referenced = like.referenced;
  fk.columns = like.columns;
  fk.referenced_columns = like.referenced_columns;
  fk.validated = like.validated;
  fk.parent = like.parent;
  fk.index = like.index;
  for (Oid on : {table.oid, like.referenced}) {
    Trigger trigger;
    trigger.oid = c.NewOid();
    trigger.table = on;
    trigger.constraint = oid;
    trigger.internal = true;
    c.Depend({kPgTrigger, trigger.oid, 0}, {kPgConstraint, oid, 0}, 'i');
    c.triggers[trigger.oid] = trigger;
  }
  for (int column : fk.columns) c.Depend({kPgConstraint, oid, 0}, {kPgClass, table.oid, column}, 'a');
  for (int column : fk.referenced_columns)
    c.Depend({kPgConstraint, oid, 0}, {kPgClass, like.referenced, column}, 'n');
  if (fk.index != 0) c.Depend({kPgConstraint, oid, 0}, {kPgClass, fk.index, 0}, 'n');
  return oid;
}

}  // namespace

// The key NOT VALID, then validated.
std::string AlterTable::NotValid(const pg_query::Constraint& constraint, const std::string& name,
                                 const std::vector<std::string>& columns) {
  if (creating_) return "";
  pg_query::ParseResult tree;
  auto* alter = tree.add_stmts()->mutable_stmt()->mutable_alter_table_stmt();
  *alter->mutable_relation() = statement_.relation();
  alter->set_objtype(pg_query::OBJECT_TABLE);
  auto* cmd = alter->add_cmds()->mutable_alter_table_cmd();
  cmd->set_subtype(pg_query::AT_AddConstraint);
  cmd->set_behavior(pg_query::DROP_RESTRICT);
  auto* key = cmd->mutable_def()->mutable_constraint();
  *key = constraint;
  key->set_conname(name);
  key->set_skip_validation(true);
  key->set_initially_valid(false);
  key->clear_fk_attrs();
  for (const std::string& column : columns) key->add_fk_attrs()->mutable_string()->set_sval(column);
  const auto text = sql::Deparse(tree);
  if (!text.ok()) return "";
  return absl::StrCat(*text, ";\nALTER TABLE ", TableName(), " VALIDATE CONSTRAINT ", sql::Ident(name),
                      ";  -- in a transaction of its own");
}

absl::Status AlterTable::AddForeignKey(const pg_query::Constraint& constraint, const std::string& column) {
  Catalogue& c = e_.catalogue;
  for (const auto& [oid, other] : c.constraints) {
    if (other.table == table_ && other.name == constraint.conname() && !constraint.conname().empty())
      return e_.Fail("42710", absl::StrCat("constraint \"", constraint.conname(), "\" for relation ",
                                           TableName(), " already exists"));
  }
  ASSIGN_OR_RETURN(Relation * referenced, NeedRelation(e_, constraint.pktable()));
  const Oid target = referenced->oid;
  e_.Lock(target, LockMode::kShareRowExclusive);
  if (!referenced->IsTable() && !referenced->assumed)
    return e_.Fail("42809", absl::StrCat("referenced relation \"", referenced->name, "\" is not a table"));
  if (!referenced->assumed && !table().assumed) {
    const char from = table().persistence, to = referenced->persistence;
    if (from == 'p' && to != 'p')
      return e_.Fail("42P16", "constraints on permanent tables may reference only permanent tables");
    if (from == 'u' && to == 't')
      return e_.Fail("42P16",
                     "constraints on unlogged tables may reference only permanent or unlogged tables");
    if (from == 't' && to != 't')
      return e_.Fail("42P16", "constraints on temporary tables may reference only temporary tables");
  }
  std::vector<std::string> columns = Strings(constraint.fk_attrs());
  if (columns.empty() && !column.empty()) columns = {column};
  Constraint fk;
  fk.kind = 'f';
  fk.referenced = target;
  fk.validated = !constraint.skip_validation();
  for (const std::string& name : columns) {
    const Column* found = table().Find(name);
    if (found == nullptr && !table().assumed)
      return e_.Fail(
          "42703", absl::StrCat("column \"", name, "\" referenced in foreign key constraint does not exist"));
    if (found != nullptr) fk.columns.push_back(found->number);
  }
  const std::vector<std::string> keys = Strings(constraint.pk_attrs());
  for (const std::string& name : keys) {
    const Column* found = referenced->Find(name);
    if (found == nullptr && !referenced->assumed)
      return e_.Fail(
          "42703", absl::StrCat("column \"", name, "\" referenced in foreign key constraint does not exist"));
    if (found != nullptr) fk.referenced_columns.push_back(found->number);
  }
  for (Oid index : c.Indexes(target)) {
    const IndexPart& part = c.relation(index)->index;
    std::vector<int> own(part.columns.begin(), part.columns.begin() + part.key_count);
    std::vector<int> wanted = fk.referenced_columns;
    if (keys.empty() && part.primary) fk.referenced_columns = wanted = own;
    std::sort(own.begin(), own.end());
    std::sort(wanted.begin(), wanted.end());
    if (part.unique && part.valid && part.predicate.empty() && own == wanted) fk.index = index;
  }
  if (fk.index == 0 && !referenced->assumed && !(target == table_ && creating_)) {
    return keys.empty()
               ? e_.Fail("42704",
                         absl::StrCat("there is no primary key for referenced table ", e_.Name(target)))
               : e_.Fail(
                     "42830",
                     absl::StrCat("there is no unique constraint matching given keys for referenced table ",
                                  e_.Name(target)));
  }
  for (size_t i = 0; i < fk.columns.size() && i < fk.referenced_columns.size(); ++i) {
    const Column* own = table().ByNumber(fk.columns[i]);
    const Column* key = referenced->ByNumber(fk.referenced_columns[i]);
    if (own == nullptr || key == nullptr || own->type == 0 || key->type == 0) continue;
    if (Coerce(e_.session, {own->type, -1}, {key->type, -1}, 'i') == Coercion::kImpossible &&
        Coerce(e_.session, {key->type, -1}, {own->type, -1}, 'i') == Coercion::kImpossible)
      return e_.Fail("42804", absl::StrCat("a foreign key cannot compare ", own->name, " with ", key->name,
                                           ": their types are incompatible"));
  }
  if (table().kind == 'p') {
    if (!Recurses()) return e_.Fail("42809", "cannot use ONLY for foreign key on partitioned table");
    if (constraint.skip_validation())
      return e_.Fail("42809", absl::StrCat("cannot add NOT VALID foreign key on partitioned table ",
                                           TableName(), " referencing relation ", e_.Name(target)));
  }
  for (Oid part : c.AllInheritors(target)) {
    if (c.relation(target)->kind == 'p') e_.Lock(part, LockMode::kShareRowExclusive);
  }
  const std::string name =
      constraint.conname().empty() ? ChooseName(e_, table(), columns, "fkey") : constraint.conname();
  // A column that the statement adds without a value has nothing to validate.
  bool validate = !constraint.skip_validation();
  if (!column.empty() && validate) {
    bool only_empty_columns = true;
    for (const auto& node : statement_.cmds()) {
      const auto& cmd = node.alter_table_cmd();
      if (cmd.subtype() == pg_query::AT_AddConstraint &&
          cmd.def().constraint().contype() == pg_query::CONSTR_FOREIGN)
        only_empty_columns = false;
      if (cmd.subtype() != pg_query::AT_AddColumn) continue;
      for (const auto& own : cmd.def().column_def().constraints()) {
        if (own.constraint().contype() == pg_query::CONSTR_DEFAULT) only_empty_columns = false;
      }
      if (ResolveType(e_, cmd.def().column_def().type_name()).serial) only_empty_columns = false;
    }
    if (only_empty_columns) validate = false;
  }
  const Oid added = NewForeignKey(e_, table(), name, fk);
  const Constraint parent = c.constraints[added];
  if (validate && table().kind != 'p') Validate(added, NotValid(constraint, name, columns));
  return ForeignKeyBelow(table_, parent, validate);
}

// addFkRecurseReferencing: the partitions get the key too, or one that they have is taken for it.
absl::Status AlterTable::ForeignKeyBelow(Oid table, const Constraint& parent, bool validate) {
  Catalogue& c = e_.catalogue;
  if (c.relation(table)->kind != 'p') return absl::OkStatus();
  for (Oid part : c.Children(table)) {
    e_.Lock(part, level_);
    Constraint wanted = parent;
    wanted.columns.clear();
    for (int number : parent.columns) {
      const Column* above = c.relation(table)->ByNumber(number);
      const Column* own = above == nullptr ? nullptr : c.relation(part)->Find(above->name);
      if (own != nullptr) wanted.columns.push_back(own->number);
    }
    wanted.parent = parent.oid;
    bool attached = false;
    for (auto& [oid, own] : c.constraints) {
      if (own.table != part || own.parent != 0 || !own.validated || !SameForeignKey(own, wanted)) continue;
      // Its own triggers on the other table are dropped for those of the parent's key.
      e_.Lock(wanted.referenced, LockMode::kAccessExclusive);
      own.parent = parent.oid;
      attached = true;
      break;
    }
    if (attached) continue;
    const Oid added = NewForeignKey(e_, *c.relation(part), parent.name, wanted);
    c.Depend({kPgConstraint, added, 0}, {kPgConstraint, parent.oid, 0}, 'P');
    if (validate && c.relation(part)->kind == 'r') Validate(added);
    const Constraint own = c.constraints[added];
    RETURN_IF_ERROR(ForeignKeyBelow(part, own, validate));
  }
  return absl::OkStatus();
}

// CloneForeignKeyConstraints for a table that becomes a partition: the parent's keys hold for it too.
absl::Status AlterTable::ForeignKeysOfNewPartition(Oid parent, Oid part) {
  Catalogue& c = e_.catalogue;
  std::vector<Constraint> keys;
  for (const auto& [oid, key] : c.constraints) {
    if (key.kind == 'f' && key.table == parent) keys.push_back(key);
    // Others that reference the parent see the new partition: its triggers are made.
  }
  for (const Constraint& key : keys) {
    Constraint wanted = key;
    wanted.columns.clear();
    for (int number : key.columns) {
      const Column* above = c.relation(parent)->ByNumber(number);
      const Column* own = above == nullptr ? nullptr : c.relation(part)->Find(above->name);
      if (own != nullptr) wanted.columns.push_back(own->number);
    }
    wanted.parent = key.oid;
    e_.Lock(key.referenced, LockMode::kShareRowExclusive);
    bool attached = false;
    for (auto& [oid, own] : c.constraints) {
      if (own.table != part || own.parent != 0 || !own.validated || !SameForeignKey(own, wanted)) continue;
      e_.Lock(wanted.referenced, LockMode::kAccessExclusive);
      own.parent = key.oid;
      attached = true;
      break;
    }
    if (attached) continue;
    const Oid added = NewForeignKey(e_, *c.relation(part), key.name, wanted);
    c.Depend({kPgConstraint, added, 0}, {kPgConstraint, key.oid, 0}, 'P');
    if (c.relation(part)->kind == 'r') Validate(added);
  }
  return absl::OkStatus();
}

}  // namespace curlew::lint
