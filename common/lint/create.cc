#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/alter_table.h"
#include "common/lint/deparse.h"
#include "common/lint/partition.h"
#include "common/lint/statements.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

const pg_query::AlterTableStmt& NoStatement() {
  static const auto* const statement = [] {
    auto* s = new pg_query::AlterTableStmt();
    s->mutable_relation()->set_inh(true);
    return s;
  }();
  return *statement;
}

void CopyColumns(const Relation& from, Relation* to) {
  for (Column column : from.columns) {
    if (to->Find(column.name) != nullptr) continue;
    column.number = static_cast<int>(to->columns.size()) + 1;
    to->columns.push_back(std::move(column));
  }
}

// LIKE source INCLUDING ...: bits of TableLikeOption.
absl::Status Like(Effects& e, const pg_query::TableLikeClause& like, Oid made) {
  constexpr uint32_t kConstraints = 1 << 2, kIndexes = 1 << 6;
  ASSIGN_OR_RETURN(Relation * source, NeedRelation(e, like.relation()));
  const Oid oid = source->oid;
  e.Lock(oid, LockMode::kAccessShare);
  CopyColumns(*e.catalogue.relation(oid), e.catalogue.relation(made));
  if ((like.options() & kIndexes) == 0) {
    for (Column& column : e.catalogue.relation(made)->columns) {
      column.has_default = (like.options() & (1 << 3)) != 0 && column.has_default;
    }
  } else {
    e.LockIndexes(oid, LockMode::kAccessShare);
    for (Oid index : e.catalogue.Indexes(oid)) {
      const Relation original = *e.catalogue.relation(index);
      std::vector<std::string> columns;
      for (int number : original.index.columns) {
        const Column* column = e.catalogue.relation(oid)->ByNumber(number);
        columns.push_back(column == nullptr ? "" : column->name);
      }
      const Oid copy =
          NewIndex(e, *e.catalogue.relation(made), ChooseName(e, *e.catalogue.relation(made), columns, "idx"),
                   original.index.unique, original.index.primary, columns);
      IndexPart& part = e.catalogue.relation(copy)->index;
      part.predicate = original.index.predicate;
      part.expressions = original.index.expressions;
      part.method = original.index.method;
      part.opclasses = original.index.opclasses;
      part.key_count = original.index.key_count;
    }
  }
  if ((like.options() & kConstraints) != 0) {
    std::vector<Constraint> checks;
    for (const auto& [id, check] : e.catalogue.constraints) {
      if (check.table == oid && check.kind == 'c') checks.push_back(check);
    }
    for (Constraint& check : checks) {
      const Oid copy = NewConstraint(e, *e.catalogue.relation(made), check.name, 'c');
      e.catalogue.constraints[copy].expression = check.expression;
    }
  }
  return absl::OkStatus();
}

}  // namespace

Relation& MakeRelation(Effects& e, const pg_query::RangeVar& name, char kind) {
  Relation made;
  made.oid = e.catalogue.NewOid();
  made.schema = name.relpersistence() == "t" ? "pg_temp" : CreationSchema(e.session, name.schemaname());
  made.name = name.relname();
  made.kind = kind;
  made.persistence = name.relpersistence().empty() ? 'p' : name.relpersistence()[0];
  made.owner = e.catalogue.settings["current_user"];
  made.has_rows = false;
  made.assumed = !e.catalogue.complete && kind != 'r' && kind != 'p';
  e.session.created.insert(made.oid);
  return e.catalogue.AddRelation(std::move(made));
}

