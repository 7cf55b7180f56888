#include "agent/yaml_mapping.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"

namespace curlew::agent {

absl::Status YamlFile::Read(absl::string_view text,
                            const std::function<absl::Status(const YAML::Node&)>& read) const {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) {
      return Error(documents[1].Mark(), "the file holds several documents; keep one");
    }
    return read(documents.empty() ? YAML::Node() : documents[0]);
  } catch (const YAML::Exception& error) {
    return Error(error.mark, error.msg);
  }
}

absl::Status YamlFile::Error(const YAML::Mark& mark, absl::string_view what) const {
  return absl::InvalidArgumentError(
      absl::StrCat(name_, ":", std::max(0, mark.line) + 1, ":", std::max(0, mark.column) + 1, ": ", what));
}

absl::Status YamlFile::ReadMapping(const YAML::Node& node, absl::string_view where, const Fields& fields,
                                   const Other& other) const {
  if (!node.IsMap()) {
    return Error(node.Mark(), absl::StrCat(where, " has to be a mapping (lines of KEY: VALUE)"));
  }
  std::map<std::string, int> lines;
  for (const auto& entry : node) {
    const YAML::Mark mark = entry.first.Mark();
    if (!entry.first.IsScalar()) return Error(mark, "a key has to be a name");
    const std::string& key = entry.first.Scalar();
    if (const auto [first, is_new] = lines.emplace(key, mark.line + 1); !is_new) {
      return Error(mark,
                   absl::StrCat("\"", key, "\" is given twice, first on line ", first->second, "; keep one"));
    }
    if (const auto field = fields.find(key); field != fields.end()) {
      RETURN_IF_ERROR(field->second(entry.second));
    } else if (other != nullptr) {
      RETURN_IF_ERROR(other(entry.first, entry.second));
    } else {
      return Error(mark, absl::StrCat("there is no \"", key, "\" in ", where, "; known are ",
                                      absl::StrJoin(fields, ", ", [](std::string* out, const auto& known) {
                                        out->append(known.first);
                                      })));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadTextFile(const std::string& path, std::string* text) {
  std::ifstream in(path);
  std::stringstream read;
  if (in) read << in.rdbuf();
  if (!in) return absl::NotFoundError(absl::StrCat(path, ": cannot be read: ", std::strerror(errno)));
  *text = read.str();
  return absl::OkStatus();
}

}  // namespace curlew::agent
