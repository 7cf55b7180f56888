// Targets and environments, for people to read.
#ifndef CURLEW_CLI_TARGET_VIEW_H_
#define CURLEW_CLI_TARGET_VIEW_H_

#include <string>

#include "cli/rollout_view.h"
#include "cli/table.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::cli {

// One table row for each target.
Table TargetTable(const google::protobuf::RepeatedPtrField<v1::Target>& targets, const ViewOptions& options);

// All about one target.
std::string RenderTarget(const v1::Target& target, const ViewOptions& options);

// One table row for each environment.
Table EnvironmentTable(const google::protobuf::RepeatedPtrField<v1::Environment>& environments);

// "15.15" of 150015, "9.6.24" of 90624; "-" of 0.
std::string ServerVersion(int version_num);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_TARGET_VIEW_H_
