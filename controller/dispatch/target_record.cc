#include "controller/dispatch/target_record.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "common/base/proto_time.h"
#include "common/schema/schema.h"

namespace curlew::dispatch {

v1::TargetRecord RecordOfSchema(const std::string& target, const v1::Schema& schema, absl::Time now) {
  v1::TargetRecord record;
  record.set_target(target);
  *record.mutable_time() = base::ToProto(now);
  record.set_schema_fingerprint(schema::Fingerprint(schema));
  record.set_schema_json(base::CanonicalJson(schema));
  return record;
}

absl::StatusOr<v1::Schema> SchemaOfRecord(const v1::TargetRecord& record) {
  if (record.schema_json().empty()) {
    return absl::NotFoundError(absl::StrCat(
        DescribeRecord(record), " of target \"", record.target(),
        "\" holds no schema: another rollout was at work before it could be read; take a baseline"));
  }
  v1::Schema schema;
  const auto parsed = google::protobuf::util::JsonStringToMessage(record.schema_json(), &schema);
  if (parsed.ok()) return schema;
  return absl::DataLossError(absl::StrCat("the schema in ", DescribeRecord(record), " of target \"",
                                          record.target(),
                                          "\" cannot be read: ", std::string(parsed.message())));
}

std::string DescribeRecord(const v1::TargetRecord& record) {
  return absl::StrCat(
      "record ", record.number(), " of ",
      absl::FormatTime(absl::RFC3339_sec, base::FromProto(record.time()), absl::UTCTimeZone()), " (",
      record.rollout().empty() ? "a baseline" : record.rollout(), ")");
}

}  // namespace curlew::dispatch
