#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/attempt/acting_role.h"
#include "agent/preflight/looks.h"
#include "common/base/status_macros.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

// Each table of the plan with its partitions, and what the role may do there.
constexpr char kTables[] = R"sql(
WITH RECURSIVE family AS (
  SELECT w.name, to_regclass(w.name)::oid AS oid FROM unnest($1::text[]) AS w (name)
  UNION SELECT f.name, i.inhrelid FROM pg_inherits i JOIN family f ON i.inhparent = f.oid
)
SELECT f.name, format('%I.%I', n.nspname, c.relname), pg_has_role(c.relowner, 'USAGE'),
  quote_ident(pg_get_userbyid(c.relowner)), has_table_privilege(c.oid, 'SELECT'),
  has_table_privilege(c.oid, 'UPDATE'), has_table_privilege(c.oid, 'DELETE'), n.nspname,
  r.rolsuper, row_security_active(c.oid),
  pg_has_role(session_user, c.relowner, CASE WHEN current_setting('server_version_num')::integer >= 160000
                                             THEN 'SET' ELSE 'MEMBER' END)
FROM family f JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles r ON r.oid = c.relowner
ORDER BY 1, 2
)sql";

constexpr char kSchemas[] = R"sql(
SELECT n.nspname, has_schema_privilege(n.oid, 'CREATE'), has_schema_privilege(n.oid, 'USAGE')
FROM pg_namespace n WHERE n.nspname = ANY ($1::text[]) ORDER BY 1
)sql";

// A setting that only superusers may change, unless it was granted (from PostgreSQL 15 on).
absl::StatusOr<bool> MaySet(const Look& look, const std::string& setting) {
  ASSIGN_OR_RETURN(
      const pg::Result row,
      look.connection->server_version_num() >= 150000
          ? look.connection->Execute("SELECT has_parameter_privilege($1, 'SET')", {setting})
          : look.connection->Execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"));
  return row.Bool(0, 0);
}

// The plan's tables in schemas that the role may look into; the others are told of.
absl::StatusOr<std::vector<std::string>> VisibleTables(const Look& look, const std::string& role,
                                                       Findings* findings) {
  std::map<std::string, std::vector<std::string>> by_schema;
  for (const std::string& table : NamesOf(look.needs)) {
    if (const auto name = sql::ParseTableName(table); name.ok()) by_schema[name->schema].push_back(table);
  }
  std::vector<std::string> schemas, visible;
  for (const auto& [schema, tables] : by_schema) schemas.push_back(schema);
  ASSIGN_OR_RETURN(const pg::Result rows, look.connection->Execute(kSchemas, {pg::ArrayParam(schemas)}));
  for (int64_t i = 0; i < rows.size(); ++i) {
    const std::vector<std::string>& tables = by_schema.at(rows.Text(i, 0));
    if (rows.Bool(i, 2)) {
      visible.insert(visible.end(), tables.begin(), tables.end());
      continue;
    }
    const std::string schema = sql::Ident(rows.Text(i, 0));
    findings->Error(absl::StrCat("the agent's role ", role, " may not look into schema ", schema),
                    absl::StrCat("GRANT USAGE ON SCHEMA ", schema, " TO ", role), tables.front());
  }
  return visible;
}

absl::Status LookAtTables(const Look& look, const std::string& role, std::set<std::string>* schemas,
                          Findings* findings) {
  ASSIGN_OR_RETURN(const std::vector<std::string> visible, VisibleTables(look, role, findings));
  ASSIGN_OR_RETURN(const pg::Result rows, look.connection->Execute(kTables, {pg::ArrayParam(visible)}));
  for (int64_t i = 0; i < rows.size(); ++i) {
    const TableNeeds& needs = look.needs.tables.at(rows.Text(i, 0));
    const std::string table = rows.Text(i, 1);
    if (needs.changes && !rows.Bool(i, 2)) {
      // A superuser's rights are not to be handed on.
      findings->Error(
          absl::StrCat("the agent's role ", role, " does not own ", table, ", which steps change"),
          rows.Bool(i, 8)
              ? absl::StrCat("its owner ", rows.Text(i, 3), " is a superuser: ALTER TABLE ", table,
                             " OWNER TO a role of the application, and GRANT that role TO ", role)
              : absl::StrCat("GRANT ", rows.Text(i, 3), " TO ", role,
                             " (its owner's rights), or ALTER TABLE ", table, " OWNER TO ", role),
          table);
      continue;
    }
    if (needs.changes && !rows.Bool(i, 10)) {
      findings->Warning(
          absl::StrCat("the agent's role ", role, " has the rights of ", rows.Text(i, 3), ", the owner of ",
                       table, ", but may not act as that role: what steps make besides will belong to ",
                       role),
          absl::StrCat("GRANT ", rows.Text(i, 3), " TO ", role, " WITH SET TRUE"), table);
    }
    if ((needs.reads || needs.updates || needs.deletes) && rows.Bool(i, 9)) {
      findings->Error(absl::StrCat("policies of ", table, " hide rows from the agent's role ", role,
                                   ": the step stops, for no row may be passed over unseen"),
                      absl::StrCat("ALTER ROLE ", role, " BYPASSRLS, or ALTER TABLE ", table,
                                   " NO FORCE ROW LEVEL SECURITY"),
                      table);
    }
    if (needs.index_builds > 0) schemas->insert(rows.Text(i, 7));
    std::string lacking;
    const auto lacks = [&](bool needed, int column, const char* right) {
      if (needed && !rows.Bool(i, column)) absl::StrAppend(&lacking, lacking.empty() ? "" : ", ", right);
    };
    lacks(needs.reads, 4, "SELECT");
    lacks(needs.updates, 5, "UPDATE");
    lacks(needs.deletes, 6, "DELETE");
    if (!lacking.empty()) {
      findings->Error(absl::StrCat("the agent's role ", role, " lacks ", lacking, " on ", table),
                      absl::StrCat("GRANT ", lacking, " ON ", table, " TO ", role), table);
    }
  }
  return absl::OkStatus();
}

// Whom what steps make will belong to, where the agent acts for others at all.
absl::Status LookAtNewOwners(const Look& look, const std::string& role, Findings* findings) {
  ASSIGN_OR_RETURN(const ActingRoles acting, ActingRoles::Of(look.connection));
  Findings told_already("privileges");
  ASSIGN_OR_RETURN(const std::vector<std::string> visible, VisibleTables(look, role, &told_already));
  std::set<std::string> owners;
  for (const std::string& table : visible) {
    if (!look.needs.tables.at(table).changes) continue;
    ASSIGN_OR_RETURN(std::string owner, acting.ForTables(look.connection, {table}));
    if (!owner.empty()) owners.insert(std::move(owner));
  }
  if (owners.empty()) return absl::OkStatus();
  for (const std::string& schema : look.needs.creates_in) {
    if (schema == "curlew") continue;
    const absl::StatusOr<std::string> owner = acting.OwnerInSchema(look.connection, schema);
    if (owner.ok()) continue;
    if (!absl::IsNotFound(owner.status())) return owner.status();
    findings->Warning(
        absl::StrCat("what steps make in schema ", sql::Ident(schema),
                     " may come to belong to the agent: ", std::string(owner.status().message())),
        absl::StrCat("ALTER SCHEMA ", sql::Ident(schema), " OWNER TO ", *owners.begin()));
  }
  return absl::OkStatus();
}

// Where the journal is, or will be.
absl::Status LookAtOwnSchema(const Look& look, const std::string& role, Findings* findings) {
  ASSIGN_OR_RETURN(
      const pg::Result row,
      look.connection->Execute(
          "SELECT has_database_privilege(current_database(), 'CREATE'), n.oid IS NOT NULL,"
          " COALESCE(has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE'),"
          " false)"
          " FROM (SELECT 1) AS one LEFT JOIN pg_namespace n ON n.nspname = 'curlew'"));
  if (row.Bool(0, 1) ? row.Bool(0, 2) : row.Bool(0, 0)) return absl::OkStatus();
  findings->Error(absl::StrCat("the agent's role ", role, " may not make anything in schema curlew",
                               row.Bool(0, 1) ? "" : ", which is not there"),
                  row.Bool(0, 1) ? absl::StrCat("ALTER SCHEMA curlew OWNER TO ", role)
                                 : absl::StrCat("CREATE SCHEMA curlew AUTHORIZATION ", role));
  return absl::OkStatus();
}

}  // namespace

