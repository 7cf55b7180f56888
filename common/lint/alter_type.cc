#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/alter_table.h"
#include "common/lint/coercion.h"
#include "common/lint/deparse.h"
#include "common/sql/identifier.h"
#include "common/sql/parser.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

// What a USING expression gives, and whether it is still the column's own bytes.
struct Value {
  TypeUse type;
  bool same_bytes = false;
};

Value ValueOf(const Effects& e, const Node& expression, const Column& column) {
  if (ColumnName(expression) == column.name) return {{column.type, column.typmod}, true};
  if (expression.has_collate_clause()) return ValueOf(e, expression.collate_clause().arg(), column);
  if (expression.has_type_cast()) {
    const Value inner = ValueOf(e, expression.type_cast().arg(), column);
    const TypeUse to = ResolveType(e, expression.type_cast().type_name());
    const bool same = inner.same_bytes && Coerce(e.session, inner.type, to, 'e') == Coercion::kSameBytes;
    return {to, same};
  }
  return {};
}

// Whether values that were equal before are so after: then foreign keys need not be checked anew.
bool KeepsEquality(const Effects& e, const Column& before, const Column& after) {
  const Oid opclass = DefaultOpclass(e.catalogue, before.type, 0);
  return opclass != 0 && opclass == DefaultOpclass(e.catalogue, after.type, 0) &&
         (!IsPolymorphic(e.catalogue, opclass) || before.type == after.type) &&
         before.collation == after.collation;
}

// CheckIndexCompatible: whether the index's file serves the new type too.
bool ServesIndex(const Effects& e, const Relation& index, const Column& before, const Column& after) {
  const IndexPart& part = index.index;
  if (index.partition || index.kind == 'I') return false;
  if (!part.expressions.empty() || !part.predicate.empty() || !part.valid) return false;
  for (int i = 0; i < part.key_count && i < static_cast<int>(part.columns.size()); ++i) {
    if (part.columns[i] != before.number) continue;
    if (i < static_cast<int>(part.opclasses.size())) {
      const Oid opclass = part.opclasses[i];
      const bool by_default = opclass == DefaultOpclass(e.catalogue, before.type, part.method);
      if (by_default && opclass != DefaultOpclass(e.catalogue, after.type, part.method)) return false;
      if (IsPolymorphic(e.catalogue, opclass) && before.type != after.type) return false;
    } else if (!KeepsEquality(e, before, after)) {
      return false;
    }
    if (i < static_cast<int>(part.collations.size()) && part.collations[i] == before.collation &&
        before.collation != after.collation)
      return false;
  }
  return true;
}

// Without the old type: whether the new one is of those that columns are widened to.
bool MayKeepBytes(const pg_query::TypeName& type) {
  static const auto* const names = new std::set<std::string>{"text", "varchar", "varbit", "citext", "inet"};
  const std::string name = NameParts(type.names()).second;
  if (type.array_bounds_size() > 0) return false;
  return names->count(name) > 0 || (name == "numeric" && type.typmods_size() > 0);
}

}  // namespace

absl::Status AlterTable::AlterType(const Cmd& cmd) {
  Catalogue& c = e_.catalogue;
  Relation& r = table();
  ASSIGN_OR_RETURN(Column * column, NeedColumn(r, cmd.name()));
  if (r.of_type != 0) return e_.Fail("42809", "cannot alter column type of typed table");
  int changes = 0;
  for (const Node& node : statement_.cmds()) {
    const Cmd& other = node.alter_table_cmd();
    changes += other.subtype() == pg_query::AT_AlterColumnType && other.name() == cmd.name();
  }
  if (changes > 1)
    return e_.Fail("0A000", absl::StrCat("cannot alter type of column \"", cmd.name(), "\" twice"));
  bool subquery = false;
  sql::Walk(cmd.def().column_def().raw_default(), [&](const google::protobuf::Message& m) {
    subquery |= m.GetDescriptor() == pg_query::SubLink::descriptor();
    return !subquery;
  });
  if (subquery) return e_.Fail("0A000", "cannot use subquery in transform expression");
  if (column->inherited > 0)
    return e_.Fail("42P16", absl::StrCat("cannot alter inherited column \"", cmd.name(), "\""));
  if (std::count(r.key_columns.begin(), r.key_columns.end(), column->number) > 0) {
    return e_.Fail("42P16",
                   absl::StrCat("cannot alter column \"", cmd.name(),
                                "\" because it is part of the partition key of relation ", TableName()));
  }
  if (column->identity != 0) {
    // ALTER TABLE's own ALTER SEQUENCE ... AS.
    e_.Lock(OwnedSequences(table_, column->number, true), LockMode::kShareRowExclusive);
  }
  const Type* to = e_.catalogue.type(ResolveType(e_, cmd.def().column_def().type_name()).type);
  if (column->identity != 0 && to != nullptr && to->name != "int2" && to->name != "int4" &&
      to->name != "int8")
    return e_.Fail("22023", "identity column type must be smallint, integer, or bigint");
  const std::vector<Oid> all = c.AllInheritors(table_);
  if (!Recurses() && all.size() > 1)
    return e_.Fail("42P16", absl::StrCat("type of inherited column \"", cmd.name(),
                                         "\" must be changed in child tables too"));
  e_.Lock(all, level_);
  for (Oid child : all) {
    RETURN_IF_ERROR(AlterTypeOf(child, cmd.name(), cmd.def().column_def(), c.relation(child)->kind == 'p'));
  }
  return absl::OkStatus();
}

