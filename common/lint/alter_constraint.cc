#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/lint/alter_table.h"
#include "common/lint/deparse.h"
#include "common/sql/identifier.h"
#include "common/sql/parser.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

const Constraint* FindByName(const Catalogue& c, Oid table, absl::string_view name) {
  for (const auto& [oid, constraint] : c.constraints) {
    if (constraint.table == table && constraint.name == name) return &constraint;
  }
  return nullptr;
}

}  // namespace

std::string ChooseName(const Effects& e, const Relation& table, const std::vector<std::string>& columns,
                       absl::string_view suffix) {
  const std::string stem =
      absl::StrCat(table.name, columns.empty() ? "" : "_", absl::StrJoin(columns, "_"), "_", suffix);
  for (int n = 0;; ++n) {
    std::string name = n == 0 ? stem : absl::StrCat(stem, n);
    if (e.catalogue.relation_by_name.count({table.schema, name}) == 0 &&
        FindByName(e.catalogue, table.oid, name) == nullptr)
      return name;
  }
}

Oid NewIndex(Effects& e, const Relation& table, std::string name, bool unique, bool primary,
             const std::vector<std::string>& columns) {
  Catalogue& c = e.catalogue;
  Relation index;
  index.oid = c.NewOid();
  index.schema = table.schema;
  index.name = std::move(name);
  index.kind = table.kind == 'p' ? 'I' : 'i';
  index.index.table = table.oid;
  index.index.unique = unique;
  index.index.primary = primary;
  index.index.key_count = static_cast<int>(columns.size());
  for (const std::string& column : columns) {
    const Column* found = table.Find(column);
    index.index.columns.push_back(found == nullptr ? 0 : found->number);
    c.Depend({kPgClass, index.oid, 0}, {kPgClass, table.oid, found == nullptr ? 0 : found->number}, 'a');
  }
  if (columns.empty()) c.Depend({kPgClass, index.oid, 0}, {kPgClass, table.oid, 0}, 'a');
  const Oid oid = index.oid;
  e.session.created.insert(oid);
  c.AddRelation(std::move(index));
  return oid;
}

Oid NewConstraint(Effects& e, const Relation& table, std::string name, char kind) {
  Catalogue& c = e.catalogue;
  Constraint constraint;
  constraint.oid = c.NewOid();
  constraint.name = std::move(name);
  constraint.kind = kind;
  constraint.table = table.oid;
  c.Depend({kPgConstraint, constraint.oid, 0}, {kPgClass, table.oid, 0}, 'a');
  e.session.constraints_new.insert(constraint.oid);
  const Oid oid = constraint.oid;
  c.constraints[oid] = std::move(constraint);
  return oid;
}

absl::Status AlterTable::AddConstraint(const pg_query::Constraint& constraint, const std::string& column,
                                       bool recurse) {
  const std::string& name = constraint.conname();
  switch (constraint.contype()) {
    case pg_query::CONSTR_CHECK:
      return AddCheck(table_, constraint,
                      name.empty() ? ChooseName(e_, table(),
                                                column.empty() ? std::vector<std::string>()
                                                               : std::vector<std::string>{column},
                                                "check")
                                   : name,
                      recurse, false);
    case pg_query::CONSTR_PRIMARY:
    case pg_query::CONSTR_UNIQUE:
    case pg_query::CONSTR_EXCLUSION:
      return constraint.indexname().empty() ? AddKey(constraint, column) : AddKeyUsingIndex(constraint);
    case pg_query::CONSTR_FOREIGN:
      return AddForeignKey(constraint, column);
    default:
      return absl::OkStatus();
  }
}

