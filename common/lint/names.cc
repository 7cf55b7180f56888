#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/lint/session.h"
#include "common/sql/identifier.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

char KindOf(Assume assume) {
  switch (assume) {
    case Assume::kTable:
      return 'r';
    case Assume::kView:
      return 'v';
    case Assume::kIndex:
      return 'i';
    case Assume::kSequence:
      return 'S';
    case Assume::kMaterializedView:
      return 'm';
    case Assume::kNothing:
      break;
  }
  return 'r';
}

bool IsSystem(absl::string_view schema) {
  return schema == "pg_catalog" || schema == "information_schema" || schema == "pg_toast";
}

}  // namespace

Assume AssumedKind(pg_query::ObjectType type) {
  switch (type) {
    case pg_query::OBJECT_INDEX:
      return Assume::kIndex;
    case pg_query::OBJECT_VIEW:
      return Assume::kView;
    case pg_query::OBJECT_MATVIEW:
      return Assume::kMaterializedView;
    case pg_query::OBJECT_SEQUENCE:
      return Assume::kSequence;
    default:
      return Assume::kTable;
  }
}

std::vector<std::string> Strings(const Nodes& nodes) {
  std::vector<std::string> strings;
  for (const Node& node : nodes) strings.push_back(node.string().sval());
  return strings;
}

std::string ConstantText(const Node& node) {
  switch (node.node_case()) {
    case Node::kAConst:
      if (node.a_const().has_sval()) return node.a_const().sval().sval();
      if (node.a_const().has_ival()) return absl::StrCat(node.a_const().ival().ival());
      if (node.a_const().has_fval()) return node.a_const().fval().fval();
      if (node.a_const().has_boolval()) return node.a_const().boolval().boolval() ? "true" : "false";
      return "";
    case Node::kString:
      return node.string().sval();
    case Node::kInteger:
      return absl::StrCat(node.integer().ival());
    case Node::kFloat:
      return node.float_().fval();
    case Node::kBoolean:
      return node.boolean().boolval() ? "true" : "false";
    case Node::kTypeCast:
      return ConstantText(node.type_cast().arg());
    default:
      return "";
  }
}

bool OptionIsOn(const pg_query::DefElem& option) {
  if (!option.has_arg()) return true;
  const std::string value = absl::AsciiStrToLower(ConstantText(option.arg()));
  return value != "false" && value != "off" && value != "0";
}

bool HasOption(const Nodes& options, absl::string_view name) {
  return std::any_of(options.begin(), options.end(), [name](const Node& n) {
    return n.def_elem().defname() == name && OptionIsOn(n.def_elem());
  });
}

std::pair<std::string, std::string> NameParts(const Nodes& names) {
  const std::vector<std::string> parts = Strings(names);
  if (parts.empty()) return {"", ""};
  return {parts.size() > 1 ? parts[parts.size() - 2] : "", parts.back()};
}

Relation* FindRelation(Effects& e, absl::string_view schema, absl::string_view name, Assume assume) {
  if (name.empty()) return nullptr;
  if (!schema.empty()) {
    if (Relation* r = e.catalogue.FindRelation(schema, name); r != nullptr) return r;
  } else {
    if (Relation* r = e.catalogue.FindRelation("pg_temp", name); r != nullptr) return r;
    for (const std::string& s : e.session.search_path) {
      if (Relation* r = e.catalogue.FindRelation(s, name); r != nullptr) return r;
    }
  }
  if (e.catalogue.complete || assume == Assume::kNothing || IsSystem(schema)) return nullptr;
  if (schema.empty() && absl::StartsWith(name, "pg_")) return nullptr;
  Relation r;
  r.oid = e.catalogue.NewOid();
  r.schema = schema.empty() ? CreationSchema(e.session, "") : std::string(schema);
  r.name = std::string(name);
  r.kind = KindOf(assume);
  r.assumed = true;
  return &e.catalogue.AddRelation(std::move(r));
}

Relation* FindRelation(Effects& e, const pg_query::RangeVar& name, Assume assume) {
  return FindRelation(e, name.schemaname(), name.relname(), assume);
}

Relation* FindRelation(Effects& e, const Nodes& names, Assume assume) {
  const auto [schema, name] = NameParts(names);
  return FindRelation(e, schema, name, assume);
}

