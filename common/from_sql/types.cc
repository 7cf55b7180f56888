#include "absl/strings/str_cat.h"
#include "common/from_sql/families.h"
#include "common/from_sql/names.h"
#include "common/from_sql/text.h"
#include "common/operations/catalogue.h"
#include "common/schema/schema.h"

namespace curlew::from_sql {
namespace {

using pg_query::Node;
using sql::TableName;

bool HasConstraint(const v1::Domain* domain, const std::string& name) {
  if (domain == nullptr) return false;
  for (const v1::Constraint& constraint : domain->constraints()) {
    if (constraint.name() == name) return true;
  }
  return false;
}

// Names of a domain's constraints are told apart in the schema, as those of tables are.
std::string CheckName(const pg_query::Constraint& check, const TableName& domain, const Known& known,
                      const v1::CreateDomain* made) {
  if (!check.conname().empty()) return check.conname();
  return ChooseName(domain.name, "", "check", [&](const std::string& name) {
    if (known.ConstraintTaken(domain.schema, name)) return true;
    if (HasConstraint(schema::FindDomain(known.now(), domain.Quoted()), name)) return true;
    for (int i = 0; made != nullptr && i < made->checks_size(); ++i) {
      if (made->checks(i).name() == name) return true;
    }
    return false;
  });
}

}  // namespace

void CreateEnum(const Node& node, Sink* sink) {
  Known& known = sink->known();
  const TableName type = known.Type(NameOf(node.create_enum_stmt().type_name()));
  const std::vector<std::string> values = Strings(node.create_enum_stmt().vals());
  if (sink->passes_over_duplicates() && known.HasType(type)) {
    sink->LeaveOut(absl::StrCat("type ", type.Quoted(), " is there"));
    return;
  }
  const std::string down = absl::StrCat("DROP TYPE ", type.Quoted());
  v1::Operation operation;
  operation.mutable_create_enum()->set_type(type.Quoted());
  operation.mutable_create_enum()->mutable_values()->Assign(values.begin(), values.end());
  if (values.empty()) {
    sink->Sql(node, "create_enum wants a value", down);
  } else {
    sink->Operation(std::move(operation), node, TypeKey(type.Quoted()), down);
  }
  known.Make(TypeKey(type.Quoted()));
}

void AlterEnum(const Node& node, Sink* sink) {
  const pg_query::AlterEnumStmt& statement = node.alter_enum_stmt();
  Known& known = sink->known();
  const TableName type = known.Type(NameOf(statement.type_name()));
  v1::Operation operation;
  if (!statement.old_val().empty()) {
    v1::RenameEnumValue* rename = operation.mutable_rename_enum_value();
    rename->set_type(type.Quoted());
    rename->set_value(statement.old_val());
    rename->set_to(statement.new_val());
    sink->Operation(std::move(operation), node, TypeKey(type.Quoted())).acknowledge = {"breaks-applications"};
    return;
  }
  v1::AddEnumValue* add = operation.mutable_add_enum_value();
  add->set_type(type.Quoted());
  add->set_value(statement.new_val());
  if (!statement.new_val_neighbor().empty()) {
    (statement.new_val_is_after() ? add->mutable_after() : add->mutable_before())
        ->assign(statement.new_val_neighbor());
  }
  sink->Operation(std::move(operation), node, TypeKey(type.Quoted()));
}

void CreateDomain(const Node& node, Sink* sink) {
  const pg_query::CreateDomainStmt& statement = node.create_domain_stmt();
  Known& known = sink->known();
  const TableName name = known.Type(NameOf(statement.domainname()));
  const std::string down = absl::StrCat("DROP DOMAIN ", name.Quoted());
  v1::Operation operation;
  v1::CreateDomain* domain = operation.mutable_create_domain();
  domain->set_domain(name.Quoted());
  std::string why = statement.has_coll_clause() ? "create_domain takes no collation" : "";
  const auto type = known.TypeName(statement.type_name());
  if (!type.has_value()) why = "its type is none that a plan can write";
  domain->set_type(type.value_or(""));
  for (const Node& part : statement.constraints()) {
    const pg_query::Constraint& constraint = part.constraint();
    if (constraint.contype() == pg_query::CONSTR_NOTNULL) domain->set_not_null(true);
    if (constraint.contype() == pg_query::CONSTR_DEFAULT) {
      const auto text = ExpressionText(constraint.raw_expr());
      if (!text.has_value()) why = "its default is more than a plan's expression";
      domain->set_default_(text.value_or(""));
    }
    if (constraint.contype() == pg_query::CONSTR_CHECK) {
      const auto text = ExpressionText(constraint.raw_expr());
      if (!text.has_value()) why = "a constraint is more than a plan's expression";
      const std::string check_name = CheckName(constraint, name, known, domain);
      v1::DomainCheck* check = domain->add_checks();
      check->set_name(check_name);
      check->set_expression(text.value_or(""));
    }
  }
  if (why.empty()) {
    sink->Operation(std::move(operation), node, TypeKey(name.Quoted()), down);
  } else {
    sink->Sql(node, why, down);
  }
  known.Make(TypeKey(name.Quoted()));
}

void AlterDomain(const Node& node, Sink* sink) {
  const pg_query::AlterDomainStmt& statement = node.alter_domain_stmt();
  Known& known = sink->known();
  const TableName name = known.Type(NameOf(statement.type_name()));
  v1::Operation operation;
  std::string stored_in;
  for (const v1::Table& table : known.now().tables()) {
    for (const v1::Column& column : table.columns()) {
      if (operations::IsOfType(column.type(), name)) stored_in = schema::NameOf(table).Quoted();
    }
  }
  if (statement.subtype() == "C" && !stored_in.empty() && known.exact()) {
    sink->Sql(node, absl::StrCat("the rows of ", stored_in, " would be validated while writers wait"));
    return;
  }
  if (statement.subtype() == "C" && !statement.def().constraint().skip_validation()) {
    const auto text = ExpressionText(statement.def().constraint().raw_expr());
    if (text.has_value()) {
      v1::AddDomainConstraint* add = operation.mutable_add_domain_constraint();
      add->set_domain(name.Quoted());
      add->set_name(CheckName(statement.def().constraint(), name, known, nullptr));
      add->set_expression(*text);
      const std::string down =
          absl::StrCat("ALTER DOMAIN ", name.Quoted(), " DROP CONSTRAINT ", sql::Ident(add->name()));
      sink->Operation(std::move(operation), node, TypeKey(name.Quoted()), down);
      return;
    }
  }
  if (statement.subtype() == "X" && statement.behavior() != pg_query::DROP_CASCADE) {
    operation.mutable_drop_domain_constraint()->set_domain(name.Quoted());
    operation.mutable_drop_domain_constraint()->set_name(statement.name());
    sink->Operation(std::move(operation), node, TypeKey(name.Quoted()));
    return;
  }
  sink->Sql(node, "no operation changes a domain in this way");
}

}  // namespace curlew::from_sql
