#include "common/base/canonical_json.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/hash.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"

namespace curlew::base {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void AppendString(absl::string_view s, std::string* out) {
  out->push_back('"');
  for (unsigned char c : s) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\b':
        *out += "\\b";
        break;
      case '\f':
        *out += "\\f";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      default:
        if (c < 0x20) {
          absl::StrAppendFormat(out, "\\u%04x", c);
        } else {
          out->push_back(static_cast<char>(c));
        }
    }
  }
  out->push_back('"');
}

void AppendMessage(const Message& message, std::string* out);

// `index` is -1 for a singular field.
void AppendValue(const Message& message, const FieldDescriptor* field, int index, std::string* out) {
  const Reflection* r = message.GetReflection();
  const bool repeated = index >= 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string value =
          repeated ? r->GetRepeatedString(message, field, index) : r->GetString(message, field);
      if (field->type() == FieldDescriptor::TYPE_BYTES) value = absl::Base64Escape(value);
      AppendString(value, out);
      return;
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      *out += (repeated ? r->GetRepeatedBool(message, field, index) : r->GetBool(message, field)) ? "true"
                                                                                                  : "false";
      return;
    case FieldDescriptor::CPPTYPE_INT32:
      absl::StrAppend(out,
                      repeated ? r->GetRepeatedInt32(message, field, index) : r->GetInt32(message, field));
      return;
    case FieldDescriptor::CPPTYPE_UINT32:
      absl::StrAppend(out,
                      repeated ? r->GetRepeatedUInt32(message, field, index) : r->GetUInt32(message, field));
      return;
    case FieldDescriptor::CPPTYPE_INT64:
      absl::StrAppend(out, "\"",
                      repeated ? r->GetRepeatedInt64(message, field, index) : r->GetInt64(message, field),
                      "\"");
      return;
    case FieldDescriptor::CPPTYPE_UINT64:
      absl::StrAppend(out, "\"",
                      repeated ? r->GetRepeatedUInt64(message, field, index) : r->GetUInt64(message, field),
                      "\"");
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      AppendString(
          (repeated ? r->GetRepeatedEnum(message, field, index) : r->GetEnum(message, field))->name(), out);
      return;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      AppendMessage(repeated ? r->GetRepeatedMessage(message, field, index) : r->GetMessage(message, field),
                    out);
      return;
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      // Not protobuf's own check, which throws.
      std::fprintf(stderr, "no floating point in a canonical form: %s\n", field->full_name().c_str());
      std::abort();
  }
}

// Members are sorted by their UTF-16 code units, as RFC 8785 has it. That is the order of UTF-8's bytes, save
// that characters above U+FFFF come before U+E000 to U+FFFF.
struct MemberOrder {
  bool operator()(const std::string& a, const std::string& b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [](char x, char y) { return Weight(x) < Weight(y); });
  }
  static int Weight(char c) {
    const int byte = static_cast<unsigned char>(c);
    return byte == 0xEE || byte == 0xEF ? byte + 0x10 : byte;
  }
};

// A map whose keys are texts, as an object.
void AppendMap(const Message& message, const FieldDescriptor* field, std::string* out) {
  const FieldDescriptor* key = field->message_type()->map_key();
  const FieldDescriptor* value = field->message_type()->map_value();
  const Reflection* r = message.GetReflection();
  std::map<std::string, std::string, MemberOrder> members;
  for (int i = 0; i < r->FieldSize(message, field); ++i) {
    const Message& entry = r->GetRepeatedMessage(message, field, i);
    AppendValue(entry, value, -1, &members[entry.GetReflection()->GetString(entry, key)]);
  }
  out->push_back('{');
  const char* separator = "";
  for (const auto& [name, text] : members) {
    *out += separator;
    separator = ",";
    AppendString(name, out);
    out->push_back(':');
    *out += text;
  }
  out->push_back('}');
}

void AppendMessage(const Message& message, std::string* out) {
  using google::protobuf::util::TimeUtil;
  if (message.GetDescriptor() == google::protobuf::Duration::descriptor()) {
    AppendString(TimeUtil::ToString(dynamic_cast<const google::protobuf::Duration&>(message)), out);
    return;
  }
  if (message.GetDescriptor() == google::protobuf::Timestamp::descriptor()) {
    AppendString(TimeUtil::ToString(dynamic_cast<const google::protobuf::Timestamp&>(message)), out);
    return;
  }
  // Field names are ASCII, so their byte order is the UTF-16 order that RFC 8785 asks for.
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  std::map<absl::string_view, const FieldDescriptor*> sorted;
  for (const FieldDescriptor* f : fields) sorted.emplace(f->name(), f);
  out->push_back('{');
  const char* separator = "";
  for (const auto& [name, field] : sorted) {
    *out += separator;
    separator = ",";
    AppendString(name, out);
    out->push_back(':');
    if (field->is_map()) {
      AppendMap(message, field, out);
    } else if (field->is_repeated()) {
      out->push_back('[');
      for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
        if (i > 0) out->push_back(',');
        AppendValue(message, field, i, out);
      }
      out->push_back(']');
    } else {
      AppendValue(message, field, -1, out);
    }
  }
  out->push_back('}');
}

}  // namespace

std::string CanonicalJson(const Message& message) {
  std::string out;
  AppendMessage(message, &out);
  return out;
}

std::string CanonicalDigest(const Message& message) { return Sha256Hex(CanonicalJson(message)); }

}  // namespace curlew::base
