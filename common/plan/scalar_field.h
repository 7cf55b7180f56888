// Text -> field of a message, by the field's type.
#ifndef CURLEW_COMMON_PLAN_SCALAR_FIELD_H_
#define CURLEW_COMMON_PLAN_SCALAR_FIELD_H_

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace curlew::plan {

// Whether the text stood in quotes, which makes "true" a text and no boolean.
enum class Quotes { kNone, kSome };

// Sets `field` of `message`, or adds to it where it is a list, what `text` stands for. INVALID_ARGUMENT with
// what is wrong with the text; `field` is no message. Thread-safe.
absl::Status SetScalar(const std::string& text, Quotes quotes, const google::protobuf::FieldDescriptor* field,
                       google::protobuf::Message* message);

}  // namespace curlew::plan

#endif  // CURLEW_COMMON_PLAN_SCALAR_FIELD_H_
