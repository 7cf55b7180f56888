#include "agent/attempt/acting_role.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"
#include "common/sql/identifier.h"
#include "common/sql/subject.h"

namespace curlew::agent {
namespace {

constexpr char kSelf[] =
    "SELECT current_setting('is_superuser') = 'on', quote_ident(current_user), current_setting('role')";

constexpr char kOwners[] = R"sql(
WITH RECURSIVE family AS (
  SELECT to_regclass(name)::oid AS oid FROM unnest($1::text[]) AS t (name)
  UNION SELECT i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid
)
SELECT DISTINCT c.relowner FROM family f JOIN pg_class c ON c.oid = f.oid
)sql";

constexpr char kRoutineOwners[] =
    "SELECT DISTINCT p.proowner FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
    " WHERE n.nspname = $1 AND p.proname = $2";

// $1 owner, $2 schema in which it works, $3 tables. A right on the schema that the session has and the owner
// lacks, and policies that hide rows from the owner and not from the session, speak against the owner.
// $1 owner, $2 schema in which it works, $3 tables. A right on the schema that the session has and the owner
// lacks, and policies that hide rows from the owner and not from the session, speak against the owner.
constexpr char kUsable[] = R"sql(
SELECT CASE WHEN r.oid = me.oid THEN '' ELSE quote_ident(r.rolname) END
FROM pg_roles r, (SELECT oid, rolbypassrls FROM pg_roles WHERE rolname = current_user) AS me
WHERE r.oid = $1::oid AND (r.oid = me.oid OR NOT r.rolsuper
  AND pg_has_role(session_user, r.oid, CASE WHEN current_setting('server_version_num')::integer >= 160000
                                            THEN 'SET' ELSE 'MEMBER' END)
  AND NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = $2
    AND (has_schema_privilege(n.oid, 'CREATE') AND NOT has_schema_privilege(r.oid, n.oid, 'CREATE')
         OR has_schema_privilege(n.oid, 'USAGE') AND NOT has_schema_privilege(r.oid, n.oid, 'USAGE')))
  AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS t (name) JOIN pg_class c ON c.oid = to_regclass(t.name)
    WHERE NOT has_schema_privilege(r.oid, c.relnamespace, 'USAGE')
      OR c.relrowsecurity AND c.relforcerowsecurity AND me.rolbypassrls AND NOT r.rolbypassrls))
)sql";

// Who may stand for whoever makes something in schema $1, the likeliest first.
constexpr char kOwnersInSchema[] = R"sql(
SELECT owner FROM (
  SELECT 1 AS place, n.nspowner AS owner FROM pg_namespace n
  WHERE n.nspname = $1 AND n.nspowner::regrole::text <> 'pg_database_owner'
  UNION ALL SELECT 2, d.datdba FROM pg_namespace n, pg_database d
  WHERE n.nspname = $1 AND d.datname = current_database() AND n.nspowner::regrole::text = 'pg_database_owner'
  UNION ALL SELECT 3, min(c.relowner::text)::oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') HAVING count(DISTINCT c.relowner) = 1
) AS candidates ORDER BY place
)sql";

}  // namespace

absl::StatusOr<ActingRoles> ActingRoles::Of(pg::Connection* connection) {
  ASSIGN_OR_RETURN(const pg::Result row, connection->Execute(kSelf));
  ActingRoles roles;
  roles.superuser_ = row.Bool(0, 0);
  roles.self_ = row.Text(0, 1);
  roles.initial_ = row.Text(0, 2) == "none" ? "NONE" : sql::Ident(row.Text(0, 2));
  return roles;
}

std::string ActingRoles::SetLocal(const std::string& role) const {
  return absl::StrCat("SET LOCAL ROLE ", role.empty() ? initial_ : role);
}

std::string ActingRoles::Set(const std::string& role) const {
  return absl::StrCat("SET ROLE ", role.empty() ? initial_ : role);
}

absl::Status ActingRoles::Explain(const absl::Status& status, const std::string& role) const {
  if (pg::Sqlstate(status) != "42501") return status;
  return base::Annotate(status, role.empty()
                                    ? absl::StrCat("as the agent's role ", self_)
                                    : absl::StrCat("as role ", role, ", for which ", self_, " acts"));
}

