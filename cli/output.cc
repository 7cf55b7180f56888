#include "cli/output.h"

#include "common/plan/plan_reader.h"
#include "google/protobuf/util/json_util.h"

namespace curlew::cli {

std::string ToJson(const google::protobuf::Message& message, JsonForm form) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.add_whitespace = form == JsonForm::kIndented;
  std::string json;
  // Fails only for messages with Any or FieldMask that do not fit; ours have none.
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  return json;
}

std::string Structured(const google::protobuf::Message& message, const std::string& format) {
  if (format == "json") return ToJson(message);
  std::string yaml = plan::ToYaml(message);
  if (yaml.empty() || yaml.back() != '\n') yaml += '\n';
  return yaml;
}

}  // namespace curlew::cli