absl::Status AlterTable::AddCheck(Oid oid, const pg_query::Constraint& constraint, std::string name,
                                  bool recurse, bool inherited) {
  Catalogue& c = e_.catalogue;
  Relation& r = *c.relation(oid);
  if (const Constraint* there = FindByName(c, oid, name); there != nullptr) {
    if (!inherited || there->kind != 'c')
      return e_.Fail("42710", absl::StrCat("constraint \"", name, "\" for relation ", e_.QuotedName(r),
                                           " already exists"));
    return absl::OkStatus();  // merged: nothing is checked again
  }
  if (constraint.is_no_inherit() && r.kind == 'p')
    return e_.Fail("42P16",
                   absl::StrCat("cannot add NO INHERIT constraint to partitioned table ", e_.QuotedName(r)));
  bool subquery = false;
  sql::Walk(constraint.raw_expr(), [&](const google::protobuf::Message& m) {
    subquery |= m.GetDescriptor() == pg_query::SubLink::descriptor();
    return !subquery;
  });
  if (subquery) return e_.Fail("0A000", "cannot use subquery in check constraint");
  for (const std::string& column : ColumnsOf(constraint.raw_expr())) {
    if (!r.assumed && !creating_ && r.Find(column) == nullptr && column != "tableoid" && column != r.name)
      return e_.Fail("42703", absl::StrCat("column \"", column, "\" does not exist"));
  }
  const Oid added = NewConstraint(e_, r, name, 'c');
  Constraint& check = c.constraints[added];
  check.validated = !constraint.skip_validation();
  check.no_inherit = constraint.is_no_inherit();
  check.expression = DeparseExpression(constraint.raw_expr());
  check.inherited = inherited ? 1 : 0;
  for (const std::string& column : ColumnsOf(constraint.raw_expr())) {
    if (const Column* found = r.Find(column); found != nullptr) {
      check.columns.push_back(found->number);
      c.Depend({kPgConstraint, added, 0}, {kPgClass, oid, found->number}, 'a');
    }
  }
  if (check.validated) {
    const std::string table = e_.QuotedName(r);
    Scan(oid, absl::StrCat("all rows of ", table, " are read to check ", name),
         absl::StrCat("ALTER TABLE ", table, " ADD CONSTRAINT ", sql::Ident(name), " CHECK (",
                      check.expression, ") NOT VALID;\nALTER TABLE ", table, " VALIDATE CONSTRAINT ",
                      sql::Ident(name), ";  -- in a transaction of its own"));
  }
  if (check.no_inherit) return absl::OkStatus();
  const std::vector<Oid> children = c.Children(oid);
  e_.Lock(children, level_);
  if (!recurse && !children.empty()) return e_.Fail("42P16", "constraint must be added to child tables too");
  for (Oid child : children) RETURN_IF_ERROR(AddCheck(child, constraint, name, recurse, true));
  return absl::OkStatus();
}

absl::Status AlterTable::AddKey(const pg_query::Constraint& constraint, const std::string& column) {
  Catalogue& c = e_.catalogue;
  const bool primary = constraint.contype() == pg_query::CONSTR_PRIMARY;
  const bool exclusion = constraint.contype() == pg_query::CONSTR_EXCLUSION;
  std::vector<std::string> columns = Strings(constraint.keys());
  if (columns.empty() && !column.empty()) columns = {column};
  if (exclusion) {
    for (const Node& pair : constraint.exclusions()) {
      if (pair.list().items_size() > 0) columns.push_back(pair.list().items(0).index_elem().name());
    }
    if (table().kind == 'p')
      return e_.Fail("0A000", "exclusion constraints are not supported on partitioned tables");
  }
  if (primary) {
    for (Oid index : c.Indexes(table_)) {
      if (c.relation(index)->index.primary)
        return e_.Fail("42P16",
                       absl::StrCat("multiple primary keys for table ", TableName(), " are not allowed"));
    }
  }
  for (const std::string& name : columns) {
    if (!name.empty() && !table().assumed && table().Find(name) == nullptr && !creating_)
      return e_.Fail("42703", absl::StrCat("column \"", name, "\" named in key does not exist"));
  }
  if (table().kind == 'p') {
    for (int key : table().key_columns) {
      const Column* part = table().ByNumber(key);
      if (part != nullptr && std::count(columns.begin(), columns.end(), part->name) == 0)
        return e_.Fail("0A000",
                       "unique constraint on partitioned table must include all partitioning columns");
    }
  }
  if (!constraint.conname().empty()) {
    if (FindByName(c, table_, constraint.conname()) != nullptr ||
        c.relation_by_name.count({table().schema, constraint.conname()}) > 0)
      return e_.Fail("42P07", absl::StrCat("relation \"", constraint.conname(), "\" already exists"));
  }
  // Primary keys make their columns NOT NULL first.
  if (primary) {
    for (const std::string& name : columns) RETURN_IF_ERROR(SetNotNullFor(name, Recurses()));
  }
  const std::string name = !constraint.conname().empty() ? constraint.conname()
                           : primary                     ? ChooseName(e_, table(), {}, "pkey")
                                     : ChooseName(e_, table(), columns, exclusion ? "excl" : "key");
  const std::string quoted = TableName();
  const std::string safe =
      exclusion ? ""
                : absl::StrCat("CREATE UNIQUE INDEX CONCURRENTLY ", sql::Ident(name), " ON ", quoted, " (",
                               absl::StrJoin(columns, ", ",
                                             [](std::string* out, const std::string& part) {
                                               out->append(sql::Ident(part));
                                             }),
                               ");\nALTER TABLE ", quoted, " ADD CONSTRAINT ", sql::Ident(name),
                               primary ? " PRIMARY KEY" : " UNIQUE", " USING INDEX ", sql::Ident(name), ";");
  std::vector<Oid> parts = {table_};
  if (table().kind == 'p' && Recurses()) {
    parts = c.AllInheritors(table_);
    for (Oid part : parts) {
      if (part != table_) e_.Lock(part, LockMode::kShare);
    }
  }
  for (Oid part : parts) {
    const Relation* r = c.relation(part);
    if (r->kind == 'p') continue;
    TableWork& work = Work(part);
    work.built.push_back(
        {absl::StrCat("the index ", name, " is built over all rows of ", e_.QuotedName(*r)), safe, e_.place});
  }
  const Oid index = NewIndex(e_, table(), name, !exclusion, primary, columns);
  const Oid added = NewConstraint(e_, table(), name, primary ? 'p' : exclusion ? 'x' : 'u');
  c.constraints[added].index = index;
  c.constraints[added].deferrable = constraint.deferrable();
  c.relation(index)->index.exclusion = exclusion;
  c.relation(index)->index.immediate = !constraint.deferrable();
  for (const std::string& name_of : columns) {
    if (const Column* found = table().Find(name_of); found != nullptr)
      c.constraints[added].columns.push_back(found->number);
  }
  c.Depend({kPgClass, index, 0}, {kPgConstraint, added, 0}, 'i');
  return absl::OkStatus();
}

