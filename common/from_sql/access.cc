#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/from_sql/families.h"
#include "common/from_sql/text.h"
#include "common/schema/schema.h"

namespace curlew::from_sql {
namespace {

using pg_query::Node;
using sql::TableName;

// Absent for CURRENT_USER and the like, which are other roles when the agent runs it.
std::optional<std::vector<std::string>> ReadRoles(const Nodes& nodes) {
  std::vector<std::string> roles;
  for (const Node& node : nodes) {
    const pg_query::RoleSpec& role = node.role_spec();
    if (role.roletype() == pg_query::ROLESPEC_PUBLIC) {
      roles.push_back("public");
    } else if (role.roletype() == pg_query::ROLESPEC_CSTRING) {
      roles.push_back(role.rolename());
    } else {
      return std::nullopt;
    }
  }
  return roles;
}

// Fills a GRANT or REVOKE of a table.
template <typename Privileges>
void Fill(const TableName& table, const std::vector<std::string>& names,
          const std::vector<std::string>& roles, const std::vector<std::string>& columns,
          Privileges* privileges) {
  privileges->set_table(table.Quoted());
  privileges->mutable_privileges()->Assign(names.begin(), names.end());
  privileges->mutable_roles()->Assign(roles.begin(), roles.end());
  privileges->mutable_columns()->Assign(columns.begin(), columns.end());
}

// What nothing that operations look at depends on.
void IsBeside(Piece* piece) { piece->changes.clear(); }

}  // namespace

void Comment(const Node& node, Sink* sink) {
  const pg_query::CommentStmt& statement = node.comment_stmt();
  Known& known = sink->known();
  v1::Operation operation;
  v1::SetComment* comment = operation.mutable_set_comment();
  comment->set_comment(statement.comment());
  TableName table;
  if (statement.objtype() == pg_query::OBJECT_TABLE) {
    table = known.Relation(NameOf(statement.object().list().items()));
  } else if (statement.objtype() == pg_query::OBJECT_COLUMN) {
    Nodes parts = statement.object().list().items();
    comment->set_column(parts[parts.size() - 1].string().sval());
    parts.RemoveLast();
    table = known.Relation(NameOf(parts));
  }
  const Kind kind = known.KindOf(table);
  if (!table.name.empty() && (kind == Kind::kTable || kind == Kind::kPartitioned || kind == Kind::kUnknown)) {
    comment->set_table(table.Quoted());
    sink->Operation(std::move(operation), node, RelationKey(table.Quoted()));
    return;
  }
  // What the script makes had no comment before.
  Piece& piece = sink->Sql(node, "set_comment is for tables and their columns");
  bool made = !piece.touches.empty();
  for (const std::string& key : piece.touches) made = made && known.Made(key);
  if (statement.objtype() == pg_query::OBJECT_TABCONSTRAINT) {
    const Nodes& parts = statement.object().list().items();
    for (const std::string& key : Keys(piece.touches)) {
      made = known.Made("constraint " + key.substr(9) + " " + parts[parts.size() - 1].string().sval());
    }
  }
  if (made) {
    Node none = node;
    none.mutable_comment_stmt()->clear_comment();
    piece.down = PathPrefix(known) + Printed(none).value_or("");
  }
  IsBeside(&piece);
}

void Grant(const Node& node, Sink* sink) {
  const pg_query::GrantStmt& statement = node.grant_stmt();
  Known& known = sink->known();
  const auto roles = ReadRoles(statement.grantees());
  std::vector<TableName> tables;
  std::string why;
  if (statement.targtype() != pg_query::ACL_TARGET_OBJECT || statement.objtype() != pg_query::OBJECT_TABLE) {
    why = "operations grant and revoke privileges on tables";
  } else {
    for (const Node& object : statement.objects()) {
      const TableName table = known.Relation(object.range_var());
      const Kind kind = known.KindOf(table);
      if (kind != Kind::kTable && kind != Kind::kPartitioned && kind != Kind::kUnknown) {
        why = "operations grant and revoke privileges on tables";
      }
      tables.push_back(table);
    }
  }
  if (!roles.has_value()) why = "CURRENT_USER would be the agent's role";
  std::vector<std::string> privileges, columns;
  for (const Node& privilege : statement.privileges()) {
    privileges.push_back(absl::AsciiStrToLower(privilege.access_priv().priv_name()));
    const std::vector<std::string> own = Strings(privilege.access_priv().cols());
    if (&privilege != &statement.privileges(0) && own != columns)
      why = "each privilege has columns of its own";
    columns = own;
  }
  if (privileges.empty()) {
    privileges = {"delete", "insert", "references", "select", "trigger", "truncate", "update"};
  }
  if (!statement.is_grant() && (statement.grant_option() || statement.behavior() == pg_query::DROP_CASCADE)) {
    why = "revoke takes no grant option and no CASCADE";
  }
  if (!why.empty() || tables.empty()) {
    Piece& piece = sink->Sql(node, why);
    IsBeside(&piece);
    return;
  }
  for (const TableName& table : tables) {
    v1::Operation operation;
    if (statement.is_grant()) {
      Fill(table, privileges, *roles, columns, operation.mutable_grant());
      operation.mutable_grant()->set_grant_option(statement.grant_option());
    } else {
      Fill(table, privileges, *roles, columns, operation.mutable_revoke());
    }
    Node one = node;
    one.mutable_grant_stmt()->clear_objects();
    pg_query::RangeVar* relation = one.mutable_grant_stmt()->add_objects()->mutable_range_var();
    relation->set_schemaname(table.schema);
    relation->set_relname(table.name);
    relation->set_inh(true);
    relation->set_relpersistence("p");
    sink->Operation(std::move(operation), one, RelationKey(table.Quoted()));
  }
}

void CreatePolicy(const Node& node, Sink* sink) {
  const pg_query::CreatePolicyStmt& statement = node.create_policy_stmt();
  Known& known = sink->known();
  const TableName table = known.Relation(statement.table());
  const std::string down =
      absl::StrCat("DROP POLICY ", sql::Ident(statement.policy_name()), " ON ", table.Quoted());
  v1::Operation operation;
  v1::CreatePolicy* policy = operation.mutable_create_policy();
  policy->set_table(table.Quoted());
  policy->set_name(statement.policy_name());
  policy->set_restrictive(!statement.permissive());
  const std::string& command = statement.cmd_name();
  policy->set_command(command == "select"   ? v1::POLICY_COMMAND_SELECT
                      : command == "insert" ? v1::POLICY_COMMAND_INSERT
                      : command == "update" ? v1::POLICY_COMMAND_UPDATE
                      : command == "delete" ? v1::POLICY_COMMAND_DELETE
                                            : v1::POLICY_COMMAND_UNSPECIFIED);
  std::string why;
  const auto roles = ReadRoles(statement.roles());
  if (!roles.has_value()) why = "CURRENT_USER would be the agent's role";
  if (roles.has_value() && *roles != std::vector<std::string>{"public"}) {
    policy->mutable_roles()->Assign(roles->begin(), roles->end());
  }
  if (statement.has_qual()) policy->set_using_(ExpressionText(statement.qual(), {table.name}).value_or(""));
  if (statement.has_with_check()) {
    policy->set_with_check(ExpressionText(statement.with_check(), {table.name}).value_or(""));
  }
  if ((statement.has_qual() && policy->using_().empty()) ||
      (statement.has_with_check() && policy->with_check().empty())) {
    why = "an expression of the policy is more than a plan's expression";
  }
  if (why.empty() && policy->using_().empty() && policy->with_check().empty()) {
    why = "create_policy wants an expression";
  }
  if (why.empty()) {
    sink->Operation(std::move(operation), node, RelationKey(table.Quoted()), down).acknowledge =
        statement.permissive() ? std::vector<std::string>{} : std::vector<std::string>{"breaks-applications"};
  } else {
    sink->Sql(node, why, down);
  }
}

void CreateExtension(const Node& node, Sink* sink) {
  const pg_query::CreateExtensionStmt& statement = node.create_extension_stmt();
  Known& known = sink->known();
  const std::string key = "extension " + statement.extname();
  if (statement.if_not_exists() &&
      (schema::FindExtension(known.now(), statement.extname()) != nullptr || known.Made(key))) {
    sink->LeaveOut(absl::StrCat("IF NOT EXISTS: extension ", sql::Ident(statement.extname()), " is there"));
    return;
  }
  const std::string down = absl::StrCat("DROP EXTENSION ", sql::Ident(statement.extname()));
  v1::Operation operation;
  v1::CreateExtension* extension = operation.mutable_create_extension();
  extension->set_extension(statement.extname());
  std::string why = known.is_plain_path() ? "" : "its schema comes from the search_path";
  for (const Node& option : statement.options()) {
    const pg_query::DefElem& element = option.def_elem();
    if (element.defname() == "schema") {
      extension->set_schema(ValueText(element.arg()));
      why.clear();
    } else if (element.defname() == "new_version") {
      extension->set_version(ValueText(element.arg()));
    } else {
      why = "CASCADE makes other extensions too";
    }
  }
  if (why.empty()) {
    Piece& piece = sink->Operation(std::move(operation), node, key, down);
    if (statement.if_not_exists() && !known.exact())
      piece.notes.push_back("IF NOT EXISTS: taken not to be there");
  } else {
    sink->Sql(node, why);
  }
  known.Make(key);
}

}  // namespace curlew::from_sql
