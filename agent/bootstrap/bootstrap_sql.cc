#include "agent/bootstrap/bootstrap_sql.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

using sql::Ident;
using sql::Literal;

constexpr std::pair<const char*, ExtraGrant> kExtras[] = {
    {"extensions", ExtraGrant::kExtensions},
    {"restore-points", ExtraGrant::kRestorePoints},
    {"skip-user-triggers", ExtraGrant::kSkipUserTriggers},
    {"end-sessions", ExtraGrant::kEndSessions},
};

absl::Status CheckName(const std::string& name, const char* what) {
  if (name.empty() || name.size() > 63 || name.find('\0') != std::string::npos ||
      base::FindInvalidUtf8(name) != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(what, " has to be a name of 1 to 63 bytes in UTF-8"));
  }
  return absl::OkStatus();
}

absl::Status CheckRole(const std::string& name, const char* what) {
  RETURN_IF_ERROR(CheckName(name, what));
  // The server keeps these for itself.
  if (absl::StartsWith(name, "pg_") || name == "public" || name == "none") {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": PostgreSQL keeps the name ", name, " for itself"));
  }
  return absl::OkStatus();
}

absl::Status Check(const BootstrapOptions& options) {
  RETURN_IF_ERROR(CheckRole(options.role, "--role"));
  if (!options.database.empty()) RETURN_IF_ERROR(CheckName(options.database, "--database"));
  if (!options.check_role.empty()) RETURN_IF_ERROR(CheckRole(options.check_role, "--check-role"));
  for (const std::string& owner : options.owners) RETURN_IF_ERROR(CheckRole(owner, "--owner"));
  for (const std::string& schema : options.schemas) {
    RETURN_IF_ERROR(CheckName(schema, "--schema"));
    if (absl::StartsWith(schema, "pg_") || schema == "information_schema" || schema == "curlew") {
      return absl::InvalidArgumentError(
          absl::StrCat("--schema ", schema, ": name a schema of the application's tables"));
    }
  }
  const auto is_owner = [&](const std::string& role) {
    return std::find(options.owners.begin(), options.owners.end(), role) != options.owners.end();
  };
  if (is_owner(options.role)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--owner ", options.role, ": the agent's role is another one than that of the tables' owner"));
  }
  if (!options.check_role.empty() && (options.check_role == options.role || is_owner(options.check_role))) {
    return absl::InvalidArgumentError(
        absl::StrCat("--check-role ", options.check_role,
                     ": it is to have fewer rights than the agent and the tables' owners: give it a name of "
                     "its own"));
  }
  return absl::OkStatus();
}

// A dollar-quoted string, whatever `body` holds.
std::string Dollar(const std::string& body) {
  std::string tag = "$curlew$";
  while (absl::StrContains(body, tag)) tag.insert(tag.size() - 1, "_");
  return absl::StrCat(tag, body, tag);
}

std::string Do(const std::string& body) {
  return absl::StrCat("DO ", Dollar(absl::StrCat("\n", body)), ";\n");
}

// A format string of RAISE that says `text` as it is.
std::string Said(const std::string& text) { return Literal(absl::StrReplaceAll(text, {{"%", "%%"}})); }

std::string Refuse(const std::string& condition, const std::string& message, const std::string& hint) {
  return absl::StrCat("  IF ", condition, " THEN\n    RAISE EXCEPTION ", Said(message),
                      "\n      USING HINT = ", Literal(hint), ";\n  END IF;\n");
}

std::string Roles(const std::string& role) {
  return absl::StrCat("SELECT FROM pg_catalog.pg_roles WHERE rolname = ", Literal(role));
}

class Writer {
 public:
  explicit Writer(const BootstrapOptions& options) : o_(options), role_(Ident(options.role)) {}

  std::string Write() {
    Head();
    Checks();
    MakeRoles();
    Owners();
    Schemas();
    Server();
    Journal();
    CheckRole();
    Extras();
    Say("COMMIT;\n");
    return out_;
  }

 private:
  void Say(const std::string& text) { absl::StrAppend(&out_, text); }
  void Part(const std::string& comment) {
    // A name may hold a line break.
    Say(absl::StrCat("\n-- ", absl::StrReplaceAll(comment, {{"\n", " "}, {"\r", " "}}), "\n"));
  }
  std::string AllOwners() const {
    return absl::StrJoin(o_.owners, ", ",
                         [](std::string* out, const std::string& owner) { out->append(Ident(owner)); });
  }

  void Head() {
    Say("-- The role of a Curlew agent, with the rights that it needs and no more "
        "(docs/least-privilege.md).\n"
        "-- Read it, then run it as a superuser, in each database that the agent serves:\n"
        "--   psql --set=ON_ERROR_STOP=1 --dbname=DATABASE --file=THIS_FILE\n"
        "-- It may be run again. It sets no password: psql's \\password does, unless the role logs in by a\n"
        "-- certificate, or by the name of the operating system's user.\n"
        "BEGIN;\n");
  }

