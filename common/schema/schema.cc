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

// What an element of a table is about: "column phone", "foreign key of crm.orders orders_contact_fk".
std::string Label(const FieldDescriptor* field, const Message& element) {
  if (field->name() == "grants") {
    const auto& grant = static_cast<const v1::Privilege&>(element);
    return absl::StrCat("grant of ", grant.privilege(), " to ",
                        grant.grantee().empty() ? "PUBLIC" : sql::Ident(grant.grantee()));
  }
  const auto* name = element.GetDescriptor()->FindFieldByName("name");
  std::string label =
      field->name() == "referenced_by"
          ? absl::StrCat("foreign key of ", static_cast<const v1::Constraint&>(element).table())
          : field->name().substr(0, field->name().size() - (field->name().back() == 's'));
  if (field->name() == "indexes") label = "index";
  if (field->name() == "policies") label = "policy";
  return absl::StrCat(label, " ", sql::Ident(element.GetReflection()->GetString(element, name)));
}

using Facts = std::map<std::string, std::string>;

// Each element of a table is a fact of its own, and so is the rest of it.
void AddFacts(const v1::Table& table, Facts* facts) {
  const std::string name = absl::StrCat("table ", NameOf(table).Quoted());
  v1::Table header = table;
  header.clear_options();
  for (const std::string& option : table.options()) (*facts)[absl::StrCat(name, " option ", option)] = option;
  std::vector<const FieldDescriptor*> fields;
  header.GetReflection()->ListFields(header, &fields);
  for (const FieldDescriptor* field : fields) {
    if (!field->is_repeated()) continue;
    for (int i = 0; i < table.GetReflection()->FieldSize(table, field); ++i) {
      const Message& element = table.GetReflection()->GetRepeatedMessage(table, field, i);
      (*facts)[absl::StrCat(name, " ", Label(field, element))] = base::CanonicalJson(element);
    }
    header.GetReflection()->ClearField(&header, field);
  }
  (*facts)[name] = base::CanonicalJson(header);
}

// Other objects are small: one fact each.
template <typename Objects>
void AddFacts(absl::string_view kind, const Objects& objects, Facts* facts) {
  for (const auto& object : objects) {
    (*facts)[absl::StrCat(kind, " ", object.name())] = base::CanonicalJson(object);
  }
}

// The schema as a set of facts, by what each is about: the normal form. Lists inside an element come sorted
// from the catalogue where their order means nothing.
Facts FactsOf(const v1::Schema& schema) {
  Facts facts;
  for (const v1::Table& table : schema.tables()) AddFacts(table, &facts);
  AddFacts("enum", schema.enums(), &facts);
  AddFacts("view", schema.views(), &facts);
  AddFacts("function", schema.functions(), &facts);
  AddFacts("domain", schema.domains(), &facts);
  AddFacts("sequence", schema.sequences(), &facts);
  AddFacts("extension", schema.extensions(), &facts);
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

const v1::View* FindView(const v1::Schema& schema, absl::string_view name) {
  return Find(schema.views(), name);
}
v1::View* FindView(v1::Schema* schema, absl::string_view name) {
  return Find(*schema->mutable_views(), name);
}
const v1::Function* FindFunction(const v1::Schema& schema, absl::string_view name) {
  return Find(schema.functions(), name);
}
v1::Function* FindFunction(v1::Schema* schema, absl::string_view name) {
  return Find(*schema->mutable_functions(), name);
}
const v1::EnumType* FindEnum(const v1::Schema& schema, absl::string_view name) {
  return Find(schema.enums(), name);
}
v1::EnumType* FindEnum(v1::Schema* schema, absl::string_view name) {
  return Find(*schema->mutable_enums(), name);
}
const v1::Domain* FindDomain(const v1::Schema& schema, absl::string_view name) {
  return Find(schema.domains(), name);
}
v1::Domain* FindDomain(v1::Schema* schema, absl::string_view name) {
  return Find(*schema->mutable_domains(), name);
}
const v1::Sequence* FindSequence(const v1::Schema& schema, absl::string_view name) {
  return Find(schema.sequences(), name);
}
v1::Sequence* FindSequence(v1::Schema* schema, absl::string_view name) {
  return Find(*schema->mutable_sequences(), name);
}
const v1::Extension* FindExtension(const v1::Schema& schema, absl::string_view name) {
  return Find(schema.extensions(), name);
}
v1::Extension* FindExtension(v1::Schema* schema, absl::string_view name) {
  return Find(*schema->mutable_extensions(), name);
}

sql::TableName NameOf(const v1::Table& table) { return {table.schema(), table.name()}; }

std::string Fingerprint(const v1::Schema& schema) {
  return base::Sha256Hex(absl::StrJoin(FactsOf(schema), "\n", absl::PairFormatter("\t")));
}

std::vector<std::string> Diff(const v1::Schema& before, const v1::Schema& after) {
  const auto old_facts = FactsOf(before), new_facts = FactsOf(after);
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
