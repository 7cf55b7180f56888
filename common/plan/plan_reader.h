// YAML -> Plan, through the descriptor: names and nesting of a file are those of plan.proto.
#ifndef CURLEW_COMMON_PLAN_PLAN_READER_H_
#define CURLEW_COMMON_PLAN_PLAN_READER_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "curlew/v1/operator.pb.h"
#include "curlew/v1/plan.pb.h"
#include "google/protobuf/message.h"

namespace curlew::plan {

// Fills `message` from one YAML document (JSON is YAML too). Keys are proto field names; enums are written as
// the value's name without its prefix, lower or upper case ("constrain" for PHASE_CONSTRAIN); durations as
// "500ms", "1.5s", "10m", "2h"; lists as sequences; a oneof is the one key that is set. Refused with
// INVALID_ARGUMENT and "FILE:LINE:COLUMN: what; what would be right": malformed YAML, unknown fields (with
// the nearest known name), wrong types, duplicate keys, two members of a oneof, more than one document,
// anchors' cycles, files above 1 MiB. `file` is only for messages.
absl::Status ReadYaml(absl::string_view text, absl::string_view file, google::protobuf::Message* message);

// A plan from YAML: ReadYaml, then Validate, with the line of the operation at fault in the message.
absl::StatusOr<v1::Plan> ReadPlan(absl::string_view text, absl::string_view file);

// The largest plan: operations, and bytes of the canonical form that Digest is made of.
inline constexpr int kMostOperations = 1000;
inline constexpr size_t kLargestPlan = size_t{1} << 20;

// What can be judged without a schema: size, name, at least one operation, required fields, ranges of
// settings, expressions and types that parse, table names that parse, duplicate names (two operations that
// create the same column, index or constraint), queries of verifications and checks that do more than read
// one value. INVALID_ARGUMENT; base::kField holds the path, "operations[2].add_check.expression".
absl::Status Validate(const v1::Plan& plan);

// An environments file. Resource names get their prefix "environments/" and positions. INVALID_ARGUMENT for
// duplicate environments or targets, names that are not [a-z0-9-], an environment without targets.
absl::StatusOr<v1::ApplyEnvironmentsRequest> ReadEnvironments(absl::string_view text, absl::string_view file);

// The same rules for a request that came over the wire.
absl::Status ValidateEnvironments(const v1::ApplyEnvironmentsRequest& request);

// Digest of a plan: SHA-256 of its canonical form.
std::string Digest(const v1::Plan& plan);

// `message` as YAML in block style with proto field names, for `-o yaml`.
std::string ToYaml(const google::protobuf::Message& message);

}  // namespace curlew::plan

#endif  // CURLEW_COMMON_PLAN_PLAN_READER_H_
