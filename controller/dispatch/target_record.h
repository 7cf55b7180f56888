// Schemas of targets as they are put on record.
#ifndef CURLEW_CONTROLLER_DISPATCH_TARGET_RECORD_H_
#define CURLEW_CONTROLLER_DISPATCH_TARGET_RECORD_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::dispatch {

// A record of `target` (bare name) with `schema`, which must be whole: time, fingerprint and schema are set;
// whoever records it sets the rest.
v1::TargetRecord RecordOfSchema(const std::string& target, const v1::Schema& schema, absl::Time now);

// The schema of a record that is whole. DATA_LOSS where it cannot be read; NOT_FOUND where the record has
// none: another rollout was at work before it could be read.
absl::StatusOr<v1::Schema> SchemaOfRecord(const v1::TargetRecord& record);

// "record 3 of 2026-11-28T07:00:00Z (rollouts/add-note-1)": what a target is compared with, for people.
std::string DescribeRecord(const v1::TargetRecord& record);

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_TARGET_RECORD_H_