absl::Status LintCreateTable(Effects& e, const pg_query::CreateStmt& create, bool foreign) {
  Catalogue& c = e.catalogue;
  const std::string schema = CreationSchema(e.session, create.relation().schemaname());
  if (create.relation().relpersistence() != "t" &&
      c.FindRelation(schema, create.relation().relname()) != nullptr) {
    if (create.if_not_exists()) return absl::OkStatus();
    return e.Fail("42P07", absl::StrCat("relation \"", create.relation().relname(), "\" already exists"));
  }
  const bool is_part = create.has_partbound();
  Relation made;
  made.oid = c.NewOid();
  made.schema = create.relation().relpersistence() == "t" ? "pg_temp" : schema;
  made.name = create.relation().relname();
  made.kind = foreign ? 'f' : create.has_partspec() ? 'p' : 'r';
  made.persistence = create.relation().relpersistence().empty() ? 'p' : create.relation().relpersistence()[0];
  made.owner = c.settings["current_user"];
  made.has_rows = false;
  made.partition = is_part;
  const Oid oid = made.oid;
  // The parents first: they may be missing.
  std::vector<Oid> parents;
  for (const Node& parent : create.inh_relations()) {
    ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, parent.range_var()));
    e.Lock(r->oid, is_part ? LockMode::kAccessExclusive : LockMode::kShareUpdateExclusive);
    if (is_part && r->kind != 'p' && !r->assumed)
      return e.Fail("42809", absl::StrCat("\"", r->name, "\" is not partitioned"));
    if (!is_part && r->kind == 'p') return e.Fail("42809", "cannot inherit from partitioned table");
    parents.push_back(r->oid);
    CopyColumns(*r, &made);
  }
  if (create.has_of_typename()) {
    const TypeUse use = ResolveType(e, create.of_typename());
    made.of_type = use.type;
    if (const Type* t = c.type(use.type); t != nullptr && t->relation != 0) {
      e.Lock(t->relation, LockMode::kAccessShare);
      if (const Relation* fields = c.relation(t->relation)) CopyColumns(*fields, &made);
    }
  }
  e.session.created.insert(oid);
  c.AddRelation(std::move(made));
  Bound bound;
  if (is_part && !parents.empty()) {
    bound = BoundOf(create.partbound());
    RETURN_IF_ERROR(CheckOverlap(e, parents[0], bound, create.relation().relname()));
  }
  pg_query::AlterTableStmt nothing = NoStatement();
  AlterTable builder(&e, nothing, oid);
  const Oid of_type = c.relation(oid)->of_type;
  c.relation(oid)->of_type = 0;
  c.relation(oid)->partition = false;
  std::vector<const pg_query::ColumnDef*> with_constraints;
  for (const Node& element : create.table_elts()) {
    if (element.has_table_like_clause()) {
      RETURN_IF_ERROR(Like(e, element.table_like_clause(), oid));
    } else if (element.has_column_def()) {
      pg_query::ColumnDef column = element.column_def();
      if (c.relation(oid)->Find(column.colname()) == nullptr) {
        // Keys may name columns that come later: they are added when all are there.
        pg_query::ColumnDef plain = column;
        plain.clear_constraints();
        for (const Node& constraint : column.constraints()) {
          switch (constraint.constraint().contype()) {
            case pg_query::CONSTR_CHECK:
            case pg_query::CONSTR_PRIMARY:
            case pg_query::CONSTR_UNIQUE:
            case pg_query::CONSTR_FOREIGN:
              break;
            default:
              *plain.add_constraints() = constraint;
          }
        }
        RETURN_IF_ERROR(builder.AddColumn(plain, false, false));
      }
      with_constraints.push_back(&element.column_def());
    }
  }
  if (create.has_partspec()) {
    Relation& r = *c.relation(oid);
    const std::string strategy = create.partspec().strategy();
    r.strategy = strategy.empty() ? 'r' : strategy[0];
    for (const Node& key : create.partspec().part_params()) {
      const Column* column = r.Find(key.partition_elem().name());
      r.key_columns.push_back(column == nullptr ? 0 : column->number);
    }
  }
  for (const pg_query::ColumnDef* column : with_constraints) {
    for (const Node& constraint : column->constraints()) {
      switch (constraint.constraint().contype()) {
        case pg_query::CONSTR_CHECK:
        case pg_query::CONSTR_PRIMARY:
        case pg_query::CONSTR_UNIQUE:
        case pg_query::CONSTR_FOREIGN:
          RETURN_IF_ERROR(builder.AddConstraint(constraint.constraint(), column->colname(), false));
          break;
        default:
          break;
      }
    }
  }
  for (const Node& element : create.table_elts()) {
    if (element.has_constraint()) RETURN_IF_ERROR(builder.AddConstraint(element.constraint(), "", true));
  }
  for (const Node& constraint : create.constraints()) {
    RETURN_IF_ERROR(builder.AddConstraint(constraint.constraint(), "", true));
  }
  Relation& r = *c.relation(oid);
  r.of_type = of_type;
  r.partition = is_part;
  for (Oid parent : parents) {
    c.inheritance.push_back({oid, parent, false});
    c.Depend({kPgClass, oid, 0}, {kPgClass, parent, 0}, is_part ? 'a' : 'n');
    if (!is_part) continue;
    LockOverParts(e, parent, bound);
    RETURN_IF_ERROR(EnsureIndexes(e, parent, oid));
    for (const auto& [id, key] : c.constraints) {
      if (key.kind == 'f' && key.table == parent) e.Lock(key.referenced, LockMode::kShareRowExclusive);
    }
    if (bound.strategy == 'd') c.default_partition[parent] = oid;
  }
  return absl::OkStatus();
}