absl::Status LookAtPrivileges(const Look& look, Findings* findings) {
  ASSIGN_OR_RETURN(
      const pg::Result me,
      look.connection->Execute("SELECT quote_ident(current_user), pg_has_role('pg_monitor', 'USAGE')"));
  const std::string role = me.Text(0, 0);
  if (!me.Bool(0, 1)) {
    findings->Warning(
        absl::StrCat("the agent's role ", role,
                     " is no member of pg_monitor: it does not see what other roles' sessions do"),
        absl::StrCat("GRANT pg_monitor TO ", role));
  }
  std::set<std::string> schemas = look.needs.creates_in;
  RETURN_IF_ERROR(LookAtTables(look, role, &schemas, findings));
  // Schema curlew is the agent's own.
  schemas.erase("curlew");
  ASSIGN_OR_RETURN(const pg::Result rows,
                   look.connection->Execute(
                       kSchemas, {pg::ArrayParam(std::vector<std::string>(schemas.begin(), schemas.end()))}));
  for (int64_t i = 0; i < rows.size(); ++i) {
    if (rows.Bool(i, 1) && rows.Bool(i, 2)) continue;
    const std::string schema = sql::Ident(rows.Text(i, 0));
    findings->Error(absl::StrCat("the agent's role ", role, " may not make anything in schema ", schema),
                    absl::StrCat("GRANT USAGE, CREATE ON SCHEMA ", schema, " TO ", role));
  }
  RETURN_IF_ERROR(LookAtOwnSchema(look, role, findings));
  RETURN_IF_ERROR(LookAtNewOwners(look, role, findings));
  if (look.needs.ddl) {
    ASSIGN_OR_RETURN(const bool may, MaySet(look, "deadlock_timeout"));
    if (!may) {
      findings->Info(
          absl::StrCat("the agent's role ", role,
                       " may not set deadlock_timeout: a step that an autovacuum stands in the way of "
                       "takes a try of 1.2 s, in which it holds up others that want the table"),
          absl::StrCat("PostgreSQL 15: GRANT SET ON PARAMETER deadlock_timeout TO ", role));
    }
  }
  if (look.needs.replica_role) {
    ASSIGN_OR_RETURN(const bool may, MaySet(look, "session_replication_role"));
    if (!may) {
      findings->Error(absl::StrCat("the agent's role ", role,
                                   " may not set session_replication_role, which skip_user_triggers needs"),
                      absl::StrCat("PostgreSQL 15: GRANT SET ON PARAMETER session_replication_role TO ", role,
                                   "; before, only a superuser may"));
    }
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
