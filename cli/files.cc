#include "cli/files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/plan/plan_reader.h"
#include "curlew/v1/operator.pb.h"
#include "google/protobuf/util/json_util.h"

namespace curlew::cli {
namespace {

absl::Status CannotRead(const std::string& path, int error) {
  const absl::StatusCode code = error == ENOENT || error == ENOTDIR ? absl::StatusCode::kNotFound
                                : error == EACCES || error == EPERM ? absl::StatusCode::kPermissionDenied
                                                                    : absl::StatusCode::kInvalidArgument;
  return base::WithDetail(absl::Status(code, absl::StrCat("cannot read ", path, ": ", std::strerror(error))),
                          base::kHint,
                          "check the name and the rights of the file; - reads the standard input");
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t largest) {
  std::unique_ptr<FILE, int (*)(FILE*)> opened(nullptr, &std::fclose);
  FILE* file = stdin;
  if (path != "-") {
    opened.reset(std::fopen(path.c_str(), "rb"));
    if (opened == nullptr) return CannotRead(path, errno);
    file = opened.get();
  }
  std::string text;
  char buffer[1 << 16];
  while (const size_t n = std::fread(buffer, 1, sizeof(buffer), file)) {
    text.append(buffer, n);
    if (text.size() > largest) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " is larger than ", largest >> 20, " MiB, the most that is read; split it up"));
    }
  }
  if (std::ferror(file) != 0) return CannotRead(path, errno);
  return text;
}

absl::StatusOr<v1::Plan> ReadPlanFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return plan::ReadPlan(text, path == "-" ? "standard input" : path);
}

absl::StatusOr<v1::Schema> ReadSchemaFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  // Unknown fields are refused in both readings, so that no file is half understood.
  v1::Schema schema;
  const auto as_schema = google::protobuf::util::JsonStringToMessage(text, &schema);
  if (as_schema.ok()) return schema;
  v1::CompilePlanResponse compiled;
  if (google::protobuf::util::JsonStringToMessage(text, &compiled).ok() && compiled.has_schema()) {
    return compiled.schema();
  }
  return base::WithDetail(
      absl::InvalidArgumentError(absl::StrCat(path, " holds no schema: ", as_schema.message().ToString())),
      base::kHint,
      "make one from a database: curlew plan explain FILE --database CONNINFO -o json > schema.json");
}

bool MeansFile(const std::string& argument) {
  if (argument == "-") return true;
  for (const char* end : {".yaml", ".yml", ".json"}) {
    if (absl::EndsWith(argument, end)) return true;
  }
  return absl::StrContains(argument, '/') && !absl::StartsWith(argument, "plans/");
}

}  // namespace curlew::cli