absl::StatusOr<Relation*> NeedRelation(Effects& e, const pg_query::RangeVar& name, Assume assume) {
  Relation* r = FindRelation(e, name, assume);
  if (r != nullptr) return r;
  return e.Fail("42P01", absl::StrCat("relation \"", name.relname(), "\" does not exist"));
}

std::string CreationSchema(const Session& session, absl::string_view schema) {
  if (!schema.empty()) return std::string(schema);
  for (const std::string& s : session.search_path) {
    if (s != "pg_catalog") return s;
  }
  return "public";
}

Oid FindNamed(const Session& session, const std::map<Oid, Named>& named, const Nodes& names) {
  const auto [schema, name] = NameParts(names);
  Oid found = 0;
  for (const auto& [oid, n] : named) {
    if (n.name != name) continue;
    if (schema.empty() ? n.schema.empty() ||
                             std::count(session.search_path.begin(), session.search_path.end(), n.schema) > 0
                       : n.schema == schema) {
      found = oid;
    }
  }
  return found;
}

namespace {

// The modifier that a type's input function makes of what stands in parentheses.
int TypmodOf(absl::string_view type, const Nodes& modifiers) {
  std::vector<int> values;
  for (const Node& node : modifiers) {
    int value = 0;
    if (!absl::SimpleAtoi(ConstantText(node), &value)) return -1;
    values.push_back(value);
  }
  if (values.empty()) return -1;
  if (type == "varchar" || type == "bpchar") return values[0] + 4;
  if (type == "numeric") {
    const int scale = values.size() > 1 ? values[1] : 0;
    return ((values[0] << 16) | (scale & 0x7ff)) + 4;
  }
  if (type == "interval") {
    // The grammar gives the range first; 0x7FFF is all of it, 0xFFFF the full precision.
    const int precision = values.size() > 1 ? std::min(values[1], 6) : 0xFFFF;
    if (values.size() == 1 && values[0] == 0x7FFF) return -1;
    return ((values[0] & 0x7FFF) << 16) | (precision & 0xFFFF);
  }
  if (absl::StartsWith(type, "time")) return std::min(values[0], 6);
  return values[0];
}

}  // namespace

TypeUse ResolveType(const Effects& e, const pg_query::TypeName& name) {
  const auto [schema, type_name] = NameParts(name.names());
  TypeUse use;
  if (schema.empty() || schema == "pg_catalog") {
    static const auto* const serials = new std::map<std::string, std::string>{
        {"serial", "int4"},  {"serial4", "int4"},     {"bigserial", "int8"},
        {"serial8", "int8"}, {"smallserial", "int2"}, {"serial2", "int2"}};
    if (const auto it = serials->find(type_name); it != serials->end() && schema.empty()) {
      use.serial = true;
      if (const Type* t = e.catalogue.FindType("pg_catalog", it->second)) use.type = t->oid;
      return use;
    }
  }
  const Type* type = nullptr;
  if (!schema.empty()) {
    type = e.catalogue.FindType(schema, type_name);
  } else {
    type = e.catalogue.FindType("pg_catalog", type_name);
    for (const std::string& s : e.session.search_path) {
      if (type == nullptr) type = e.catalogue.FindType(s, type_name);
    }
  }
  if (type == nullptr) return use;
  use.typmod = TypmodOf(type->name, name.typmods());
  if (name.array_bounds_size() > 0) {
    use.type = type->array;
  } else {
    use.type = type->oid;
  }
  return use;
}

const Function* FindFunction(const Session& session, const Nodes& names, int arguments) {
  const auto [schema, name] = NameParts(names);
  const Function* found = nullptr;
  const auto [first, last] = session.catalogue.functions_by_name->equal_range(name);
  for (auto it = first; it != last; ++it) {
    const Function& f = session.catalogue.functions->at(it->second);
    const bool visible =
        schema.empty() ? f.schema == "pg_catalog" ||
                             std::count(session.search_path.begin(), session.search_path.end(), f.schema) > 0
                       : f.schema == schema;
    if (!visible) continue;
    if (found == nullptr || (arguments >= 0 && f.arguments == arguments && found->arguments != arguments)) {
      found = &f;
    } else if (f.arguments == arguments && f.volatility == 'v') {
      found = &f;
    }
  }
  return found;
}

}  // namespace curlew::lint
