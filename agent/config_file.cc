#include "agent/config_file.h"

#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/yaml_mapping.h"
#include "common/base/status_macros.h"
#include "common/signing/signing_key.h"
#include "common/sql/query.h"

namespace curlew::agent {
namespace {

class Reader {
 public:
  explicit Reader(const YamlFile& file) : file_(file) {}

  absl::Status Read(const YAML::Node& root, AgentConfig* config) const {
    if (!root.IsDefined() || root.IsNull()) return absl::OkStatus();
    return file_.ReadMapping(
        root, "the file",
        {{"checks", [&](const YAML::Node& node) { return ReadChecks(node, &config->checks); }},
         {"check_role", [&](const YAML::Node& node) { return ReadRole(node, &config->check_role); }},
         {"backups", [&](const YAML::Node& node) { return ReadBackups(node, &config->backups); }},
         {"trust", [&](const YAML::Node& node) { return ReadTrust(node, &config->trust.emplace()); }}});
  }

 private:
  absl::Status ReadChecks(const YAML::Node& node, CheckConfigs* checks) const {
    return file_.ReadMapping(
        node, "checks", {}, [&](const YAML::Node& key, const YAML::Node& value) -> absl::Status {
          RETURN_IF_ERROR(CheckName(key, "check", "queue-short"));
          CheckConfig& check = (*checks)[key.Scalar()];
          RETURN_IF_ERROR(
              file_.ReadMapping(value, "a check",
                                {{"sql", [&](const YAML::Node& n) { return ReadSql(n, &check.sql); }},
                                 {"timeout", [&](const YAML::Node& n) {
                                    return ReadDuration(n, "timeout", absl::Minutes(10), &check.timeout);
                                  }}}));
          return check.sql.empty() ? file_.Error(value.Mark(), "a check needs sql") : absl::OkStatus();
        });
  }

  absl::Status ReadRole(const YAML::Node& node, std::string* role) const {
    if (!node.IsScalar() || node.Scalar().empty() || node.Scalar().size() > 63 || node.Scalar() == "none") {
      return file_.Error(node.Mark(), "check_role has to be the name of a role, such as curlew_check");
    }
    *role = node.Scalar();
    return absl::OkStatus();
  }

  absl::Status ReadTrust(const YAML::Node& node, Trust* trust) const {
    RETURN_IF_ERROR(file_.ReadMapping(
        node, "trust",
        {{"environment", [&](const YAML::Node& n) { return ReadEnvironment(n, &trust->environment); }},
         {"plan_keys", [&](const YAML::Node& n) { return ReadKeys(n, "plan_keys", &trust->plan_keys); }},
         {"approver_keys",
          [&](const YAML::Node& n) { return ReadKeys(n, "approver_keys", &trust->approver_keys); }},
         {"drop_approvals",
          [&](const YAML::Node& n) { return ReadNumber(n, "drop_approvals", &trust->drop_approvals); }}}));
    const absl::Status status = CheckTrust(*trust);
    return status.ok() ? status : file_.Error(node.Mark(), status.message());
  }

  absl::Status ReadEnvironment(const YAML::Node& node, std::string* environment) const {
    if (!node.IsScalar() || node.Scalar().empty() || node.Scalar().size() > 63 ||
        node.Scalar().find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
      return file_.Error(node.Mark(), "environment has to be the name of an environment, such as production");
    }
    *environment = node.Scalar();
    return absl::OkStatus();
  }

  absl::Status ReadKeys(const YAML::Node& node, absl::string_view where, TrustedKeys* keys) const {
    return file_.ReadMapping(
        node, where, {}, [&](const YAML::Node& name, const YAML::Node& value) -> absl::Status {
          RETURN_IF_ERROR(CheckName(name, "key", "alice"));
          auto key = signing::PublicKey::FromText(value.IsScalar() ? value.Scalar() : "");
          if (!key.ok()) {
            return file_.Error(value.Mark(), absl::StrCat(name.Scalar(), ": ", key.status().message(),
                                                          ", as `curlew key show` prints it"));
          }
          keys->emplace(name.Scalar(), *std::move(key));
          return absl::OkStatus();
        });
  }

  absl::Status ReadNumber(const YAML::Node& node, absl::string_view name, int* value) const {
    if (node.IsScalar() && absl::SimpleAtoi(node.Scalar(), value) && *value >= 0) return absl::OkStatus();
    return file_.Error(node.Mark(), absl::StrCat(name, " has to be a number, such as 1"));
  }

  absl::Status ReadBackups(const YAML::Node& node, BackupConfig* backups) const {
    return file_.ReadMapping(
        node, "backups",
        {{"directory",
          [&](const YAML::Node& n) {
            return ReadPath(n, "directory", "/var/backups/curlew", &backups->directory);
          }},
         {"pg_dump",
          [&](const YAML::Node& n) -> absl::Status {
            RETURN_IF_ERROR(ReadPath(n, "pg_dump", "/usr/lib/postgresql/15/bin/pg_dump", &backups->pg_dump));
            return CheckProgram(n, backups->pg_dump);
          }},
         {"data_directory",
          [&](const YAML::Node& n) -> absl::Status {
            RETURN_IF_ERROR(
                ReadPath(n, "data_directory", "/var/lib/postgresql/15/main", &backups->data_directory));
            struct stat folder = {};
            if (stat(backups->data_directory.c_str(), &folder) == 0) return absl::OkStatus();
            return file_.Error(
                n.Mark(), absl::StrCat("data_directory ", backups->data_directory, ": ", std::strerror(errno),
                                       "; give a path on the file system of the database that the agent "
                                       "sees, or leave it out"));
          }},
         {"commands", [&](const YAML::Node& n) { return ReadCommands(n, &backups->commands); }}});
  }

