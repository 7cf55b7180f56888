#include "absl/strings/str_cat.h"
#include "common/from_sql/families.h"
#include "common/from_sql/names.h"
#include "common/from_sql/text.h"

namespace curlew::from_sql {
namespace {

using pg_query::Constraint;
using pg_query::Node;
using sql::TableName;

v1::ReferentialAction ReadAction(const std::string& action) {
  if (action == "r") return v1::REFERENTIAL_ACTION_RESTRICT;
  if (action == "c") return v1::REFERENTIAL_ACTION_CASCADE;
  if (action == "n") return v1::REFERENTIAL_ACTION_SET_NULL;
  if (action == "d") return v1::REFERENTIAL_ACTION_SET_DEFAULT;
  return v1::REFERENTIAL_ACTION_UNSPECIFIED;
}

template <typename Field>
void Put(const std::vector<std::string>& values, Field* field) {
  field->Assign(values.begin(), values.end());
}

// The operation, or why there is none.
absl::StatusOr<v1::Operation> ReadOperation(const Constraint& c, const TableName& table, const Known& known) {
  v1::Operation operation;
  auto none = [](absl::string_view why) { return absl::InvalidArgumentError(why); };
  if (!c.indexspace().empty() || !c.options().empty()) return none("no operation takes an index's storage");
  switch (c.contype()) {
    case pg_query::CONSTR_CHECK: {
      const auto text = ExpressionText(c.raw_expr(), {table.name});
      if (c.is_no_inherit()) return none("NO INHERIT is no operation's");
      if (!text.has_value()) return none("the expression is more than a plan's expression");
      v1::AddCheck* check = operation.mutable_add_check();
      check->set_table(table.Quoted());
      check->set_name(c.conname());
      check->set_expression(*text);
      return operation;
    }
    case pg_query::CONSTR_UNIQUE: {
      if (!c.indexname().empty()) return none("it takes over an index that exists");
      v1::AddUnique* unique = operation.mutable_add_unique();
      unique->set_table(table.Quoted());
      unique->set_name(c.conname());
      Put(Strings(c.keys()), unique->mutable_columns());
      Put(Strings(c.including()), unique->mutable_include());
      unique->set_nulls_not_distinct(c.nulls_not_distinct());
      unique->set_deferral(ReadDeferral(c));
      return operation;
    }
    case pg_query::CONSTR_FOREIGN: {
      if (c.fk_matchtype() == "f") return none("MATCH FULL is no operation's");
      if (!c.fk_del_set_cols().empty()) return none("a list of columns after SET NULL is no operation's");
      v1::AddForeignKey* key = operation.mutable_add_foreign_key();
      key->set_table(table.Quoted());
      key->set_name(c.conname());
      Put(Strings(c.fk_attrs()), key->mutable_columns());
      key->set_references(known.Relation(c.pktable()).Quoted());
      Put(Strings(c.pk_attrs()), key->mutable_referenced_columns());
      key->set_on_delete(ReadAction(c.fk_del_action()));
      key->set_on_update(ReadAction(c.fk_upd_action()));
      key->set_deferral(ReadDeferral(c));
      return operation;
    }
    case pg_query::CONSTR_EXCLUSION: {
      v1::AddExclusion* exclusion = operation.mutable_add_exclusion();
      exclusion->set_table(table.Quoted());
      exclusion->set_name(c.conname());
      exclusion->set_method(c.access_method());
      exclusion->set_deferral(ReadDeferral(c));
      if (!c.including().empty()) return none("INCLUDE of an exclusion constraint is no operation's");
      for (const Node& node : c.exclusions()) {
        const pg_query::IndexElem& key = node.list().items(0).index_elem();
        const Nodes& names = node.list().items(1).list().items();
        v1::ExclusionElement* element = exclusion->add_elements();
        element->set_column(key.name());
        if (key.has_expr()) {
          const auto text = ExpressionText(key.expr(), {table.name});
          if (!text.has_value()) return none("the expression is more than a plan's expression");
          element->set_expression(*text);
        }
        if (!key.collation().empty() || !key.opclassopts().empty() || names.size() != 1) {
          return none("its collation, or the schema of its operator, is no operation's");
        }
        if (!key.opclass().empty()) element->set_opclass(Spelled(NameOf(key.opclass())));
        element->set_operator_(names[0].string().sval());
      }
      if (c.has_where_clause()) {
        const auto text = ExpressionText(c.where_clause(), {table.name});
        if (!text.has_value()) return none("the predicate is more than a plan's expression");
        exclusion->set_where(*text);
      }
      return operation;
    }
    case pg_query::CONSTR_PRIMARY:
      return none("a primary key is set by create_table alone");
    default:
      return none("no operation adds a constraint of this kind");
  }
}

std::string NameAdditionOf(const Constraint& c) {
  if (c.contype() == pg_query::CONSTR_EXCLUSION) {
    Nodes keys;
    for (const Node& node : c.exclusions()) *keys.Add() = node.list().items(0);
    return NameAddition(IndexColumnNames(keys, c.including()));
  }
  std::vector<std::string> columns = Strings(c.keys());
  for (const std::string& column : Strings(c.including())) columns.push_back(column);
  return NameAddition(columns);
}

}  // namespace

v1::Deferral ReadDeferral(const Constraint& constraint) {
  if (constraint.initdeferred()) return v1::DEFERRAL_INITIALLY_DEFERRED;
  return constraint.deferrable() ? v1::DEFERRAL_DEFERRABLE : v1::DEFERRAL_UNSPECIFIED;
}

std::string ConstraintName(const Constraint& c, const TableName& table, const Known& known) {
  if (!c.conname().empty()) return c.conname();
  const IsTaken constraint = [&](const std::string& name) {
    return known.ConstraintTaken(table.schema, name);
  };
  const IsTaken both = [&](const std::string& name) {
    return constraint(name) || known.RelationTaken(table.schema, name);
  };
  switch (c.contype()) {
    case pg_query::CONSTR_CHECK: {
      const std::vector<std::string> columns = ColumnsOf(c.raw_expr());
      return ChooseName(table.name, columns.size() == 1 ? columns[0] : "", "check", constraint);
    }
    case pg_query::CONSTR_FOREIGN:
      return ChooseName(table.name, NameAddition(Strings(c.fk_attrs())), "fkey", constraint);
    case pg_query::CONSTR_PRIMARY:
      return c.indexname().empty() ? ChooseName(table.name, "", "pkey", both) : c.indexname();
    case pg_query::CONSTR_EXCLUSION:
      return ChooseName(table.name, NameAdditionOf(c), "excl", both);
    default:
      return c.indexname().empty() ? ChooseName(table.name, NameAdditionOf(c), "key", both) : c.indexname();
  }
}

Node AddConstraintNode(const TableName& table, Constraint constraint) {
  Node node;
  pg_query::AlterTableStmt* alter = node.mutable_alter_table_stmt();
  alter->mutable_relation()->set_schemaname(table.schema);
  alter->mutable_relation()->set_relname(table.name);
  alter->mutable_relation()->set_inh(true);
  alter->mutable_relation()->set_relpersistence("p");
  alter->set_objtype(pg_query::OBJECT_TABLE);
  pg_query::AlterTableCmd* command = alter->add_cmds()->mutable_alter_table_cmd();
  command->set_subtype(pg_query::AT_AddConstraint);
  command->set_behavior(pg_query::DROP_RESTRICT);
  if (!constraint.skip_validation() &&
      (constraint.contype() == pg_query::CONSTR_CHECK || constraint.contype() == pg_query::CONSTR_FOREIGN)) {
    constraint.set_initially_valid(true);
  }
  *command->mutable_def()->mutable_constraint() = std::move(constraint);
  return node;
}

void AddConstraint(Constraint constraint, const TableName& table, Sink* sink) {
  Known& known = sink->known();
  constraint.set_conname(ConstraintName(constraint, table, known));
  if (sink->passes_over_duplicates() && known.ConstraintTaken(table.schema, constraint.conname())) {
    sink->LeaveOut(absl::StrCat("constraint ", sql::Ident(constraint.conname()), " is there"));
    return;
  }
  const std::string name = constraint.conname();
  const Node node = AddConstraintNode(table, constraint);
  const std::string key = RelationKey(table.Quoted());
  const std::string down =
      absl::StrCat("ALTER TABLE ", table.Quoted(), " DROP CONSTRAINT ", sql::Ident(name));
  const bool is_primary = constraint.contype() == pg_query::CONSTR_PRIMARY;
  const bool has_index = is_primary || constraint.contype() == pg_query::CONSTR_UNIQUE ||
                         constraint.contype() == pg_query::CONSTR_EXCLUSION;
  const absl::StatusOr<v1::Operation> operation = ReadOperation(constraint, table, known);
  if (!operation.ok()) {
    // The columns of a primary key stay NOT NULL when it goes.
    sink->Sql(node, std::string(operation.status().message()), is_primary ? "" : down);
  } else if (constraint.skip_validation()) {
    // An operation only if the script validates it: see ValidateConstraint.
    Piece& piece = sink->Sql(node, "NOT VALID: the operation would validate it too", down);
    piece.operation = *operation;
    std::tie(piece.first, piece.last) = PhasesOf(*operation);
  } else {
    Piece& piece = sink->Operation(*operation, node, key, down);
    if (operation->has_add_exclusion() && !known.Made(key)) piece.acknowledge = {"blocks-writes"};
  }
  known.MakeConstraint(table, name);
  if (has_index) known.MakeIndex(table, name);
}

}  // namespace curlew::from_sql
