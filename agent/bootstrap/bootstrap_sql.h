// The SQL by which a database's administrator makes the agent's role.
#ifndef CURLEW_AGENT_BOOTSTRAP_BOOTSTRAP_SQL_H_
#define CURLEW_AGENT_BOOTSTRAP_BOOTSTRAP_SQL_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace curlew::agent {

// What few plans need, and so is granted only where it is asked for.
enum class ExtraGrant {
  kExtensions,        // "extensions": create_extension; CREATE on the database
  kRestorePoints,     // "restore-points": backup.restore_point
  kSkipUserTriggers,  // "skip-user-triggers": settings.backfill.skip_user_triggers
  kEndSessions,       // "end-sessions": to end an agent that connected as another role
};

// A value. Names are as the catalogue has them, not quoted.
struct BootstrapOptions {
  // The agent's role.
  std::string role = "curlew";
  // The database that the SQL refuses to be run outside of; "" for wherever it is run.
  std::string database;
  // Owners of the tables that plans may change.
  std::vector<std::string> owners;
  // Schemas of those tables, in which the owners are given the right to make things; where none is given,
  // they are taken to have it.
  std::vector<std::string> schemas;
  // The role under which checks and throttle queries run; "" for none.
  std::string check_role;
  // Whether policies do not hide rows from the role: for tables with FORCE ROW LEVEL SECURITY.
  bool bypass_row_security = false;
  std::set<ExtraGrant> extras;
};

// By name. INVALID_ARGUMENT with the names that there are.
absl::StatusOr<ExtraGrant> ParseExtraGrant(const std::string& name);

// One transaction, to be read by a person and run by psql as a superuser; run again, it changes nothing. It
// makes roles without a password, and refuses (RAISE EXCEPTION, with what to do) to run in another database,
// to hand out a superuser's rights, or to use a role that has them. INVALID_ARGUMENT for names that cannot be
// roles or schemas, or that stand for the same role. Pure.
absl::StatusOr<std::string> BootstrapSql(const BootstrapOptions& options);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BOOTSTRAP_BOOTSTRAP_SQL_H_
