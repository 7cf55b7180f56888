#include "controller/notify/config.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "yaml-cpp/yaml.h"

namespace curlew::notify {
namespace {

constexpr size_t kLargestFile = 1 << 20;
constexpr absl::Duration kShortestTimeout = absl::Seconds(1);
constexpr absl::Duration kLongestTimeout = absl::Seconds(60);

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  // A folder can be opened, too.
  if (std::error_code error; std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is a folder"));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::ErrnoToStatus(errno, absl::StrCat(path, " cannot be read"));
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (text.size() > kLargestFile)
    return absl::InvalidArgumentError(absl::StrCat(path, " is larger than 1 MiB"));
  return text;
}

bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
  });
}

class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  absl::StatusOr<std::vector<Sink>> Read() {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(path_));
    YAML::Node root;
    try {
      root = YAML::Load(text);
    } catch (const YAML::Exception& error) {
      return Error(error.mark, error.msg);
    }
    RETURN_IF_ERROR(
        ReadFields(root, "the file", {{"sinks", [this](const YAML::Node& node) { return ReadList(node); }}}));
    if (!found_) return Error(root.Mark(), "the file has no \"sinks\"; an empty list tells nobody anything");
    return std::move(sinks_);
  }

 private:
  using Field = std::function<absl::Status(const YAML::Node&)>;

  absl::Status Error(const YAML::Mark& mark, absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ":", std::max(0, mark.line) + 1, ":", std::max(0, mark.column) + 1, ": ", what));
  }

  absl::Status ReadFields(const YAML::Node& node, absl::string_view where,
                          const std::map<std::string, Field>& fields) const {
    if (!node.IsMap()) return Error(node.Mark(), absl::StrCat(where, " has to be lines of KEY: VALUE"));
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      const auto field = fields.find(key);
      if (field == fields.end()) {
        return Error(entry.first.Mark(),
                     absl::StrCat("unknown key \"", key, "\" in ", where, "; it has: ",
                                  absl::StrJoin(fields, ", ", [](std::string* out, const auto& known) {
                                    out->append(known.first);
                                  })));
      }
      if (!seen.insert(key).second) {
        return Error(entry.first.Mark(), absl::StrCat("\"", key, "\" is given twice in ", where));
      }
      RETURN_IF_ERROR(field->second(entry.second));
    }
    return absl::OkStatus();
  }

  absl::Status ReadList(const YAML::Node& node) {
    found_ = true;
    if (!node.IsSequence()) return Error(node.Mark(), "\"sinks\" has to be a list (lines of \"- \")");
    for (const YAML::Node& item : node) RETURN_IF_ERROR(ReadSink(item));
    return absl::OkStatus();
  }

  absl::Status ReadSink(const YAML::Node& node) {
    Sink sink;
    for (const absl::string_view kind : kKinds) sink.on.emplace(kind);
    const auto text = [this](std::string name, auto take) {
      return std::pair<const std::string, Field>(
          name, [this, name, take](const YAML::Node& value) -> absl::Status {
            if (!value.IsScalar())
              return Error(value.Mark(), absl::StrCat("\"", name, "\" has to be one text"));
            const absl::Status status = take(value.Scalar());
            return status.ok() ? status : Error(value.Mark(), status.message());
          });
    };
    RETURN_IF_ERROR(
        ReadFields(node, "a sink",
                   {text("name", [&](const std::string& value) { return TakeName(value, &sink); }),
                    text("url", [&](const std::string& value) { return TakeUrl(value, &sink); }),
                    text("format", [&](const std::string& value) { return TakeFormat(value, &sink); }),
                    text("secret_file", [&](const std::string& value) { return TakeSecret(value, &sink); }),
                    text("timeout", [&](const std::string& value) { return TakeTimeout(value, &sink); }),
                    {"on", [&](const YAML::Node& value) { return TakeKinds(value, &sink); }}}));
    if (sink.name.empty()) return Error(node.Mark(), "a sink needs a \"name\"");
    if (sink.url.host.empty()) return Error(node.Mark(), "a sink needs a \"url\"");
    sinks_.push_back(std::move(sink));
    return absl::OkStatus();
  }

  absl::Status TakeName(const std::string& value, Sink* sink) const {
    if (!IsName(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", value, "\" is no name: lower-case letters, digits and dashes, at most 63"));
    }
    if (std::any_of(sinks_.begin(), sinks_.end(), [&](const Sink& other) { return other.name == value; })) {
      return absl::InvalidArgumentError(absl::StrCat("there is a sink \"", value, "\" already"));
    }
    sink->name = value;
    return absl::OkStatus();
  }

  static absl::Status TakeUrl(const std::string& value, Sink* sink) {
    ASSIGN_OR_RETURN(sink->url, ParseUrl(value));
    return absl::OkStatus();
  }

  static absl::Status TakeFormat(const std::string& value, Sink* sink) {
    if (value != "json" && value != "slack") {
      return absl::InvalidArgumentError(absl::StrCat("\"", value, "\" is no format; it is json or slack"));
    }
    sink->format = value == "slack" ? Format::kSlack : Format::kJson;
    return absl::OkStatus();
  }

  absl::Status TakeSecret(const std::string& value, Sink* sink) const {
    const std::filesystem::path file = std::filesystem::path(path_).parent_path() / value;
    ASSIGN_OR_RETURN(const std::string text, ReadFile(file.string()));
    sink->secret = std::string(text.substr(0, text.find_last_not_of("\r\n") + 1));
    if (sink->secret.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(file.string(), " is empty; write the key of the signature into it"));
    }
    return absl::OkStatus();
  }

  static absl::Status TakeTimeout(const std::string& value, Sink* sink) {
    if (absl::ParseDuration(value, &sink->timeout) && sink->timeout >= kShortestTimeout &&
        sink->timeout <= kLongestTimeout) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("\"", value, "\" is no time-out; write one from 1s to 60s, for example 10s"));
  }

  absl::Status TakeKinds(const YAML::Node& node, Sink* sink) const {
    if (!node.IsSequence()) return Error(node.Mark(), "\"on\" has to be a list: [failed, done]");
    sink->on.clear();
    for (const YAML::Node& item : node) {
      const std::string kind = item.IsScalar() ? item.Scalar() : "";
      if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds)) {
        return Error(
            item.Mark(),
            absl::StrCat("\"", kind, "\" is nothing that is told; there is: ", absl::StrJoin(kKinds, ", ")));
      }
      sink->on.insert(kind);
    }
    if (sink->on.empty()) return Error(node.Mark(), "\"on\" is empty; leave it out for all kinds");
    return absl::OkStatus();
  }

  const std::string path_;
  std::vector<Sink> sinks_;
  bool found_ = false;
};

}  // namespace

