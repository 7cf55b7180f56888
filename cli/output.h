// Answers as JSON and YAML.
#ifndef CURLEW_CLI_OUTPUT_H_
#define CURLEW_CLI_OUTPUT_H_

#include <string>

#include "google/protobuf/message.h"

namespace curlew::cli {

// `message` as JSON with the names of the .proto file: indented and with a line end, or all in one line and
// without.
enum class JsonForm { kIndented, kOneLine };
std::string ToJson(const google::protobuf::Message& message, JsonForm form = JsonForm::kIndented);

// `message` for `-o json` or `-o yaml`.
std::string Structured(const google::protobuf::Message& message, const std::string& format);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_OUTPUT_H_