absl::Status AlterTable::AlterTypeOf(Oid oid, const std::string& name, const pg_query::ColumnDef& def,
                                     bool partitioned) {
  Catalogue& c = e_.catalogue;
  Relation& r = *c.relation(oid);
  ASSIGN_OR_RETURN(Column * column, NeedColumn(r, name));
  const Column before = *column;
  const TypeUse to = ResolveType(e_, def.type_name());
  if (to.type == 0 && c.complete)
    return e_.Fail("42704",
                   absl::StrCat("type \"", NameParts(def.type_name().names()).second, "\" does not exist"));
  LockTypeRelation(to.type);
  LockTypeRelation(before.type);
  // Where the present type is not known, USING column::type says no more than the type.
  const bool is_using = def.has_raw_default() &&
                        !(before.type == 0 && ColumnName(def.raw_default().type_cast().arg()) == name &&
                          TypeText(def.raw_default().type_cast().type_name()) == TypeText(def.type_name()));
  Value value{{before.type, before.typmod}, true};
  if (is_using) value = ValueOf(e_, def.raw_default(), before);
  const Coercion coercion =
      value.type.type == 0 && is_using ? Coercion::kComputed : Coerce(e_.session, value.type, to, 'a');
  if (coercion == Coercion::kImpossible) {
    return e_.Fail("42804", absl::StrCat("column \"", name, "\" cannot be cast automatically to type ",
                                         NameParts(def.type_name().names()).second, "; write USING"));
  }
  Column after = before;
  after.type = to.type;
  after.typmod = to.typmod;
  if (const Type* t = c.type(to.type); t != nullptr) after.collation = t->collation;
  if (def.has_coll_clause()) {
    // The collation's own OID does not matter, only that it is another one.
    const std::string collation = NameParts(def.coll_clause().collname()).second;
    after.collation = collation == "C" ? 950 : collation == "POSIX" ? 951 : collation == "default" ? 100 : 1;
  }
  if (before.has_default && before.generated == 0 && before.type != 0 &&
      Coerce(e_.session, {before.type, -1}, {to.type, -1}, 'a') == Coercion::kImpossible) {
    return e_.Fail("42804",
                   absl::StrCat("default for column \"", name, "\" cannot be cast automatically to type ",
                                NameParts(def.type_name().names()).second));
  }
  RETURN_IF_ERROR(RefuseDependents(oid, before));
  const std::string table = e_.QuotedName(r);
  if (before.type == 0 && !c.complete && !e_.IsNew(oid) && value.same_bytes &&
      MayKeepBytes(def.type_name())) {
    e_.Warn("unknown-effect", Severity::kWarning,
            absl::StrCat("the present type of ", table, ".", name,
                         " is not known here: a shorter one of the same family "
                         "keeps its bytes, from any other all rows are written anew; --database tells"));
  } else if (!(value.same_bytes && coercion == Coercion::kSameBytes) && !partitioned) {
    const std::string to_type = TypeText(def.type_name()), column_name = sql::Ident(name),
                      made = sql::Ident(name + "_new");
    const std::string new_value =
        is_using ? DeparseExpression(def.raw_default()) : absl::StrCat(column_name, "::", to_type);
    Rewrite(oid,
            before.type == 0 ? absl::StrCat("unless the change of ", name, " keeps its bytes, all rows of ",
                                            table, " are written anew")
                             : absl::StrCat("the new type of ", name, " has other bytes: all rows of ", table,
                                            " are written anew, with all indexes"),
            absl::StrCat("ALTER TABLE ", table, " ADD COLUMN ", made, " ", to_type,
                         ";\n-- a trigger BEFORE INSERT OR UPDATE sets ", made,
                         " for every row that is written; then, in batches, each committed:\nUPDATE ", table,
                         " SET ", made, " = ", new_value, " WHERE ", made,
                         " IS NULL AND ...;\n-- when all rows agree, in one short transaction:\nALTER TABLE ",
                         table, " DROP COLUMN ", column_name, ";\nALTER TABLE ", table, " RENAME COLUMN ",
                         made, " TO ", column_name, ";"));
  }
  RETURN_IF_ERROR(RebuildDependents(oid, before, after));
  *c.relation(oid)->Find(name) = after;
  return absl::OkStatus();
}

