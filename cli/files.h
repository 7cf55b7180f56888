// Files that people name on the command line.
#ifndef CURLEW_CLI_FILES_H_
#define CURLEW_CLI_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::cli {

// The whole of a file; "-" is the standard input. NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT for a folder
// or more than `largest` bytes.
inline constexpr size_t kLargestPlan = 64 << 20;
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t largest = kLargestPlan);

// A plan from a YAML file. Errors of ReadFile and of plan::ReadPlan.
absl::StatusOr<v1::Plan> ReadPlanFile(const std::string& path);

// A schema from a JSON file as `plan explain -o json` prints it (whole, or its field "schema" alone).
// INVALID_ARGUMENT where it is none.
absl::StatusOr<v1::Schema> ReadSchemaFile(const std::string& path);

// Whether an argument PLAN|FILE means a file: "-", a name that ends in .yaml, .yml or .json, or one with a
// slash that is no resource name.
bool MeansFile(const std::string& argument);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_FILES_H_
