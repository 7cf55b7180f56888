#include <charconv>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/plan/plan_reader.h"
#include "common/plan/scalar.h"

namespace curlew::plan {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Whether YAML reads `text` as this text when it stands there without quotes. Rather too seldom than wrongly.
bool IsPlain(absl::string_view text) {
  static constexpr absl::string_view kInside = "_./-()'=<>+*~^$ ,;";
  static constexpr absl::string_view kWords[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  if (text.empty() || !(absl::ascii_isalpha(text.front()) || text.front() == '_') || text.back() == ' ')
    return false;
  for (char c : text) {
    if (!absl::ascii_isalnum(c) && kInside.find(c) == absl::string_view::npos) return false;
  }
  const std::string lower = absl::AsciiStrToLower(text);
  for (absl::string_view word : kWords) {
    if (lower == word) return false;
  }
  return true;
}

// Whether `text` may stand as a literal block: several lines of printable characters, the first of which sets
// the indentation.
bool IsBlock(absl::string_view text) {
  if (text.find('\n') == absl::string_view::npos || text.front() == '\n' || text.front() == ' ' ||
      text.front() == '\t' || (text.size() > 1 && text.substr(text.size() - 2) == "\n\n")) {
    return false;
  }
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!line.empty() && absl::ascii_isspace(line.back())) return false;
    for (char c : line) {
      if (!absl::ascii_isprint(c) && c != '\t') return false;
    }
  }
  return true;
}

std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const absl::string_view three = text.substr(i, 3);
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", text.substr(i, 1));
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == 0x7F) {
      absl::StrAppendFormat(&out, "\\x%02X", c);
    } else if (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      absl::StrAppendFormat(&out, "\\x%02X", static_cast<unsigned char>(text[++i]));
    } else if (three == "\xE2\x80\xA8" || three == "\xE2\x80\xA9" || three == "\xEF\xBB\xBF") {
      // Line and paragraph separators and the byte order mark, which a YAML reader may take for its own.
      out += three == "\xE2\x80\xA8" ? "\\u2028" : three == "\xE2\x80\xA9" ? "\\u2029" : "\\uFEFF";
      i += 2;
    } else {
      out.push_back(static_cast<char>(c));
    }
  }
  out.push_back('"');
  return out;
}

// `text` as the value of a key that stands at `indent`.
std::string StringText(absl::string_view text, int indent) {
  if (IsPlain(text)) return std::string(text);
  if (!IsBlock(text)) return Quoted(text);
  std::string out = text.back() == '\n' ? "|" : "|-";
  for (absl::string_view line : absl::StrSplit(absl::StripTrailingAsciiWhitespace(text), '\n')) {
    absl::StrAppend(&out, "\n", line.empty() ? "" : std::string(indent + 2, ' '), line);
  }
  return out;
}

template <typename Number>
std::string NumberText(Number number) {
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number);
  return std::string(digits, end.ptr);
}

// One value that fits behind a key. `index` is -1 for a singular field.
std::string ScalarText(const Message& message, const FieldDescriptor* field, int index, int indent) {
  const Reflection* r = message.GetReflection();
  const bool one = index < 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text =
          one ? r->GetString(message, field) : r->GetRepeatedString(message, field, index);
      return field->type() == FieldDescriptor::TYPE_BYTES ? Quoted(absl::Base64Escape(text))
                                                          : StringText(text, indent);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return (one ? r->GetBool(message, field) : r->GetRepeatedBool(message, field, index)) ? "true"
                                                                                            : "false";
    case FieldDescriptor::CPPTYPE_INT32:
      return NumberText(one ? r->GetInt32(message, field) : r->GetRepeatedInt32(message, field, index));
    case FieldDescriptor::CPPTYPE_UINT32:
      return NumberText(one ? r->GetUInt32(message, field) : r->GetRepeatedUInt32(message, field, index));
    case FieldDescriptor::CPPTYPE_INT64:
      return NumberText(one ? r->GetInt64(message, field) : r->GetRepeatedInt64(message, field, index));
    case FieldDescriptor::CPPTYPE_UINT64:
      return NumberText(one ? r->GetUInt64(message, field) : r->GetRepeatedUInt64(message, field, index));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return NumberText(one ? r->GetDouble(message, field) : r->GetRepeatedDouble(message, field, index));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return NumberText(one ? r->GetFloat(message, field) : r->GetRepeatedFloat(message, field, index));
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumText(one ? r->GetEnum(message, field) : r->GetRepeatedEnum(message, field, index));
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& value =
          one ? r->GetMessage(message, field) : r->GetRepeatedMessage(message, field, index);
      if (const auto* duration = dynamic_cast<const google::protobuf::Duration*>(&value)) {
        return DurationText(*duration);
      }
      if (const auto* time = dynamic_cast<const google::protobuf::Timestamp*>(&value))
        return TimestampText(*time);
      std::vector<const FieldDescriptor*> fields;
      value.GetReflection()->ListFields(value, &fields);
      return fields.empty() ? "{}" : "";
    }
  }
  return "";
}

// The entries of a map of texts, in order of their keys.
void AppendMap(const Message& message, const FieldDescriptor* field, int indent, std::string* out) {
  const Reflection* r = message.GetReflection();
  std::map<std::string, std::string> entries;
  for (int i = 0; i < r->FieldSize(message, field); ++i) {
    const Message& entry = r->GetRepeatedMessage(message, field, i);
    entries[ScalarText(entry, field->message_type()->map_key(), -1, indent)] =
        ScalarText(entry, field->message_type()->map_value(), -1, indent);
  }
  for (const auto& [key, value] : entries) {
    absl::StrAppend(out, std::string(indent, ' '), key, ": ", value, "\n");
  }
}

void AppendMapping(const Message& message, int indent, std::string* out) {
  const Reflection* r = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  r->ListFields(message, &fields);
  const std::string pad(indent, ' ');
  for (const FieldDescriptor* field : fields) {
    absl::StrAppend(out, pad, field->name(), ":");
    if (!field->is_repeated()) {
      const std::string text = ScalarText(message, field, -1, indent);
      absl::StrAppend(out, text.empty() ? "" : " ", text, "\n");
      if (text.empty()) AppendMapping(r->GetMessage(message, field), indent + 2, out);
      continue;
    }
    out->push_back('\n');
    if (field->is_map()) {
      AppendMap(message, field, indent + 2, out);
      continue;
    }
    for (int i = 0; i < r->FieldSize(message, field); ++i) {
      const std::string text = ScalarText(message, field, i, indent + 2);
      if (!text.empty()) {
        absl::StrAppend(out, pad, "  - ", text, "\n");
        continue;
      }
      const size_t begin = out->size();
      AppendMapping(r->GetRepeatedMessage(message, field, i), indent + 4, out);
      (*out)[begin + indent + 2] = '-';
    }
  }
}

}  // namespace

std::string ToYaml(const Message& message) {
  std::string out;
  AppendMapping(message, 0, &out);
  return out.empty() ? "{}\n" : out;
}

}  // namespace curlew::plan