absl::Status AlterTable::AddKeyUsingIndex(const pg_query::Constraint& constraint) {
  Catalogue& c = e_.catalogue;
  const bool primary = constraint.contype() == pg_query::CONSTR_PRIMARY;
  if (table().kind == 'p') {
    const Relation* index = FindRelation(e_, table().schema, constraint.indexname(), Assume::kNothing);
    if (index != nullptr) e_.Lock(index->oid, LockMode::kAccessShare);
  }
  if (table().kind == 'p')
    return e_.Fail("0A000",
                   "ALTER TABLE / ADD CONSTRAINT USING INDEX is not supported on partitioned tables");
  Relation* index = FindRelation(e_, table().schema, constraint.indexname(), Assume::kIndex);
  if (index == nullptr)
    return e_.Fail("42704", absl::StrCat("index \"", constraint.indexname(), "\" does not exist"));
  e_.Lock(index->oid, LockMode::kAccessShare);
  if (!index->assumed) {
    if (index->index.table != table_)
      return e_.Fail("55000",
                     absl::StrCat("index \"", index->name, "\" does not belong to table ", TableName()));
    if (!index->index.valid)
      return e_.Fail("55000", absl::StrCat("index \"", index->name, "\" is not valid"));
    if (!index->index.unique)
      return e_.Fail("42809", absl::StrCat("\"", index->name, "\" is not a unique index"));
    if (!index->index.expressions.empty())
      return e_.Fail("42809", absl::StrCat("index \"", index->name, "\" contains expressions"));
    if (!index->index.predicate.empty())
      return e_.Fail("42809", absl::StrCat("\"", index->name, "\" is a partial index"));
    const auto& options = index->index.options;
    if (std::any_of(options.begin(), options.end(), [](int o) { return o != 0; }))
      return e_.Fail("42809",
                     absl::StrCat("index \"", index->name, "\" does not have default sorting behavior"));
    for (const auto& [oid, other] : c.constraints) {
      if (other.index == index->oid && other.kind != 'f')
        return e_.Fail("55000",
                       absl::StrCat("index \"", index->name, "\" is already associated with a constraint"));
    }
  }
  if (primary) {
    for (Oid other : c.Indexes(table_)) {
      if (c.relation(other)->index.primary)
        return e_.Fail("42P16",
                       absl::StrCat("multiple primary keys for table ", TableName(), " are not allowed"));
    }
    const std::vector<int> columns(index->index.columns.begin(),
                                   index->index.columns.begin() + index->index.key_count);
    for (int number : columns) {
      const Column* column = table().ByNumber(number);
      if (column != nullptr) RETURN_IF_ERROR(SetNotNullFor(std::string(column->name), Recurses()));
    }
    index = FindRelation(e_, table().schema, constraint.indexname(), Assume::kIndex);
  }
  const std::string name = constraint.conname().empty() ? index->name : constraint.conname();
  if (name != index->name) {
    e_.Lock(index->oid, LockMode::kShareUpdateExclusive);
    e_.Rename(*index, index->schema, name);
  }
  index->index.primary = primary;
  const Oid oid = index->oid;
  const std::vector<int> columns = index->index.columns;
  const Oid added = NewConstraint(e_, table(), name, primary ? 'p' : 'u');
  c.constraints[added].index = oid;
  c.constraints[added].columns = columns;
  c.Depend({kPgClass, oid, 0}, {kPgConstraint, added, 0}, 'i');
  return absl::OkStatus();
}

