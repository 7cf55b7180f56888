#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/statements.h"

namespace curlew::lint {
namespace {

absl::Status RenameRelation(Effects& e, const pg_query::RenameStmt& rename) {
  const bool index_statement = rename.rename_type() == pg_query::OBJECT_INDEX;
  const Assume assume = AssumedKind(rename.rename_type());
  Relation* r = FindRelation(e, rename.relation(), assume);
  if (r == nullptr) {
    if (rename.missing_ok()) return absl::OkStatus();
    return e.Fail("42P01", absl::StrCat("relation \"", rename.relation().relname(), "\" does not exist"));
  }
  e.Lock(r->oid,
         index_statement && r->IsIndex() ? LockMode::kShareUpdateExclusive : LockMode::kAccessExclusive);
  if (e.catalogue.relation_by_name.count({r->schema, rename.newname()}) > 0)
    return e.Fail("42P07", absl::StrCat("relation \"", rename.newname(), "\" already exists"));
  if (!r->IsIndex() && !e.IsNew(r->oid))
    e.Warn("breaks-applications", Severity::kWarning,
           absl::StrCat("statements that name ", e.QuotedName(*r), " fail from then on"),
           absl::StrCat("-- in the same transaction, until applications know the new name:\nCREATE VIEW ",
                        e.QuotedName(*r), " AS SELECT * FROM ", rename.newname(), ";"));
  e.Rename(*r, r->schema, rename.newname());
  return absl::OkStatus();
}

absl::Status RenameColumn(Effects& e, const pg_query::RenameStmt& rename) {
  Catalogue& c = e.catalogue;
  const bool attribute = rename.rename_type() == pg_query::OBJECT_ATTRIBUTE;
  Relation* r = FindRelation(
      e, rename.relation(), rename.relation_type() == pg_query::OBJECT_VIEW ? Assume::kView : Assume::kTable);
  if (r == nullptr) {
    if (rename.missing_ok()) return absl::OkStatus();
    return e.Fail("42P01", absl::StrCat("relation \"", rename.relation().relname(), "\" does not exist"));
  }
  const Oid oid = r->oid;
  if (!attribute && r->of_type != 0) return e.Fail("42809", "cannot rename column of typed table");
  e.Lock(oid, LockMode::kAccessExclusive);
  std::vector<Oid> all = c.AllInheritors(oid);
  if (attribute) {
    for (const auto& [id, typed] : c.relations) {
      if (typed.of_type != 0 && typed.of_type == r->row_type) all.push_back(id);
    }
    if (all.size() > 1 && rename.behavior() != pg_query::DROP_CASCADE)
      return e.Fail("2BP01", absl::StrCat("cannot alter type \"", r->name,
                                          "\" because it is the type of a typed table"));
  }
  if (rename.relation().inh() || attribute) {
    e.Lock(all, LockMode::kAccessExclusive);
  } else if (all.size() > 1) {
    return e.Fail("42P16", absl::StrCat("inherited column \"", rename.subname(),
                                        "\" must be renamed in child tables too"));
  }
  const Column* column = r->Find(rename.subname());
  if (column == nullptr && !r->assumed)
    return e.Fail("42703", absl::StrCat("column \"", rename.subname(), "\" does not exist"));
  if (column != nullptr && column->inherited > 0)
    return e.Fail("42P16", absl::StrCat("cannot rename inherited column \"", rename.subname(), "\""));
  if (r->Find(rename.newname()) != nullptr)
    return e.Fail("42701", absl::StrCat("column \"", rename.newname(), "\" of relation ", e.QuotedName(*r),
                                        " already exists"));
  if (!e.IsNew(oid))
    e.Warn(
        "breaks-applications", Severity::kWarning,
        absl::StrCat("statements that name ", e.QuotedName(*r), ".", rename.subname(), " fail from then on"),
        "-- a new column, kept in step by triggers in both directions, filled, then the old one dropped");
  for (Oid child : all) {
    if (Column* own = c.relation(child)->Find(rename.subname()); own != nullptr) own->name = rename.newname();
  }
  return absl::OkStatus();
}

absl::Status RenameConstraint(Effects& e, const pg_query::RenameStmt& rename) {
  Catalogue& c = e.catalogue;
  Relation* r = FindRelation(e, rename.relation());
  if (r == nullptr) {
    if (rename.missing_ok()) return absl::OkStatus();
    return e.Fail("42P01", absl::StrCat("relation \"", rename.relation().relname(), "\" does not exist"));
  }
  const Oid oid = r->oid;
  e.Lock(oid, LockMode::kAccessExclusive);
  Constraint* found = nullptr;
  for (auto& [id, constraint] : c.constraints) {
    if (constraint.table == oid && constraint.name == rename.subname()) found = &constraint;
  }
  if (found == nullptr) {
    if (r->assumed) return absl::OkStatus();
    return e.Fail("42704", absl::StrCat("constraint \"", rename.subname(), "\" for table ", e.Name(oid),
                                        " does not exist"));
  }
  if (found->inherited > 0)
    return e.Fail("42P16", absl::StrCat("cannot rename inherited constraint \"", rename.subname(), "\""));
  if (found->kind == 'c' && !found->no_inherit) {
    for (Oid child : c.AllInheritors(oid)) {
      e.Lock(child, LockMode::kAccessExclusive);
      for (auto& [id, constraint] : c.constraints) {
        if (constraint.table == child && constraint.name == rename.subname() && child != oid)
          constraint.name = rename.newname();
      }
    }
  }
  if (found->kind == 'p' || found->kind == 'u' || found->kind == 'x') {
    e.Lock(found->index, LockMode::kShareUpdateExclusive);
    if (Relation* index = c.relation(found->index)) e.Rename(*index, index->schema, rename.newname());
  }
  found->name = rename.newname();
  return absl::OkStatus();
}

template <typename Objects>
absl::Status RenameOn(Effects& e, const pg_query::RenameStmt& rename, Objects* objects, bool below) {
  ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, rename.relation()));
  const Oid oid = r->oid;
  e.Lock(oid, LockMode::kAccessExclusive);
  if (below && r->kind == 'p') e.Lock(e.catalogue.AllInheritors(oid), LockMode::kAccessExclusive);
  for (auto& [id, object] : *objects) {
    if (object.table == oid && object.name == rename.subname()) {
      object.name = rename.newname();
      return absl::OkStatus();
    }
  }
  if (r->assumed) return absl::OkStatus();
  return e.Fail("42704", absl::StrCat("\"", rename.subname(), "\" for ", e.Name(oid), " does not exist"));
}

}  // namespace