absl::Status AlterTable::RefuseDependents(Oid oid, const Column& column) {
  const char* what = nullptr;
  for (const Dependency& d : e_.catalogue.dependencies) {
    if (d.referenced != Address{kPgClass, oid, column.number}) continue;
    switch (d.object.catalogue) {
      case kPgRewrite:
        what = "a view or rule";
        break;
      case kPgTrigger:
        what = "a trigger definition";
        break;
      case kPgPolicy:
        what = "a policy definition";
        break;
      case kPgProc:
        what = "a function or procedure";
        break;
      case kPgPublicationRel:
        what = "a publication WHERE clause";
        break;
      case kPgAttrdef:
        // A default belongs to one column; what it names beside that one generates it.
        for (const Dependency& other : e_.catalogue.dependencies) {
          if (other.object == d.object && other.kind != 'n' && other.referenced.catalogue == kPgClass &&
              other.referenced.id == oid && other.referenced.sub != column.number)
            what = "a generated column";
        }
        break;
      case kPgClass:
        if (d.object.id == oid && d.object.sub != 0) what = "a generated column";
        break;
      default:
        break;
    }
    if (what != nullptr) break;
  }
  if (what == nullptr) return absl::OkStatus();
  return e_.Fail("0A000", absl::StrCat("cannot alter type of a column used by ", what, ": ", TableName(), ".",
                                       column.name));
}

absl::Status AlterTable::RebuildDependents(Oid oid, const Column& before, const Column& after) {
  Catalogue& c = e_.catalogue;
  std::set<Oid> indexes, constraints;
  for (const Dependency& d : c.dependencies) {
    if (d.referenced != Address{kPgClass, oid, before.number}) continue;
    if (d.object.catalogue == kPgClass) {
      const Relation* index = c.relation(d.object.id);
      if (index != nullptr && index->IsIndex()) indexes.insert(index->oid);
    } else if (d.object.catalogue == kPgConstraint) {
      constraints.insert(d.object.id);
    }
  }
  for (Oid id : constraints) {
    const auto it = c.constraints.find(id);
    if (it != c.constraints.end() && it->second.kind != 'f' && it->second.index != 0)
      e_.Lock(it->second.index, LockMode::kAccessExclusive);
  }
  for (Oid id : constraints) {
    const auto it = c.constraints.find(id);
    if (it == c.constraints.end()) continue;
    const Constraint constraint = it->second;
    const std::string table = e_.Name(constraint.table);
    if (constraint.kind == 'f') {
      e_.Lock({constraint.table, constraint.referenced}, LockMode::kAccessExclusive);
      const Oid other = constraint.table == oid ? constraint.referenced : constraint.table;
      const auto& own = constraint.table == oid ? constraint.columns : constraint.referenced_columns;
      const auto& theirs = constraint.table == oid ? constraint.referenced_columns : constraint.columns;
      for (size_t i = 0; i < own.size() && i < theirs.size(); ++i) {
        const Column* key =
            other == oid || c.relation(other) == nullptr ? nullptr : c.relation(other)->ByNumber(theirs[i]);
        if (own[i] != before.number || key == nullptr || key->type == 0 || after.type == 0) continue;
        if (Coerce(e_.session, {after.type, -1}, {key->type, -1}, 'i') == Coercion::kImpossible &&
            Coerce(e_.session, {key->type, -1}, {after.type, -1}, 'i') == Coercion::kImpossible)
          return e_.Fail("42804",
                         absl::StrCat("foreign key constraint ", constraint.name, " cannot be implemented"));
      }
      if (constraint.validated && !KeepsEquality(e_, before, after)) Validate(id);
    } else if (constraint.kind == 'c') {
      if (constraint.validated)
        Scan(constraint.table,
             absl::StrCat("the CHECK ", constraint.name, " over ", before.name,
                          " is checked anew for all rows of ", table),
             "");
    } else if (constraint.index != 0) {
      indexes.insert(constraint.index);
    }
  }
  TableWork& work = Work(oid);
  for (Oid id : indexes) {
    const Relation* index = c.relation(id);
    if (index == nullptr) continue;
    e_.Lock(id, LockMode::kAccessExclusive);
    if (!ServesIndex(e_, *index, before, after)) {
      work.built.push_back(
          {absl::StrCat("the index ", index->name, " is built anew for the new type of ", before.name), "",
           e_.place});
    }
  }
  return absl::OkStatus();
}

}  // namespace curlew::lint