absl::Status AlterTable::DropConstraint(Oid oid, const std::string& name, Behaviour behaviour,
                                        bool missing_ok, bool recurse) {
  Catalogue& c = e_.catalogue;
  Relation& r = *c.relation(oid);
  const Constraint* found = FindByName(c, oid, name);
  if (found == nullptr) {
    if (missing_ok || r.assumed) return absl::OkStatus();
    return e_.Fail(
        "42704", absl::StrCat("constraint \"", name, "\" of relation ", e_.QuotedName(r), " does not exist"));
  }
  if (found->inherited > 0 && oid == table_)
    return e_.Fail("42P16", absl::StrCat("cannot drop inherited constraint \"", name, "\" of relation ",
                                         e_.QuotedName(r)));
  const Constraint constraint = *found;
  if (constraint.kind == 'f' && constraint.referenced != oid)
    e_.Lock(constraint.referenced, LockMode::kAccessExclusive);
  RETURN_IF_ERROR(Delete(e_, {{kPgConstraint, constraint.oid, 0}}, behaviour));
  if (constraint.kind != 'c' || constraint.no_inherit) return absl::OkStatus();
  const std::vector<Oid> children = c.Children(oid);
  e_.Lock(children, level_);
  if (!recurse) {
    if (c.relation(oid)->kind != 'p' || children.empty()) return absl::OkStatus();
    return e_.Fail("42P16", "cannot remove constraint from only the partitioned table when partitions exist");
  }
  for (Oid child : children) {
    const Constraint* own = FindByName(c, child, name);
    if (own != nullptr && own->inherited == 1) {
      c.constraints[own->oid].inherited = 0;
      RETURN_IF_ERROR(DropConstraint(child, name, behaviour, true, recurse));
    }
  }
  return absl::OkStatus();
}

absl::Status AlterTable::Validate(const std::string& name) {
  Catalogue& c = e_.catalogue;
  const Constraint* found = FindByName(c, table_, name);
  if (found == nullptr) {
    if (!table().assumed)
      return e_.Fail("42704",
                     absl::StrCat("constraint \"", name, "\" of relation ", TableName(), " does not exist"));
    Scan(table_, absl::StrCat("all rows of ", TableName(), " are read to validate ", name), "");
    return absl::OkStatus();
  }
  if (found->kind != 'c' && found->kind != 'f')
    return e_.Fail("42809",
                   absl::StrCat("constraint \"", name, "\" is not a foreign key or check constraint"));
  if (found->validated) return absl::OkStatus();
  const Oid oid = found->oid;
  const std::string safe = absl::StrCat("COMMIT;\nALTER TABLE ", TableName(), " VALIDATE CONSTRAINT ",
                                        sql::Ident(name), ";  -- in a transaction of its own");
  if (found->kind == 'f') {
    Validate(oid);
  } else {
    std::vector<Oid> all = {table_};
    if (!found->no_inherit) {
      all = c.AllInheritors(table_);
      e_.Lock(all, level_);
      if (!Recurses() && all.size() > 1)
        return e_.Fail("42P16", "constraint must be validated on child tables too");
    }
    for (Oid child : all) {
      const Constraint* own = FindByName(c, child, name);
      if (own == nullptr || own->validated) continue;
      Scan(child, absl::StrCat("all rows of ", e_.Name(child), " are read to validate ", name), safe);
      c.constraints[own->oid].validated = true;
    }
  }
  c.constraints[oid].validated = true;
  return absl::OkStatus();
}

}  // namespace curlew::lint