std::string Url::Origin() const {
  return absl::StrCat(https ? "https://" : "http://", absl::StrContains(host, ':') ? "[" : "", host,
                      absl::StrContains(host, ':') ? "]" : "", ":", port);
}

absl::StatusOr<Url> ParseUrl(absl::string_view text) {
  Url url;
  url.https = absl::ConsumePrefix(&text, "https://");
  if (!url.https && !absl::ConsumePrefix(&text, "http://")) {
    return absl::InvalidArgumentError("a URL has to begin with https:// or http://");
  }
  if (std::any_of(text.begin(), text.end(), [](char c) { return !absl::ascii_isgraph(c) || c == '#'; })) {
    return absl::InvalidArgumentError("a URL has to be ASCII, without spaces and without a fragment (#)");
  }
  const size_t slash = std::min(text.find_first_of("/?"), text.size());
  absl::string_view authority = text.substr(0, slash);
  url.path = std::string(text.substr(slash));
  if (!absl::StartsWith(url.path, "/")) url.path.insert(0, "/");
  if (absl::StrContains(authority, '@')) {
    return absl::InvalidArgumentError("a URL must not hold a user's name or password");
  }
  url.port = url.https ? 443 : 80;
  absl::string_view port;
  if (absl::ConsumePrefix(&authority, "[")) {
    const size_t end = authority.find(']');
    if (end == absl::string_view::npos)
      return absl::InvalidArgumentError("a URL lacks the ] after its address");
    url.host = std::string(authority.substr(0, end));
    port = authority.substr(end + 1);
  } else {
    const size_t colon = std::min(authority.find(':'), authority.size());
    url.host = std::string(authority.substr(0, colon));
    port = authority.substr(colon);
  }
  if (url.host.empty()) return absl::InvalidArgumentError("a URL needs a host");
  if (!port.empty() && (!absl::ConsumePrefix(&port, ":") || !absl::SimpleAtoi(port, &url.port) ||
                        url.port < 1 || url.port > 65535)) {
    return absl::InvalidArgumentError("a URL has a port that is none: a number from 1 to 65535");
  }
  return url;
}

absl::StatusOr<std::vector<Sink>> ReadSinks(const std::string& path) { return Reader(path).Read(); }

}  // namespace curlew::notify
