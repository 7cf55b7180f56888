#include "common/sql/normal_form.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/sql/parser.h"
#include "common/sql/simplify.h"

namespace curlew::sql {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using pg_query::Node;

// Whether the server may have added the cast by itself.
bool MayBeImplicit(const pg_query::TypeCast& cast) {
  const std::string& type = cast.type_name().names(0).string().sval();
  return cast.arg().has_a_const() || type == "text" ||
         (cast.arg().has_a_array_expr() && absl::EndsWith(type, "[]"));
}

// '-1'::integer is how the server prints -1.
bool IsNumberInQuotes(const pg_query::TypeCast& cast, const pg_query::A_Const& number) {
  static const auto* const types =
      new std::set<absl::string_view>{"smallint", "integer", "bigint", "numeric", "real", "double precision"};
  if (!cast.arg().a_const().has_sval() || types->count(cast.type_name().names(0).string().sval()) == 0) {
    return false;
  }
  const std::string& quoted = cast.arg().a_const().sval().sval();
  if (number.has_ival()) return quoted == absl::StrCat(number.ival().ival());
  return number.has_fval() && quoted == number.fval().fval();
}

// Compares two trees. Each cast that may be left out doubles what is to be tried, so tries are counted.
class Comparison {
 public:
  // Only `printed` may hold casts that the other does not.
  bool Same(const Message& written, const Message& printed);

 private:
  bool SameField(const Message& a, const Message& b, const FieldDescriptor* field, int i);
  bool SameFields(const Message& a, const Message& b);

  int tries_ = 1'000'000;
};

bool Comparison::SameField(const Message& a, const Message& b, const FieldDescriptor* field, int i) {
  const Reflection *ra = a.GetReflection(), *rb = b.GetReflection();
  const bool repeated = field->is_repeated();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return repeated ? Same(ra->GetRepeatedMessage(a, field, i), rb->GetRepeatedMessage(b, field, i))
                      : Same(ra->GetMessage(a, field), rb->GetMessage(b, field));
    case FieldDescriptor::CPPTYPE_STRING:
      return repeated ? ra->GetRepeatedString(a, field, i) == rb->GetRepeatedString(b, field, i)
                      : ra->GetString(a, field) == rb->GetString(b, field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return !repeated && ra->GetEnumValue(a, field) == rb->GetEnumValue(b, field);
    case FieldDescriptor::CPPTYPE_BOOL:
      return !repeated && ra->GetBool(a, field) == rb->GetBool(b, field);
    case FieldDescriptor::CPPTYPE_INT32:
      return !repeated && ra->GetInt32(a, field) == rb->GetInt32(b, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return !repeated && ra->GetUInt32(a, field) == rb->GetUInt32(b, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return !repeated && ra->GetInt64(a, field) == rb->GetInt64(b, field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return !repeated && ra->GetUInt64(a, field) == rb->GetUInt64(b, field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return false;  // the parse tree has none
  }
  return false;
}

bool Comparison::SameFields(const Message& a, const Message& b) {
  std::vector<const FieldDescriptor*> in_a, in_b;
  a.GetReflection()->ListFields(a, &in_a);
  b.GetReflection()->ListFields(b, &in_b);
  if (in_a != in_b) return false;
  for (const FieldDescriptor* field : in_a) {
    const int size = field->is_repeated() ? a.GetReflection()->FieldSize(a, field) : 1;
    if (field->is_repeated() && b.GetReflection()->FieldSize(b, field) != size) return false;
    for (int i = 0; i < size; ++i) {
      if (!SameField(a, b, field, i)) return false;
    }
  }
  return true;
}

bool Comparison::Same(const Message& written, const Message& printed) {
  if (--tries_ < 0) return false;
  if (SameFields(written, printed)) return true;
  const auto* node = dynamic_cast<const Node*>(&printed);
  if (node == nullptr || !node->has_type_cast()) return false;
  const auto& other = static_cast<const Node&>(written);
  const pg_query::TypeCast& cast = node->type_cast();
  if (other.has_a_const() && IsNumberInQuotes(cast, other.a_const())) return true;
  return MayBeImplicit(cast) && Same(other, cast.arg());
}

}  // namespace

bool SameSql(absl::string_view a, absl::string_view b) {
  if (absl::StripAsciiWhitespace(a).empty() || absl::StripAsciiWhitespace(b).empty()) return false;
  // As a statement, an expression, a constraint's definition, a policy's clauses.
  constexpr struct {
    absl::string_view before, after;
  } kWrappings[] = {{"", ""},
                    {"SELECT (", "\n) AS c"},
                    {"ALTER TABLE t ADD CONSTRAINT c ", ""},
                    {"CREATE POLICY p ON t ", ""}};
  for (const auto& wrapping : kWrappings) {
    auto first = Parse(absl::StrCat(wrapping.before, a, wrapping.after));
    auto second = Parse(absl::StrCat(wrapping.before, b, wrapping.after));
    if (!first.ok() || !second.ok() || first->stmts().empty()) continue;
    Simplify(&*first);
    Simplify(&*second);
    return Comparison().Same(*first, *second) || Comparison().Same(*second, *first);
  }
  return false;
}

}  // namespace curlew::sql
