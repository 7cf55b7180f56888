#include "agent/flags.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/config_file.h"
#include "agent/throttle_file.h"
#include "common/base/version.h"
#include "common/rpc/transport_flags.h"

namespace curlew::agent {
namespace {

constexpr char kFooter[] = R"(
Examples:
  # To try it, beside a controller that was started with --insecure; the password comes from ~/.pgpass.
  curlew-agent --insecure --target staging-crm='host=db1 dbname=crm user=curlew'

  # With certificates. The connection string comes from the environment: no process list shows it.
  export CURLEW_TARGET_STAGING_CRM='postgresql://curlew:secret@db1/crm'
  curlew-agent --controller curlew.example.org:7441 --target staging-crm
    --tls-cert pki/staging-crm/tls.crt --tls-key pki/staging-crm/tls.key --tls-ca pki/staging-crm/ca.crt

  # Limits of the throttle, and a check of one's own (see docs/throttle.md); metrics for Prometheus.
  curlew-agent --target staging-crm --throttle throttle.yaml --metrics 127.0.0.1:9187

  # throttle.yaml
  limits:
    replica_lag_ms: 500
    archive_backlog: off
  checks:
    - name: queued_jobs
      sql: SELECT count(*) FROM jobs WHERE state = 'queued'
      limit: 1000
      required: true
  disk_path: /var/lib/postgresql
  max_workers: 4

  # Checks that gates may name, and what backups are made with (see docs/backups.md).
  curlew-agent --target staging-crm --config agent.yaml

  # agent.yaml
  checks:
    queue-short:
      sql: SELECT count(*) < 1000, count(*)::text FROM public.jobs
      timeout: 5s
  check_role: curlew_check
  backups:
    directory: /var/backups/curlew
    data_directory: /var/lib/postgresql/15/main
    commands:
      snapshot:
        argv: [/usr/local/bin/snapshot, --wait]
        timeout: 30m
  # Then plans are run only where these people have signed them (see docs/signed-plans.md).
  trust:
    environment: staging
    plan_keys: {alice: KEY}
    approver_keys: {bob: KEY}

  # The SQL that makes the agent's role, with the rights that it needs and no more.
  curlew-agent bootstrap-sql --owner app_owner --schema public > role.sql

  # One of several controllers behind one name; the agent goes to the one that leads.
  curlew-agent --controller dns:///curlew.example.org:7441 --target staging-crm --tls-cert ...

The role needs no superuser's rights (see `curlew-agent bootstrap-sql --help`, and
docs/least-privilege.md). The agent needs a direct connection: poolers are refused.

On SIGTERM the agent stops at the next batch, says goodbye and exits with 0; a second one ends it
at once. What was begun goes on where it stopped when an agent is there again.
)";

std::string VariableName(const std::string& target) {
  std::string name = "CURLEW_TARGET_";
  for (char c : target) {
    name += absl::ascii_isalnum(static_cast<unsigned char>(c))
                ? absl::ascii_toupper(static_cast<unsigned char>(c))
                : '_';
  }
  return name;
}

// "10s", "500ms", "0".
struct DurationFlag {
  absl::Duration* value;
  void operator()(const std::string& text) const {
    if (!absl::ParseDuration(text, value) || *value < absl::ZeroDuration()) {
      throw CLI::ValidationError(absl::StrCat("\"", text, "\" is no duration, such as 10s, 500ms or 0"));
    }
  }
};

void AddDuration(CLI::App& app, const std::string& name, absl::Duration* value, const std::string& help) {
  app.add_option_function<std::string>(name, DurationFlag{value}, help)
      ->type_name("DURATION")
      ->default_str(*value == absl::InfiniteDuration() ? "never" : absl::FormatDuration(*value));
}

}  // namespace

std::string HostName() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

absl::StatusOr<TargetFlag> ParseTarget(const std::string& text, const Getenv& getenv) {
  const size_t equals = text.find('=');
  TargetFlag target{.name = text.substr(0, equals)};
  if (target.name.empty() ||
      target.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
    return absl::InvalidArgumentError(
        "--target: write NAME=CONNINFO, or NAME; a name is lower-case letters, digits and dashes, such as "
        "staging-crm");
  }
  if (equals != std::string::npos) {
    target.conninfo = text.substr(equals + 1);
  } else if (const char* conninfo = getenv(VariableName(target.name).c_str()); conninfo != nullptr) {
    target.conninfo = conninfo;
  }
  if (!target.conninfo.empty()) return target;
  return absl::InvalidArgumentError(absl::StrCat("--target ", target.name,
                                                 ": no connection string: write --target ", target.name,
                                                 "=CONNINFO, or set ", VariableName(target.name)));
}