  void Checks() {
    std::string body = "BEGIN\n";
    absl::StrAppend(&body, Refuse("current_setting('server_version_num')::integer < 130000",
                                  "Curlew needs PostgreSQL 13 or newer", "Upgrade the server."));
    if (!o_.database.empty()) {
      absl::StrAppend(&body, Refuse(absl::StrCat("current_database() <> ", Literal(o_.database)),
                                    absl::StrCat("this was written for database ", o_.database),
                                    "Connect to that one, or write it anew with --database."));
    }
    for (const std::string& owner : o_.owners) {
      absl::StrAppend(&body,
                      Refuse(absl::StrCat("NOT EXISTS (", Roles(owner), ")"),
                             absl::StrCat("role ", owner, ", which is to own the tables, does not exist"),
                             "Make it first, or correct --owner."),
                      Refuse(absl::StrCat("EXISTS (", Roles(owner), " AND rolsuper)"),
                             absl::StrCat("role ", owner, " is a superuser: its rights are not handed on"),
                             "Give the tables to a role that is none: ALTER TABLE ... OWNER TO ..."));
    }
    for (const std::string& schema : o_.schemas) {
      absl::StrAppend(&body, Refuse(absl::StrCat("to_regnamespace(", Literal(Ident(schema)), ") IS NULL"),
                                    absl::StrCat("schema ", schema, " does not exist"),
                                    "Make it first, or correct --schema."));
    }
    absl::StrAppend(&body, RefuseMighty(o_.role));
    if (!o_.check_role.empty()) absl::StrAppend(&body, RefuseMighty(o_.check_role));
    Part("Nothing is done where something is amiss.");
    Say(Do(absl::StrCat(body, "END\n")));
  }

  // An existing role that may do anything is not made weaker: somebody else may need it.
  static std::string RefuseMighty(const std::string& role) {
    return Refuse(
        absl::StrCat("EXISTS (", Roles(role),
                     " AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication))"),
        absl::StrCat("role ", role,
                     " exists, and is a superuser, or may make roles or databases, or replicate"),
        "Choose another name, or take that right away: ALTER ROLE ... NOSUPERUSER NOCREATEROLE NOCREATEDB "
        "NOREPLICATION.");
  }

  std::string MakeRole(const std::string& role, const char* attributes) const {
    return Do(absl::StrCat("BEGIN\n  IF NOT EXISTS (", Roles(role), ") THEN\n    CREATE ROLE ", Ident(role),
                           " ", attributes, ";\n  END IF;\nEND\n"));
  }

  void MakeRoles() {
    Part("The role itself. INHERIT: it looks at tables, and verifies them, by the rights of their owners.");
    Say(MakeRole(o_.role, "LOGIN INHERIT"));
    Say(absl::StrCat("ALTER ROLE ", role_, " INHERIT;\n"));
    if (o_.bypass_row_security) {
      Part("Policies hide no row from it, also where a table forces them on its owner (--bypass-rls).");
      Say(absl::StrCat("ALTER ROLE ", role_, " BYPASSRLS;\n"));
    }
    Say(Do(absl::StrCat("BEGIN\n  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), ",
                        Literal(o_.role), ");\nEND\n")));
  }

  void Owners() {
    if (o_.owners.empty()) {
      Part("No --owner was given: the agent may change no table yet. GRANT <owner of the tables> TO " +
           role_ + ";");
      return;
    }
    Part(
        "The tables are changed as their owner would (SET LOCAL ROLE), so that what is made is the owner's.");
    for (const std::string& owner : o_.owners)
      Say(absl::StrCat("GRANT ", Ident(owner), " TO ", role_, ";\n"));
  }

  void Schemas() {
    if (o_.schemas.empty()) return;
    Part("Where the tables are: an index needs CREATE on its schema.");
    const std::string to = o_.owners.empty() ? role_ : AllOwners();
    for (const std::string& schema : o_.schemas) {
      Say(absl::StrCat("GRANT USAGE, CREATE ON SCHEMA ", Ident(schema), " TO ", to, ";\n"));
    }
  }

  void Server() {
    Part("It sees what other sessions do: whom it would wait for, how far standbys are behind.");
    Say(absl::StrCat("GRANT pg_monitor TO ", role_, ";\n"));
    Part("It may have an autovacuum that stands in its way cancelled soon (from PostgreSQL 15 on).");
    Say(Parameter("deadlock_timeout", "DDL that an autovacuum stands in the way of takes a try of 1.2 s"));
  }

