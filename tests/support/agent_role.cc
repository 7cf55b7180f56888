#include "tests/support/agent_role.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/id.h"
#include "common/base/status_macros.h"
#include "common/pg/connection.h"
#include "common/sql/identifier.h"
#include "tests/support/pg_test.h"

namespace curlew::testing {
namespace {

// {owner} is a literal.
constexpr char kGiveAway[] = R"sql(
DO $give$
DECLARE
  it record;
BEGIN
  FOR it IN
    WITH ours AS (SELECT oid, nspname FROM pg_namespace
                  WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'curlew') AND nspname NOT LIKE 'pg\_%'),
    extended AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
    SELECT format('SCHEMA %I', nspname) AS what FROM ours WHERE nspname <> 'public'
    UNION ALL
    SELECT format('TABLE %s', c.oid::regclass) FROM pg_class c JOIN ours o ON o.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ('pg_class'::regclass, c.oid) NOT IN (SELECT * FROM extended)
    UNION ALL
    SELECT format('SEQUENCE %s', c.oid::regclass) FROM pg_class c JOIN ours o ON o.oid = c.relnamespace
    WHERE c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                                          AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e'))
    UNION ALL
    SELECT format('%s %s', CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, t.oid::regtype)
    FROM pg_type t JOIN ours o ON o.oid = t.typnamespace
    WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND EXISTS (SELECT FROM pg_class c
             WHERE c.oid = t.typrelid AND c.relkind = 'c')))
      AND ('pg_type'::regclass, t.oid) NOT IN (SELECT * FROM extended)
    UNION ALL
    SELECT format('ROUTINE %s', p.oid::regprocedure) FROM pg_proc p JOIN ours o ON o.oid = p.pronamespace
    WHERE ('pg_proc'::regclass, p.oid) NOT IN (SELECT * FROM extended)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                      AND d.deptype = 'i')
    UNION ALL
    SELECT format('STATISTICS %I.%I', o.nspname, s.stxname) FROM pg_statistic_ext s JOIN ours o ON o.oid = s.stxnamespace
  LOOP
    EXECUTE format('ALTER %s OWNER TO %I', it.what, {owner});
  END LOOP;
END
$give$)sql";

constexpr char kNotTheOwners[] = R"sql(
WITH ours AS (SELECT oid, nspname FROM pg_namespace
              WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'curlew') AND nspname NOT LIKE 'pg\_%')
SELECT COALESCE(string_agg(format('%s of %s', what, r.rolname), ', ' ORDER BY what), '') FROM (
  SELECT format('relation %s', c.oid::regclass), c.relowner FROM pg_class c JOIN ours o ON o.oid = c.relnamespace
  UNION ALL SELECT format('type %s', t.oid::regtype), t.typowner FROM pg_type t JOIN ours o ON o.oid = t.typnamespace
  UNION ALL SELECT format('routine %s', p.oid::regprocedure), p.proowner FROM pg_proc p
  JOIN ours o ON o.oid = p.pronamespace
  UNION ALL SELECT format('statistics %s', s.stxname), s.stxowner FROM pg_statistic_ext s
  JOIN ours o ON o.oid = s.stxnamespace
  UNION ALL SELECT format('schema %s', nspname), nspowner FROM pg_namespace WHERE oid IN (SELECT oid FROM ours)
) AS all_of_it (what, owner) JOIN pg_roles r ON r.oid = owner
WHERE r.rolname <> {owner} AND NOT r.rolsuper AND r.rolname <> 'pg_database_owner'
)sql";

// GRANT ... ON PARAMETER changes a row of the whole cluster, and fails ("tuple concurrently updated") where
// another test does so at the same time. Who begins like this waits instead, and lets others wait. Trying
// again would not do: the transaction that the SQL begins is broken then.
constexpr char kAlone[] = "BEGIN; LOCK TABLE pg_catalog.pg_parameter_acl IN SHARE ROW EXCLUSIVE MODE; ";

std::string With(const char* sql, const std::string& owner) {
  return absl::StrReplaceAll(sql, {{"{owner}", sql::Literal(owner)}});
}

absl::Status Run(const std::string& conninfo, const std::string& sql) {
  ASSIGN_OR_RETURN(const auto connection, pg::Connection::Connect({.conninfo = conninfo}));
  return connection->Execute(sql).status();
}

}  // namespace

AgentRole::AgentRole() : owner_(absl::StrCat("owner_", base::RandomId(12))) {
  options_.role = absl::StrCat("agent_", base::RandomId(12));
  options_.check_role = absl::StrCat("check_", base::RandomId(12));
  options_.owners = {owner_};
  options_.schemas = {"public"};
  const absl::Status made =
      Run(Cluster::Get().Conninfo("postgres"), absl::StrCat("CREATE ROLE ", owner_, " NOLOGIN"));
  if (!made.ok()) ADD_FAILURE() << made;
}

AgentRole::~AgentRole() {
  for (const std::string& role : {options_.role, options_.check_role, owner_}) {
    const std::string name = sql::Ident(role);
    const absl::Status dropped =
        Run(Cluster::Get().Conninfo("postgres"),
            absl::StrCat(kAlone,
                         "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = ", sql::Literal(role),
                         ") THEN DROP OWNED BY ", name, "; DROP ROLE ", name, "; END IF; END $$; COMMIT"));
    if (!dropped.ok()) ADD_FAILURE() << dropped;
  }
}

absl::Status AgentRole::GiveAway(const std::string& conninfo) const {
  return Run(conninfo, With(kGiveAway, owner_));
}

absl::Status AgentRole::SetUp(const std::string& conninfo) const {
  RETURN_IF_ERROR(GiveAway(conninfo));
  ASSIGN_OR_RETURN(const std::string sql, agent::BootstrapSql(options_));
  return Run(conninfo, absl::StrCat(kAlone, sql));
}

std::string AgentRole::NotTheOwners(const std::string& owner) { return With(kNotTheOwners, owner); }

}  // namespace curlew::testing
