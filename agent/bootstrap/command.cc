#include "agent/bootstrap/command.h"

#include <CLI/CLI.hpp>
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include "agent/bootstrap/bootstrap_sql.h"

namespace curlew::agent {
namespace {

constexpr char kFooter[] = R"(
Examples:
  # Read it, then run it as a superuser in the agent's database.
  curlew-agent bootstrap-sql --owner app_owner --schema public > role.sql
  psql --set=ON_ERROR_STOP=1 --dbname=crm --file=role.sql

  # With a role for checks, for one database alone, in which plans may create extensions.
  curlew-agent bootstrap-sql --database crm --owner app_owner --schema app --check-role curlew_check
    --also extensions

What each right is for: docs/least-privilege.md
)";

}  // namespace

bool IsBootstrapSql(int argc, const char* const* argv) {
  return argc > 1 && std::strcmp(argv[1], kBootstrapSql) == 0;
}

int RunBootstrapSql(int argc, const char* const* argv, std::ostream& out, std::ostream& error) {
  CLI::App app("Prints the SQL that makes the agent's role, with the rights that it needs and no more.");
  app.name("curlew-agent bootstrap-sql");
  app.footer(kFooter);
  BootstrapOptions options;
  std::vector<std::string> extras;
  app.add_option("--role", options.role, "The agent's role")->type_name("NAME")->capture_default_str();
  app.add_option("--database", options.database, "Refuse to be run in another database")->type_name("NAME");
  app.add_option("--owner", options.owners, "A role that owns tables which plans change; several times")
      ->type_name("NAME");
  app.add_option("--schema", options.schemas, "A schema of such tables; several times")->type_name("NAME");
  app.add_option("--check-role", options.check_role, "The role of checks and throttle queries")
      ->type_name("NAME");
  app.add_flag("--bypass-rls", options.bypass_row_security,
               "For tables with FORCE ROW LEVEL SECURITY: policies hide no row from the agent");
  app.add_option(
         "--also", extras,
         "What few plans need: extensions, restore-points, skip-user-triggers, end-sessions; several times")
      ->type_name("WHAT");
  try {
    app.parse(argc - 1, argv + 1);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem, out, error) == 0 ? 0 : 2;
  }
  for (const std::string& name : extras) {
    const absl::StatusOr<ExtraGrant> extra = ParseExtraGrant(name);
    if (!extra.ok()) {
      error << "curlew-agent bootstrap-sql: --also: " << std::string(extra.status().message()) << "\n";
      return 2;
    }
    options.extras.insert(*extra);
  }
  const absl::StatusOr<std::string> sql = BootstrapSql(options);
  if (!sql.ok()) {
    error << "curlew-agent bootstrap-sql: " << std::string(sql.status().message()) << "\n";
    return 2;
  }
  out << *sql;
  return 0;
}

}  // namespace curlew::agent
