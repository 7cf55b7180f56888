#include "common/plan/scalar_field.h"

#include <cmath>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/plan/scalar.h"

namespace curlew::plan {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

absl::StatusOr<std::string> ReadString(const std::string& text, FieldDescriptor::Type type) {
  if (type == FieldDescriptor::TYPE_BYTES) {
    std::string bytes;
    if (!absl::Base64Unescape(text, &bytes)) return absl::InvalidArgumentError("not base64");
    return bytes;
  }
  if (text.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("a text cannot hold the character NUL");
  }
  return text;
}

absl::StatusOr<bool> ReadBool(const std::string& text, Quotes quotes) {
  if (quotes == Quotes::kNone && (text == "true" || text == "false")) return text == "true";
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is not true or false (written so, without quotes)"));
}

template <typename Number>
absl::StatusOr<Number> ReadInteger(const std::string& text, Quotes quotes) {
  Number number;
  // JSON has 64-bit integers in quotes.
  const bool may_be_quoted = sizeof(Number) == 8;
  if ((quotes == Quotes::kNone || may_be_quoted) && absl::SimpleAtoi(text, &number)) return number;
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not a whole number in range"));
}

absl::StatusOr<double> ReadDouble(const std::string& text, Quotes quotes) {
  double number;
  if (quotes == Quotes::kNone && absl::SimpleAtod(text, &number) && std::isfinite(number)) return number;
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not a number"));
}

}  // namespace

absl::Status SetScalar(const std::string& text, Quotes quotes, const FieldDescriptor* field,
                       Message* message) {
  const Reflection* r = message->GetReflection();
  const bool list = field->is_repeated();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      ASSIGN_OR_RETURN(std::string value, ReadString(text, field->type()));
      list ? r->AddString(message, field, std::move(value)) : r->SetString(message, field, std::move(value));
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      ASSIGN_OR_RETURN(const bool value, ReadBool(text, quotes));
      list ? r->AddBool(message, field, value) : r->SetBool(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT32: {
      ASSIGN_OR_RETURN(const auto value, ReadInteger<int32_t>(text, quotes));
      list ? r->AddInt32(message, field, value) : r->SetInt32(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      ASSIGN_OR_RETURN(const auto value, ReadInteger<uint32_t>(text, quotes));
      list ? r->AddUInt32(message, field, value) : r->SetUInt32(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      ASSIGN_OR_RETURN(const auto value, ReadInteger<int64_t>(text, quotes));
      list ? r->AddInt64(message, field, value) : r->SetInt64(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      ASSIGN_OR_RETURN(const auto value, ReadInteger<uint64_t>(text, quotes));
      list ? r->AddUInt64(message, field, value) : r->SetUInt64(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      ASSIGN_OR_RETURN(const double value, ReadDouble(text, quotes));
      list ? r->AddDouble(message, field, value) : r->SetDouble(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_FLOAT: {
      ASSIGN_OR_RETURN(const double value, ReadDouble(text, quotes));
      list ? r->AddFloat(message, field, static_cast<float>(value))
           : r->SetFloat(message, field, static_cast<float>(value));
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      ASSIGN_OR_RETURN(const auto* value, ParseEnum(field->enum_type(), text));
      list ? r->AddEnum(message, field, value) : r->SetEnum(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return absl::InternalError(absl::StrCat(field->full_name(), " is not a scalar"));
}

}  // namespace curlew::plan