std::optional<Flags> ParseFlags(int argc, const char* const* argv, int* exit_code) {
  Flags flags;
  std::vector<std::string> targets;
  std::string throttle, config_file;
  bool report_row_keys = false;
  CLI::App app("Executes the steps of Curlew's migrations on PostgreSQL databases.", "curlew-agent");
  app.set_version_flag("--version", absl::StrCat("curlew-agent ", base::OwnVersion()));
  app.footer(kFooter);
  app.add_option("--controller", flags.controller,
                 "Address of the controller; of several, with commas between, the one that leads is found")
      ->type_name("HOST:PORT[,HOST:PORT...]")
      ->capture_default_str();
  app.add_option(
         "--id", flags.id,
         "Who this agent is: the same after a restart; by default the agent that its certificate names, "
         "else the name of this machine")
      ->type_name("NAME");
  app.add_option("--target", targets, "A database to serve; may be given several times")
      ->type_name("NAME=CONNINFO|NAME")
      ->required()
      ->take_all()
      ->allow_extra_args(false);
  app.add_option("--pool-size", flags.pool.size, "Connections kept for each database")
      ->check(CLI::Range(2, 100))
      ->capture_default_str();
  app.add_option("--pool-overflow", flags.pool.max_overflow, "Connections above that at busy times")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  AddDuration(app, "--pool-recycle", &flags.pool.recycle, "Age at which a connection is replaced");
  app.add_option("--pool-pre-ping", flags.pool.pre_ping, "Whether a connection is tried before it is used")
      ->capture_default_str();
  AddDuration(app, "--pool-timeout", &flags.pool.acquire_timeout, "How long to wait for a free connection");
  AddDuration(app, "--connect-timeout", &flags.pool.connect.connect_timeout,
              "How long making a connection may take");
  AddDuration(app, "--statement-timeout", &flags.pool.connect.statement_timeout,
              "statement_timeout of the agent's own small queries; steps set theirs; 0 for none");
  app.add_flag("--report-row-keys", report_row_keys,
               "Let errors name rows by their keys, with what PostgreSQL said about them; else they stay in "
               "the database");
  app.add_option("--throttle", throttle,
                 "YAML file: when backfills go slower or pause, for the signals of the database")
      ->type_name("FILE");
  app.add_option("--config", config_file,
                 "YAML file: checks and backup commands that rollouts may name, where dumps go, and whose "
                 "signed plans alone are run")
      ->type_name("FILE");
  rpc::AddTransportFlags(&app, rpc::Side::kClient, &flags.transport);
  app.add_option("--metrics", flags.metrics, "Where to serve /metrics and /healthz; not at all without it")
      ->type_name("HOST:PORT");
  app.add_option("--log-level", flags.log_level, "Least level of the log")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_option("--log-format", flags.log_format, "Form of the log: text or json")
      ->transform(CLI::CheckedTransformer(std::map<std::string, base::LogFormat>{
          {"text", base::LogFormat::kText}, {"json", base::LogFormat::kJson}}))
      ->default_str("text");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    *exit_code = app.exit(error);
    return std::nullopt;
  }
  if (report_row_keys) flags.row_keys = RowKeys::kReport;
  std::set<std::string> names;
  for (const std::string& text : targets) {
    absl::StatusOr<TargetFlag> target =
        ParseTarget(text, [](const char* name) -> const char* { return std::getenv(name); });
    if (target.ok() && !names.insert(target->name).second) {
      target = absl::InvalidArgumentError(absl::StrCat("--target ", target->name, " is given twice"));
    }
    if (!target.ok()) {
      std::cerr << "curlew-agent: " << std::string(target.status().message()) << "\n";
      *exit_code = 2;
      return std::nullopt;
    }
    flags.targets.push_back(*std::move(target));
  }
  if (!throttle.empty()) {
    absl::StatusOr<ThrottleConfig> config = ReadThrottleFile(throttle);
    if (!config.ok()) {
      std::cerr << "curlew-agent: --throttle: " << std::string(config.status().message()) << "\n";
      *exit_code = 2;
      return std::nullopt;
    }
    flags.throttle = *std::move(config);
  }
  if (!config_file.empty()) {
    absl::StatusOr<AgentConfig> config = ReadConfigFile(config_file);
    if (!config.ok()) {
      std::cerr << "curlew-agent: --config: " << std::string(config.status().message()) << "\n";
      *exit_code = 2;
      return std::nullopt;
    }
    flags.config = *std::move(config);
  }
  *exit_code = 0;
  return flags;
}

}  // namespace curlew::agent
