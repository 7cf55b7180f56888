#include "common/schema/schema.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/canonical_json.h"
#include "common/base/hash.h"

namespace curlew::schema {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Finds an element by name in a repeated field.
template <typename Repeated>
auto* Find(Repeated& elements, absl::string_view name) {
  auto it = std::find_if(elements.begin(), elements.end(), [&](const auto& e) { return e.name() == name; });
  return it == elements.end() ? nullptr : &*it;
}

// The name of an element of a table: "column phone", "foreign key of crm.orders orders_contact_fk".
std::string Label(const FieldDescriptor* field, const Message& element) {
  const auto* name = element.GetDescriptor()->FindFieldByName("name");
  std::string label =
      field->name() == "referenced_by"
          ? absl::StrCat("foreign key of ", static_cast<const v1::Constraint&>(element).table())
          : field->name().substr(0, field->name().size() - (field->name().back() == 's'));
  if (field->name() == "indexes") label = "index";
  if (field->name() == "policies") label = "policy";
  return absl::StrCat(label, " ", sql::Ident(element.GetReflection()->GetString(element, name)));
}

// The schema as a set of facts, by what each is about: the normal form. Lists inside an element come sorted
// from the catalogue where their order means nothing.
std::map<std::string, std::string> Facts(const v1::Schema& schema) {
  std::map<std::string, std::string> facts;
  for (const v1::Table& table : schema.tables()) {
    const std::string name = absl::StrCat("table ", NameOf(table).Quoted());
    v1::Table header = table;
    std::vector<const FieldDescriptor*> fields;
    table.GetReflection()->ListFields(table, &fields);
    for (const FieldDescriptor* field : fields) {
      if (!field->is_repeated()) continue;
      for (int i = 0; i < table.GetReflection()->FieldSize(table, field); ++i) {
        const Message& element = table.GetReflection()->GetRepeatedMessage(table, field, i);
        facts[absl::StrCat(name, " ", Label(field, element))] = base::CanonicalJson(element);
      }
      header.GetReflection()->ClearField(&header, field);
    }
    facts[name] = base::CanonicalJson(header);
  }
  for (const v1::EnumType& type : schema.enums()) facts["enum " + type.name()] = base::CanonicalJson(type);
  return facts;
}

}  // namespace

const v1::Table* FindTable(const v1::Schema& schema, const sql::TableName& name) {
  for (const v1::Table& table : schema.tables()) {
    if (table.name() == name.name && table.schema() == name.schema) return &table;
  }
  return nullptr;
}

v1::Table* FindTable(v1::Schema* schema, const sql::TableName& name) {
  return const_cast<v1::Table*>(FindTable(*schema, name));
}

const v1::Column* FindColumn(const v1::Table& table, absl::string_view name) {
  return Find(table.columns(), name);
}
v1::Column* FindColumn(v1::Table* table, absl::string_view name) {
  return Find(*table->mutable_columns(), name);
}
const v1::Index* FindIndex(const v1::Table& table, absl::string_view name) {
  return Find(table.indexes(), name);
}
const v1::Constraint* FindConstraint(const v1::Table& table, absl::string_view name) {
  return Find(table.constraints(), name);
}

sql::TableName NameOf(const v1::Table& table) { return {table.schema(), table.name()}; }

std::string Fingerprint(const v1::Schema& schema) {
  return base::Sha256Hex(absl::StrJoin(Facts(schema), "\n", absl::PairFormatter("\t")));
}

std::vector<std::string> Diff(const v1::Schema& before, const v1::Schema& after) {
  const auto old_facts = Facts(before), new_facts = Facts(after);
  std::vector<std::string> lines;
  for (const auto& [about, fact] : old_facts) {
    auto found = new_facts.find(about);
    if (found == new_facts.end()) {
      lines.push_back(absl::StrCat("- ", about));
    } else if (found->second != fact) {
      lines.push_back(absl::StrCat("~ ", about, ": ", fact, " -> ", found->second));
    }
  }
  for (const auto& [about, fact] : new_facts) {
    if (old_facts.find(about) == old_facts.end()) lines.push_back(absl::StrCat("+ ", about));
  }
  return lines;
}

}  // namespace curlew::schema
