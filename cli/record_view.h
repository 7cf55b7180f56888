// What is on record of targets, and how schemas differ, for people to read. Pure functions.
#ifndef CURLEW_CLI_RECORD_VIEW_H_
#define CURLEW_CLI_RECORD_VIEW_H_

#include <map>
#include <string>

#include "cli/exit_code.h"
#include "cli/rollout_view.h"
#include "cli/table.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::cli {

// One row for each record: what has ended there, when, who, from what, why.
Table RecordTable(const google::protobuf::RepeatedPtrField<v1::TargetRecord>& records,
                  const ViewOptions& options);

// One row for each target: the newest record of it, and whether its schema differs from that.
Table CurrentTable(const google::protobuf::RepeatedPtrField<v1::Target>& targets,
                   const std::map<std::string, v1::TargetRecord>& newest, const ViewOptions& options);

// "commit=4f2a9c1, ticket=4711", by name; "" for none.
std::string LabelsText(const google::protobuf::Map<std::string, std::string>& labels);

// What was compared with what, each difference, and what could not be compared. Lines fit 100 columns, but
// for names that are longer.
std::string RenderDrift(const v1::CompareSchemasResponse& response, const Style& style);

// kError where schemas differ; else kPrecondition where some could not be compared; else kOk.
ExitCode DriftOutcome(const v1::CompareSchemasResponse& response);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_RECORD_VIEW_H_