  absl::Status ReadCommands(const YAML::Node& node,
                            std::map<std::string, BackupCommandConfig>* commands) const {
    return file_.ReadMapping(
        node, "commands", {}, [&](const YAML::Node& key, const YAML::Node& value) -> absl::Status {
          RETURN_IF_ERROR(CheckName(key, "command", "snapshot"));
          for (const char* kind : {"dump", "restore-point", "archive"}) {
            if (key.Scalar() != kind) continue;
            return file_.Error(key.Mark(), absl::StrCat("\"", kind,
                                                        "\" is a kind of backup that the agent makes itself; "
                                                        "give the command another name"));
          }
          BackupCommandConfig& command = (*commands)[key.Scalar()];
          RETURN_IF_ERROR(file_.ReadMapping(
              value, "a command",
              {{"argv", [&](const YAML::Node& n) { return ReadArgv(n, &command.argv); }},
               {"timeout",
                [&](const YAML::Node& n) {
                  return ReadDuration(n, "timeout", absl::Hours(24 * 7), &command.timeout);
                }},
               {"connection", [&](const YAML::Node& n) { return ReadBool(n, &command.connection); }}}));
          return command.argv.empty() ? file_.Error(value.Mark(), "a command needs argv") : absl::OkStatus();
        });
  }

  absl::Status CheckName(const YAML::Node& key, absl::string_view what, absl::string_view example) const {
    const std::string& name = key.Scalar();
    if (!name.empty() && name.size() <= 63 &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos) {
      return absl::OkStatus();
    }
    return file_.Error(
        key.Mark(),
        absl::StrCat("a ", what, "'s name is 1 to 63 lower-case letters, digits and dashes, such as ",
                     example));
  }

  absl::Status ReadSql(const YAML::Node& node, std::string* sql) const {
    if (!node.IsScalar()) return file_.Error(node.Mark(), "sql has to be one SELECT");
    const absl::StatusOr<sql::Query> query = sql::ParseQuery(node.Scalar());
    if (!query.ok()) {
      return file_.Error(node.Mark(), absl::StrCat("sql has to be one SELECT: ", query.status().message()));
    }
    if (query->columns.has_value() && (query->columns->empty() || query->columns->size() > 2)) {
      return file_.Error(node.Mark(),
                         absl::StrCat("sql has to return one boolean, and may return one text besides; this "
                                      "returns ",
                                      query->columns->size(), " columns"));
    }
    *sql = query->text;
    return absl::OkStatus();
  }

  absl::Status ReadDuration(const YAML::Node& node, absl::string_view name, absl::Duration most,
                            absl::Duration* value) const {
    if (node.IsScalar() && absl::ParseDuration(node.Scalar(), value) && *value >= absl::Milliseconds(1) &&
        *value <= most) {
      return absl::OkStatus();
    }
    return file_.Error(node.Mark(), absl::StrCat(name, " has to be a duration up to ",
                                                 absl::FormatDuration(most), ", such as 500ms, 10s or 2m"));
  }

  absl::Status ReadBool(const YAML::Node& node, bool* value) const {
    if (node.IsScalar() && (node.Scalar() == "true" || node.Scalar() == "false")) {
      *value = node.Scalar() == "true";
      return absl::OkStatus();
    }
    return file_.Error(node.Mark(), "connection is true or false");
  }

  absl::Status ReadPath(const YAML::Node& node, absl::string_view name, absl::string_view example,
                        std::string* path) const {
    if (!node.IsScalar() || node.Scalar().empty() || node.Scalar().front() != '/') {
      return file_.Error(node.Mark(), absl::StrCat(name, " has to be an absolute path, such as ", example));
    }
    *path = node.Scalar();
    while (path->size() > 1 && path->back() == '/') path->pop_back();
    return absl::OkStatus();
  }

  absl::Status CheckProgram(const YAML::Node& node, const std::string& path) const {
    struct stat file = {};
    if (stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) && access(path.c_str(), X_OK) == 0)
      return absl::OkStatus();
    return file_.Error(node.Mark(), absl::StrCat(path, " is no program that the agent's user may run"));
  }

  absl::Status ReadArgv(const YAML::Node& node, std::vector<std::string>* argv) const {
    const char kWhat[] =
        "argv has to be a list: the program's absolute path, then its arguments; no shell reads it, such as "
        "[/usr/local/bin/snapshot, --wait]";
    if (!node.IsSequence() || node.size() == 0) return file_.Error(node.Mark(), kWhat);
    for (const YAML::Node& word : node) {
      if (!word.IsScalar()) return file_.Error(word.Mark(), kWhat);
      argv->push_back(word.Scalar());
    }
    if (argv->front().empty() || argv->front().front() != '/') return file_.Error(node[0].Mark(), kWhat);
    return CheckProgram(node[0], argv->front());
  }

  const YamlFile& file_;
};

}  // namespace

absl::StatusOr<AgentConfig> ReadConfig(absl::string_view text, absl::string_view file) {
  const YamlFile yaml(file);
  AgentConfig config;
  RETURN_IF_ERROR(yaml.Read(text, [&](const YAML::Node& root) { return Reader(yaml).Read(root, &config); }));
  return config;
}

absl::StatusOr<AgentConfig> ReadConfigFile(const std::string& path) {
  std::string text;
  RETURN_IF_ERROR(ReadTextFile(path, &text));
  return ReadConfig(text, path);
}

}  // namespace curlew::agent