absl::StatusOr<ActingRoles::Role> ActingRoles::Usable(pg::Connection* connection, const std::string& oid,
                                                      const std::string& schema,
                                                      const std::vector<std::string>& tables) const {
  ASSIGN_OR_RETURN(const pg::Result row, connection->Execute(kUsable, {oid, schema, pg::ArrayParam(tables)}));
  return row.empty() ? Role() : Role(row.Text(0, 0));
}

absl::StatusOr<ActingRoles::Role> ActingRoles::ForOwnerOf(pg::Connection* connection,
                                                          const std::vector<std::string>& tables,
                                                          const std::string& schema) const {
  if (tables.empty()) return Role();
  ASSIGN_OR_RETURN(const pg::Result owners, connection->Execute(kOwners, {pg::ArrayParam(tables)}));
  if (owners.size() != 1) return Role();
  return Usable(connection, owners.Text(0, 0), schema, tables);
}

absl::StatusOr<std::string> ActingRoles::ForTables(pg::Connection* connection,
                                                   const std::vector<std::string>& tables) const {
  if (superuser_) return std::string();
  ASSIGN_OR_RETURN(const Role role, ForOwnerOf(connection, tables, ""));
  return role.value_or("");
}

absl::StatusOr<std::string> ActingRoles::OwnerInSchema(pg::Connection* connection,
                                                       const std::string& schema) const {
  if (superuser_) return std::string();
  ASSIGN_OR_RETURN(const pg::Result owners, connection->Execute(kOwnersInSchema, {schema}));
  for (int64_t i = 0; i < owners.size(); ++i) {
    ASSIGN_OR_RETURN(const Role role, Usable(connection, owners.Text(i, 0), schema, {}));
    if (role.has_value()) return *role;
  }
  return absl::NotFoundError(absl::StrCat("the agent's role ", self_,
                                          " may act neither for the owner of schema ", sql::Ident(schema),
                                          " or of the database, nor for one of all tables there"));
}

absl::StatusOr<ActingRoles::Role> ActingRoles::ForNew(pg::Connection* connection, const sql::Subject& subject,
                                                      const std::vector<std::string>& others,
                                                      const std::vector<std::string>& locked) const {
  const std::string& schema = subject.name.schema;
  // What is replaced stays its owner's; functions of one name belong together.
  if (subject.kind == sql::Subject::Kind::kNewRoutine) {
    ASSIGN_OR_RETURN(const pg::Result owners,
                     connection->Execute(kRoutineOwners, {schema, subject.name.name}));
    if (owners.size() == 1) return Usable(connection, owners.Text(0, 0), schema, {});
  }
  for (const std::vector<std::string>& tables :
       {std::vector<std::string>{subject.name.Quoted()}, others, locked}) {
    ASSIGN_OR_RETURN(const Role role, ForOwnerOf(connection, tables, schema));
    if (role.has_value()) return role;
  }
  const absl::StatusOr<std::string> owner = OwnerInSchema(connection, schema);
  if (absl::IsNotFound(owner.status())) return Role();
  RETURN_IF_ERROR(owner.status());
  return Role(*owner);
}

absl::StatusOr<std::string> ActingRoles::ForStatement(pg::Connection* connection,
                                                      const std::string& statement,
                                                      const std::vector<v1::TableLock>& locks) const {
  using Kind = sql::Subject::Kind;
  if (superuser_) return std::string();
  std::vector<std::string> locked, others;
  for (const v1::TableLock& lock : locks) locked.push_back(lock.table());
  const absl::StatusOr<sql::Subject> subject = sql::SubjectOf(statement);
  // Syntax of a newer server: what the step locks is what it changes.
  if (!subject.ok()) return ForTables(connection, locked);
  if (subject->names_curlew || subject->kind == Kind::kOther) return std::string();
  for (const sql::TableName& other : subject->others) others.push_back(other.Quoted());
  if (subject->kind == Kind::kRelation) {
    const std::string name = subject->name.Quoted();
    ASSIGN_OR_RETURN(const pg::Result exists,
                     connection->Execute("SELECT to_regclass($1) IS NOT NULL", {name}));
    if (exists.Bool(0, 0)) {
      others.push_back(name);
      ASSIGN_OR_RETURN(const Role role, ForOwnerOf(connection, others, subject->name.schema));
      return role.value_or("");
    }
    // A statement before this one makes it: it belongs to whom that one is run for.
    others.clear();
  }
  ASSIGN_OR_RETURN(const Role role, ForNew(connection, *subject, others, locked));
  return role.value_or("");
}

}  // namespace curlew::agent
