// Reading the agent's YAML files: mappings with known keys, and errors that name the place.
#ifndef CURLEW_AGENT_YAML_MAPPING_H_
#define CURLEW_AGENT_YAML_MAPPING_H_

#include <yaml-cpp/yaml.h>

#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace curlew::agent {

// Reads one file. Not thread-safe.
class YamlFile {
 public:
  using Fields = std::map<std::string, std::function<absl::Status(const YAML::Node&)>>;
  using Other = std::function<absl::Status(const YAML::Node& key, const YAML::Node& value)>;

  // `name` is only for messages.
  explicit YamlFile(absl::string_view name) : name_(name) {}

  // Calls `read` with what the one document of `text` holds; with an undefined node where there is none.
  // INVALID_ARGUMENT for what is no YAML, or several documents.
  absl::Status Read(absl::string_view text, const std::function<absl::Status(const YAML::Node&)>& read) const;

  // INVALID_ARGUMENT with "FILE:LINE:COLUMN: " before `what`.
  absl::Status Error(const YAML::Mark& mark, absl::string_view what) const;

  // Calls the field of each key. `other` reads keys that are not among `fields`; null to refuse them.
  // INVALID_ARGUMENT for what is no mapping, and for keys that are given twice.
  absl::Status ReadMapping(const YAML::Node& node, absl::string_view where, const Fields& fields,
                           const Other& other = nullptr) const;

 private:
  const std::string name_;
};

// Reads the text of a file into `text`. NOT_FOUND where it cannot be read.
absl::Status ReadTextFile(const std::string& path, std::string* text);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_YAML_MAPPING_H_