  // GRANT SET ON PARAMETER, which managed services may not allow.
  std::string Parameter(const std::string& name, const std::string& otherwise) const {
    return Do(absl::StrCat(
        "BEGIN\n  IF current_setting('server_version_num')::integer >= 150000 THEN\n"
        "    EXECUTE format('GRANT SET ON PARAMETER ",
        name, " TO %I', ", Literal(o_.role),
        ");\n  END IF;\nEXCEPTION WHEN insufficient_privilege THEN\n  RAISE WARNING ",
        Said(absl::StrCat("the right to set ", name, " cannot be granted here: ", otherwise)), ";\nEND\n"));
  }

  void Journal() {
    Part(
        "Schema curlew, for the journal and the triggers' functions, is the agent's own; so it needs no "
        "right "
        "to make schemas. What an agent of another role has left there comes with it.");
    Say(Do(absl::StrCat(
        "DECLARE\n  found record;\nBEGIN\n"
        "  IF to_regnamespace('curlew') IS NULL THEN\n    CREATE SCHEMA curlew;\n  END IF;\n"
        "  EXECUTE format('ALTER SCHEMA curlew OWNER TO %I', ",
        Literal(o_.role),
        ");\n"
        "  FOR found IN SELECT c.oid::pg_catalog.regclass AS name FROM pg_catalog.pg_class AS c\n"
        "      WHERE c.relnamespace = 'curlew'::pg_catalog.regnamespace AND (c.relkind = 'r' OR c.relkind = "
        "'S'\n"
        "        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.objid = c.oid\n"
        "          AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i'))) "
        "LOOP\n"
        "    EXECUTE format('ALTER TABLE %s OWNER TO %I', found.name, ",
        Literal(o_.role),
        ");\n  END LOOP;\n"
        "  FOR found IN SELECT p.oid::pg_catalog.regprocedure AS name FROM pg_catalog.pg_proc AS p\n"
        "      WHERE p.pronamespace = 'curlew'::pg_catalog.regnamespace LOOP\n"
        "    EXECUTE format('ALTER FUNCTION %s OWNER TO %I', found.name, ",
        Literal(o_.role), ");\n  END LOOP;\nEND\n")));
  }

  void CheckRole() {
    if (o_.check_role.empty()) return;
    const std::string role = Ident(o_.check_role);
    Part(
        "The role of checks and throttle queries (check_role in agent.yaml). It may read nothing yet: GRANT "
        "SELECT ON the tables that they ask, and pg_read_all_stats where they look at statistics, TO " +
        role + ";");
    Say(MakeRole(o_.check_role, "NOLOGIN NOINHERIT"));
    Say(absl::StrCat("GRANT ", role, " TO ", role_, ";\n"));
    for (const std::string& schema : o_.schemas) {
      Say(absl::StrCat("GRANT USAGE ON SCHEMA ", Ident(schema), " TO ", role, ";\n"));
    }
  }

  void Extras() {
    for (const ExtraGrant extra : o_.extras) {
      switch (extra) {
        case ExtraGrant::kExtensions:
          Part("create_extension, of trusted extensions; others are a superuser's (--also extensions).");
          Say(Do(absl::StrCat(
              "BEGIN\n  EXECUTE format('GRANT CREATE ON DATABASE %I TO %I', current_database(), ",
              Literal(o_.role), ");\nEND\n")));
          break;
        case ExtraGrant::kRestorePoints:
          Part("backup.restore_point (--also restore-points).");
          Say(absl::StrCat("GRANT EXECUTE ON FUNCTION pg_catalog.pg_create_restore_point(text) TO ", role_,
                           ";\n"));
          break;
        case ExtraGrant::kSkipUserTriggers:
          Part(
              "settings.backfill.skip_user_triggers (--also skip-user-triggers); with it the role can pass "
              "by "
              "triggers and foreign keys.");
          Say(Parameter("session_replication_role", "skip_user_triggers cannot be used"));
          break;
        case ExtraGrant::kEndSessions:
          Part(
              "Takes over from an agent that connected as another role, where roles are made anew for each "
              "login (--also end-sessions); with it the role can end any session but a superuser's.");
          Say(absl::StrCat("GRANT pg_signal_backend TO ", role_, ";\n"));
          break;
      }
    }
    Say("\n");
  }

  const BootstrapOptions& o_;
  const std::string role_;
  std::string out_;
};

}  // namespace

absl::StatusOr<ExtraGrant> ParseExtraGrant(const std::string& name) {
  std::string names;
  for (const auto& [known, extra] : kExtras) {
    if (name == known) return extra;
    absl::StrAppend(&names, names.empty() ? "" : ", ", known);
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no \"", name, "\"; there is ", names));
}

absl::StatusOr<std::string> BootstrapSql(const BootstrapOptions& options) {
  RETURN_IF_ERROR(Check(options));
  return Writer(options).Write();
}

}  // namespace curlew::agent