absl::Status LintCreateView(Effects& e, const pg_query::ViewStmt& view) {
  Catalogue& c = e.catalogue;
  const std::string schema = CreationSchema(e.session, view.view().schemaname());
  Relation* there =
      view.view().relpersistence() == "t" ? nullptr : c.FindRelation(schema, view.view().relname());
  if (there != nullptr && !view.replace())
    return e.Fail("42P07", absl::StrCat("relation \"", view.view().relname(), "\" already exists"));
  const Oid existing = there == nullptr ? 0 : there->oid;
  RETURN_IF_ERROR(LintQueryTables(e, view.query()));
  if (existing != 0) {
    e.Lock(existing, LockMode::kAccessExclusive);
    if (there->kind != 'v') return e.Fail("42809", absl::StrCat("\"", there->name, "\" is not a view"));
    // Columns keep their names and places; new ones may follow.
    const auto& targets = view.query().select_stmt().target_list();
    const auto& names = view.aliases();
    size_t i = 0;
    for (const Column& column : c.relation(existing)->columns) {
      std::string name;
      if (static_cast<int>(i) < names.size()) {
        name = names[static_cast<int>(i)].string().sval();
      } else if (static_cast<int>(i) < targets.size()) {
        const auto& target = targets[static_cast<int>(i)].res_target();
        name = !target.name().empty() ? target.name() : ColumnName(target.val());
        if (name.empty() && target.val().has_type_cast()) name = ColumnName(target.val().type_cast().arg());
        if (name.empty()) break;
      } else if (!targets.empty()) {
        return e.Fail("42P16", "cannot drop columns from view");
      }
      if (static_cast<int>(i) < targets.size() &&
          targets[static_cast<int>(i)].res_target().val().has_type_cast()) {
        const TypeUse to =
            ResolveType(e, targets[static_cast<int>(i)].res_target().val().type_cast().type_name());
        if (to.type != 0 && column.type != 0 && to.type != column.type)
          return e.Fail("42P16",
                        absl::StrCat("cannot change data type of view column \"", column.name, "\""));
      }
      if (name != column.name)
        return e.Fail("42P16", absl::StrCat("cannot change name of view column \"", column.name, "\" to \"",
                                            name, "\""));
      ++i;
    }
    return absl::OkStatus();
  }
  Relation& made = MakeRelation(e, view.view(), 'v');
  made.assumed = true;
  return absl::OkStatus();
}

absl::Status LintCreateTableAs(Effects& e, const pg_query::CreateTableAsStmt& create, bool execute) {
  const bool view = create.objtype() == pg_query::OBJECT_MATVIEW;
  const std::string schema = CreationSchema(e.session, create.into().rel().schemaname());
  if (e.catalogue.FindRelation(schema, create.into().rel().relname()) != nullptr &&
      create.into().rel().relpersistence() != "t") {
    if (create.if_not_exists()) return LintQueryTables(e, create.query());
    return e.Fail("42P07", absl::StrCat("relation \"", create.into().rel().relname(), "\" already exists"));
  }
  if (create.into().skip_data() || !execute) {
    const bool scans = e.scans;
    RETURN_IF_ERROR(execute && create.into().skip_data() ? LintQueryTables(e, create.query())
                                                         : LintQuery(e, create.query(), ""));
    e.scans = scans;
  } else {
    RETURN_IF_ERROR(LintStatement(e, create.query(), ""));
  }
  if (!execute) return absl::OkStatus();
  Relation& made = MakeRelation(e, create.into().rel(), view ? 'm' : 'r');
  made.has_rows = !create.into().skip_data();
  made.assumed = true;
  e.session.written.insert(made.oid);
  return absl::OkStatus();
}

}  // namespace curlew::lint