absl::Status LintRename(Effects& e, const pg_query::RenameStmt& rename) {
  switch (rename.rename_type()) {
    case pg_query::OBJECT_TABLE:
    case pg_query::OBJECT_INDEX:
    case pg_query::OBJECT_VIEW:
    case pg_query::OBJECT_MATVIEW:
    case pg_query::OBJECT_SEQUENCE:
    case pg_query::OBJECT_FOREIGN_TABLE:
      return RenameRelation(e, rename);
    case pg_query::OBJECT_COLUMN:
    case pg_query::OBJECT_ATTRIBUTE:
      return RenameColumn(e, rename);
    case pg_query::OBJECT_TABCONSTRAINT:
      return RenameConstraint(e, rename);
    case pg_query::OBJECT_TRIGGER:
      return RenameOn(e, rename, &e.catalogue.triggers, true);
    case pg_query::OBJECT_RULE:
      return RenameOn(e, rename, &e.catalogue.rules, false);
    case pg_query::OBJECT_POLICY:
      return RenameOn(e, rename, &e.catalogue.policies, false);
    case pg_query::OBJECT_TYPE: {
      pg_query::TypeName name;
      *name.mutable_names() = rename.object().list().items();
      const Type* type = e.catalogue.type(ResolveType(e, name).type);
      if (type != nullptr && type->relation != 0) e.Lock(type->relation, LockMode::kAccessExclusive);
      e.Warn("breaks-applications", Severity::kWarning, "statements that use the old name fail from then on");
      return absl::OkStatus();
    }
    default:
      e.Warn("breaks-applications", Severity::kWarning, "statements that use the old name fail from then on");
      return absl::OkStatus();
  }
}

}  // namespace curlew::lint
