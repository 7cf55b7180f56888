#include "common/from_sql/known.h"

#include <algorithm>
#include <functional>

#include "common/from_sql/footprint.h"
#include "common/from_sql/piece.h"
#include "common/from_sql/text.h"
#include "common/operations/operation.h"
#include "common/schema/schema.h"
#include "common/sql/object_definition.h"
#include "common/sql/parser.h"

namespace curlew::from_sql {
namespace {

using sql::TableName;

template <typename Has>
TableName FirstOf(TableName name, const std::vector<std::string>& path, const Has& has) {
  if (!name.schema.empty()) return name;
  for (const std::string& schema : path) {
    if (has(TableName{schema, name.name})) return {schema, name.name};
  }
  return {path.empty() ? "public" : path.front(), name.name};
}

}  // namespace

Known::Known(const v1::Schema* schema) : exact_(schema != nullptr) {
  if (schema != nullptr) now_ = *schema;
}

void Known::SetSearchPath(std::vector<std::string> path) {
  path_.clear();
  for (std::string& schema : path) {
    // pg_catalog is looked through anyway, and the user's own schema is seldom there.
    if (schema != "$user" && schema != "pg_catalog" && schema != "pg_temp" && !schema.empty()) {
      path_.push_back(std::move(schema));
    }
  }
}

bool Known::is_plain_path() const { return path_.empty() || (path_.size() == 1 && path_[0] == "public"); }

TableName Known::Relation(TableName name) const {
  return FirstOf(std::move(name), path_, [&](const TableName& n) { return KindOf(n) != Kind::kUnknown; });
}

TableName Known::Relation(const pg_query::RangeVar& relation) const {
  return Relation(TableName{relation.schemaname(), relation.relname()});
}

TableName Known::Type(TableName name) const {
  return FirstOf(std::move(name), path_, [&](const TableName& n) { return HasType(n); });
}

TableName Known::Function(TableName name) const {
  return FirstOf(std::move(name), path_, [&](const TableName& n) {
    return Made(FunctionKey(n.Quoted())) || !FunctionsNamed(n).empty();
  });
}

std::optional<std::string> Known::TypeName(const pg_query::TypeName& type) const {
  if (type.names_size() != 1 || sql::IsBuiltInType(type) || is_plain_path()) return TypeText(type);
  // A type of the search path, or one of PostgreSQL's own that is not in the list of them.
  const TableName found = Type({"", type.names(0).string().sval()});
  if (!HasType(found)) return IsBuiltInType(found.name) ? TypeText(type) : std::nullopt;
  pg_query::TypeName qualified = type;
  qualified.clear_names();
  qualified.add_names()->mutable_string()->set_sval(found.schema);
  qualified.add_names()->mutable_string()->set_sval(found.name);
  return TypeText(qualified);
}

Kind Known::KindOf(const TableName& relation) const {
  const auto made = kinds_.find(relation);
  if (made != kinds_.end()) return made->second;
  if (const v1::Table* table = schema::FindTable(now_, relation); table != nullptr) {
    return table->kind() == v1::TABLE_KIND_PARTITIONED ? Kind::kPartitioned : Kind::kTable;
  }
  if (const v1::View* view = schema::FindView(now_, relation.Quoted()); view != nullptr) {
    return view->materialized() ? Kind::kMaterializedView : Kind::kView;
  }
  if (schema::FindSequence(now_, relation.Quoted()) != nullptr) return Kind::kSequence;
  if (!TableOf(relation).name.empty()) return Kind::kIndex;
  return Kind::kUnknown;
}

const v1::Table* Known::Table(const TableName& name) const { return schema::FindTable(now_, name); }

bool Known::HasType(const TableName& type) const {
  return Made(TypeKey(type.Quoted())) || schema::FindEnum(now_, type.Quoted()) != nullptr ||
         schema::FindDomain(now_, type.Quoted()) != nullptr;
}

std::vector<std::string> Known::FunctionsNamed(const TableName& name) const {
  std::vector<std::string> found;
  for (const v1::Function& function : now_.functions()) {
    const auto named = sql::NameOfFunction(function.name());
    if (named.ok() && *named == name) found.push_back(function.name());
  }
  return found;
}

TableName Known::TableOf(const TableName& index) const {
  const auto made = indexes_.find(index);
  if (made != indexes_.end()) return made->second;
  for (const v1::Table& table : now_.tables()) {
    if (table.schema() == index.schema && schema::FindIndex(table, index.name) != nullptr) {
      return schema::NameOf(table);
    }
  }
  return {};
}

bool Known::RelationTaken(const std::string& schema, const std::string& name) const {
  return KindOf({schema, name}) != Kind::kUnknown;
}

bool Known::ConstraintTaken(const std::string& schema, const std::string& name) const {
  if (constraints_.count({schema, name}) > 0) return true;
  return std::any_of(now_.tables().begin(), now_.tables().end(), [&](const v1::Table& table) {
    return table.schema() == schema && schema::FindConstraint(table, name) != nullptr;
  });
}

void Known::Apply(const v1::Operation& proto) {
  const auto operation = operations::MakeOperation(proto);
  if (!operation.ok()) return;
  v1::Schema next = now_;
  if ((*operation)->Apply(&next).ok()) now_ = std::move(next);
}

void Known::MakeRelation(const TableName& name, Kind kind) {
  kinds_[name] = kind;
  Make(RelationKey(name.Quoted()));
}

void Known::MakeIndex(const TableName& table, const std::string& name) {
  const TableName index{table.schema, name};
  kinds_[index] = Kind::kIndex;
  indexes_[index] = table;
  Make(RelationKey(index.Quoted()));
}

void Known::MakeConstraint(const TableName& table, const std::string& name) {
  constraints_.insert({table.schema, name});
  Make("constraint " + table.Quoted() + " " + name);
}

void Known::DropConstraint(const TableName& table, const std::string& name) {
  constraints_.erase({table.schema, name});
  Drop({table.schema, name});
  v1::Table* there = schema::FindTable(&now_, table);
  if (there == nullptr) return;
  auto erase = [&](auto* objects) {
    objects->erase(std::remove_if(objects->begin(), objects->end(),
                                  [&](const auto& object) { return object.name() == name; }),
                   objects->end());
  };
  erase(there->mutable_constraints());
  erase(there->mutable_indexes());
}

void Known::Drop(const TableName& relation) {
  kinds_[relation] = Kind::kUnknown;
  indexes_[relation] = {};
  made_.erase(RelationKey(relation.Quoted()));
}

}  // namespace curlew::from_sql
