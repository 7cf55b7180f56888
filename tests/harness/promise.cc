#include "tests/harness/promise.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "common/schema/schema.h"
#include "common/sql/normal_form.h"
#include "common/sql/type_name.h"

namespace curlew::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool IsText(const std::string& field) {
  return field == "definition" || field == "default" || field == "generated" || field == "query" ||
         field == "clauses";
}

bool SameMeaning(const std::string& field, const std::string& promised, const std::string& found) {
  if (field == "owner") return promised.empty();
  if (field == "type") {
    const auto a = sql::CanonicalType(promised), b = sql::CanonicalType(found);
    // Where a plan writes no schema, public is meant.
    return a.ok() && b.ok() && (*a == *b || absl::StrCat("public.", *a) == *b);
  }
  return IsText(field) && sql::SameSql(promised, found);
}

// What tells the elements of a repeated field apart.
std::string KeyOf(const Message& element) {
  std::string key;
  for (const char* name : {"table", "schema", "name", "grantee", "privilege", "identity"}) {
    const FieldDescriptor* field = element.GetDescriptor()->FindFieldByName(name);
    if (field == nullptr || field->cpp_type() != FieldDescriptor::CPPTYPE_STRING || field->is_repeated())
      continue;
    absl::StrAppend(&key, element.GetReflection()->GetString(element, field), "\n");
  }
  return key;
}

// Writes into `promised` what `found` says in other words.
void Reconcile(Message* promised, const Message& found) {
  const auto* reflection = promised->GetReflection();
  for (int i = 0; i < promised->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = promised->GetDescriptor()->field(i);
    if (field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      std::map<std::string, const Message*> by_key;
      for (int n = 0; n < reflection->FieldSize(found, field); ++n) {
        const Message& element = reflection->GetRepeatedMessage(found, field, n);
        by_key[KeyOf(element)] = &element;
      }
      for (int n = 0; n < reflection->FieldSize(*promised, field); ++n) {
        Message* element = reflection->MutableRepeatedMessage(promised, field, n);
        if (const auto same = by_key.find(KeyOf(*element)); same != by_key.end())
          Reconcile(element, *same->second);
      }
    } else if (!field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      const std::string text = reflection->GetString(*promised, field);
      const std::string other = reflection->GetString(found, field);
      if (text != other && SameMeaning(field->name(), text, other))
        reflection->SetString(promised, field, other);
    }
  }
}

}  // namespace

std::vector<std::string> BrokenPromises(v1::Schema promised, const v1::Schema& found) {
  Reconcile(&promised, found);
  return schema::Diff(promised, found);
}

}  // namespace curlew::testing
