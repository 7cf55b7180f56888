#include "agent/throttle_file.h"

#include <sys/statvfs.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/guard/signals.h"
#include "agent/yaml_mapping.h"
#include "common/base/status_macros.h"
#include "common/sql/query.h"

namespace curlew::agent {
namespace {

constexpr int kMostWorkers = 64;

class Reader {
 public:
  explicit Reader(const YamlFile& file) : file_(file) {}

  absl::StatusOr<ThrottleConfig> Read(const YAML::Node& root) {
    ThrottleConfig config;
    if (!root.IsDefined() || root.IsNull()) return config;
    RETURN_IF_ERROR(file_.ReadMapping(
        root, "the file",
        {{"limits", [&](const YAML::Node& node) { return ReadLimits(node, &config); }},
         {"checks", [&](const YAML::Node& node) { return ReadChecks(node, &config); }},
         {"disk_path", [&](const YAML::Node& node) { return ReadPath(node, &config.disk_path); }},
         {"max_workers", [&](const YAML::Node& node) { return ReadWorkers(node, &config.max_workers); }}}));
    return config;
  }

 private:
  absl::Status ReadLimits(const YAML::Node& node, ThrottleConfig* config) const {
    return file_.ReadMapping(
        node, "limits", {}, [&](const YAML::Node& key, const YAML::Node& value) -> absl::Status {
          const std::string& name = key.Scalar();
          if (!IsKnown(name)) {
            return file_.Error(key.Mark(),
                               absl::StrCat("there is no signal \"", name, "\"; known are ",
                                            absl::StrJoin(KnownSignals(), ", ",
                                                          [](std::string* out, const SignalKind& kind) {
                                                            out->append(std::string(kind.name));
                                                          })));
          }
          if (value.IsScalar() && value.Scalar() == "off") {
            config->limits[name] = -1;
            return absl::OkStatus();
          }
          return ReadLimit(value, name, ", or off", &config->limits[name]);
        });
  }

  absl::Status ReadLimit(const YAML::Node& node, absl::string_view name, absl::string_view otherwise,
                         double* limit) const {
    if (node.IsScalar() && absl::SimpleAtod(node.Scalar(), limit) && std::isfinite(*limit) && *limit > 0) {
      return absl::OkStatus();
    }
    return file_.Error(node.Mark(),
                       absl::StrCat("the limit of ", name, " has to be a number above 0", otherwise));
  }

  absl::Status ReadChecks(const YAML::Node& node, ThrottleConfig* config) const {
    if (!node.IsSequence())
      return file_.Error(node.Mark(), "checks has to be a list (lines of - name: NAME)");
    for (const YAML::Node& entry : node) {
      ThrottleCheck check;
      RETURN_IF_ERROR(file_.ReadMapping(
          entry, "a check",
          {{"name", [&](const YAML::Node& n) { return ReadName(n, config->checks, &check.name); }},
           {"sql", [&](const YAML::Node& n) { return ReadSql(n, &check.sql); }},
           {"limit", [&](const YAML::Node& n) { return ReadLimit(n, "a check", "", &check.limit); }},
           {"required", [&](const YAML::Node& n) { return ReadBool(n, &check.required); }}}));
      if (check.name.empty() || check.sql.empty() || check.limit <= 0) {
        return file_.Error(entry.Mark(), "a check needs name, sql and limit");
      }
      config->checks.push_back(std::move(check));
    }
    return absl::OkStatus();
  }

  absl::Status ReadName(const YAML::Node& node, const std::vector<ThrottleCheck>& others,
                        std::string* name) const {
    if (!node.IsScalar() || node.Scalar().empty() || node.Scalar().size() > 63 ||
        node.Scalar().find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos) {
      return file_.Error(
          node.Mark(),
          "a check's name is 1 to 63 lower-case letters, digits and underscores, with its unit at the "
          "end, such as queued_jobs or oldest_job_seconds");
    }
    *name = node.Scalar();
    if (IsKnown(*name)) {
      return file_.Error(node.Mark(), absl::StrCat("\"", *name,
                                                   "\" is a signal that the agent reads itself; give "
                                                   "the check another name"));
    }
    for (const ThrottleCheck& other : others) {
      if (other.name == *name) {
        return file_.Error(node.Mark(), absl::StrCat("two checks are named \"", *name, "\"; rename one"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadSql(const YAML::Node& node, std::string* sql) const {
    if (!node.IsScalar()) return file_.Error(node.Mark(), "sql has to be one SELECT");
    const absl::StatusOr<sql::Query> query = sql::ParseQuery(node.Scalar());
    if (!query.ok()) {
      return file_.Error(node.Mark(), absl::StrCat("sql has to be one SELECT: ", query.status().message()));
    }
    if (query->columns.has_value() && query->columns->size() != 1) {
      return file_.Error(node.Mark(), absl::StrCat("sql has to return one number; this returns ",
                                                   query->columns->size(), " columns"));
    }
    *sql = query->text;
    return absl::OkStatus();
  }

  absl::Status ReadBool(const YAML::Node& node, bool* value) const {
    if (node.IsScalar() && (node.Scalar() == "true" || node.Scalar() == "false")) {
      *value = node.Scalar() == "true";
      return absl::OkStatus();
    }
    return file_.Error(node.Mark(), "required is true or false");
  }

  absl::Status ReadPath(const YAML::Node& node, std::string* path) const {
    if (!node.IsScalar() || node.Scalar().empty() || node.Scalar().front() != '/') {
      return file_.Error(node.Mark(), "disk_path has to be an absolute path, such as /var/lib/postgresql");
    }
    struct statvfs disk = {};
    if (statvfs(node.Scalar().c_str(), &disk) != 0) {
      return file_.Error(node.Mark(),
                         absl::StrCat("disk_path ", node.Scalar(), ": ", std::strerror(errno),
                                      "; give a path on the file system of the database that the agent "
                                      "sees, or leave it out"));
    }
    *path = node.Scalar();
    return absl::OkStatus();
  }

  absl::Status ReadWorkers(const YAML::Node& node, int* workers) const {
    if (node.IsScalar() && absl::SimpleAtoi(node.Scalar(), workers) && *workers >= 1 &&
        *workers <= kMostWorkers) {
      return absl::OkStatus();
    }
    return file_.Error(node.Mark(), absl::StrCat("max_workers has to be 1 to ", kMostWorkers));
  }

  static bool IsKnown(absl::string_view name) {
    return std::any_of(KnownSignals().begin(), KnownSignals().end(),
                       [&](const SignalKind& kind) { return kind.name == name; });
  }

  const YamlFile& file_;
};

}  // namespace

absl::StatusOr<ThrottleConfig> ReadThrottle(absl::string_view text, absl::string_view file) {
  const YamlFile yaml(file);
  ThrottleConfig config;
  RETURN_IF_ERROR(yaml.Read(text, [&](const YAML::Node& root) -> absl::Status {
    ASSIGN_OR_RETURN(config, Reader(yaml).Read(root));
    return absl::OkStatus();
  }));
  return config;
}

absl::StatusOr<ThrottleConfig> ReadThrottleFile(const std::string& path) {
  std::string text;
  RETURN_IF_ERROR(ReadTextFile(path, &text));
  return ReadThrottle(text, path);
}

}  // namespace curlew::agent
