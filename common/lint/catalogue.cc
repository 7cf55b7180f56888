#include "common/lint/catalogue.h"

#include <algorithm>
#include <utility>

namespace curlew::lint {

const Column* Relation::Find(absl::string_view column) const {
  for (const Column& c : columns) {
    if (c.name == column) return &c;
  }
  return nullptr;
}

Column* Relation::Find(absl::string_view column) {
  return const_cast<Column*>(std::as_const(*this).Find(column));
}

const Column* Relation::ByNumber(int number) const {
  for (const Column& c : columns) {
    if (c.number == number) return &c;
  }
  return nullptr;
}

Relation* Catalogue::relation(Oid oid) {
  const auto it = relations.find(oid);
  return it == relations.end() ? nullptr : &it->second;
}

const Relation* Catalogue::relation(Oid oid) const {
  const auto it = relations.find(oid);
  return it == relations.end() ? nullptr : &it->second;
}

Relation* Catalogue::FindRelation(absl::string_view schema, absl::string_view name) {
  const auto it = relation_by_name.find({std::string(schema), std::string(name)});
  return it == relation_by_name.end() ? nullptr : relation(it->second);
}

const Type* Catalogue::type(Oid oid) const {
  const auto it = types.find(oid);
  return it == types.end() ? nullptr : &it->second;
}

const Type* Catalogue::FindType(absl::string_view schema, absl::string_view name) const {
  const auto it = type_by_name.find({std::string(schema), std::string(name)});
  return it == type_by_name.end() ? nullptr : type(it->second);
}

Relation& Catalogue::AddRelation(Relation relation) {
  const Oid oid = relation.oid;
  relation_by_name[{relation.schema, relation.name}] = oid;
  if (relation.IsIndex() && relation.index.table != 0) indexes_of.emplace(relation.index.table, oid);
  Relation& added = relations[oid];
  added = std::move(relation);
  return added;
}

void Catalogue::RenameRelation(Relation& relation, std::string schema, std::string name) {
  const auto it = relation_by_name.find({relation.schema, relation.name});
  if (it != relation_by_name.end() && it->second == relation.oid) relation_by_name.erase(it);
  relation.schema = std::move(schema);
  relation.name = std::move(name);
  relation_by_name[{relation.schema, relation.name}] = relation.oid;
}

void Catalogue::RemoveRelation(Oid oid) {
  const auto it = relations.find(oid);
  if (it == relations.end()) return;
  const auto named = relation_by_name.find({it->second.schema, it->second.name});
  if (named != relation_by_name.end() && named->second == oid) relation_by_name.erase(named);
  const auto [first, last] = indexes_of.equal_range(it->second.index.table);
  for (auto i = first; i != last; ++i) {
    if (i->second == oid) {
      indexes_of.erase(i);
      break;
    }
  }
  if (it->second.row_type != 0) RemoveType(it->second.row_type);
  // Nothing may name a relation that is not there.
  std::erase_if(constraints,
                [oid](const auto& c) { return c.second.table == oid || c.second.referenced == oid; });
  std::erase_if(triggers, [oid](const auto& t) { return t.second.table == oid; });
  std::erase_if(rules, [oid](const auto& r) { return r.second.table == oid; });
  std::erase_if(policies, [oid](const auto& p) { return p.second.table == oid; });
  std::erase_if(inheritance, [oid](const Inheritance& i) { return i.child == oid || i.parent == oid; });
  std::erase_if(default_partition, [oid](const auto& d) { return d.second == oid; });
  relations.erase(it);
}

void Catalogue::AddType(Type type) {
  type_by_name[{type.schema, type.name}] = type.oid;
  types[type.oid] = std::move(type);
}

void Catalogue::RemoveType(Oid oid) {
  const auto it = types.find(oid);
  if (it == types.end()) return;
  type_by_name.erase({it->second.schema, it->second.name});
  types.erase(it);
}

void Catalogue::Depend(Address object, Address referenced, char kind) {
  dependencies.push_back({object, referenced, kind});
}

std::vector<Oid> Catalogue::Indexes(Oid table) const {
  std::vector<Oid> found;
  const auto [first, last] = indexes_of.equal_range(table);
  for (auto i = first; i != last; ++i) found.push_back(i->second);
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<Oid> Catalogue::Children(Oid table) const {
  std::vector<Oid> found;
  for (const Inheritance& i : inheritance) {
    if (i.parent == table) found.push_back(i.child);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<Oid> Catalogue::Parents(Oid table) const {
  std::vector<Oid> found;
  for (const Inheritance& i : inheritance) {
    if (i.child == table) found.push_back(i.parent);
  }
  return found;
}

std::vector<Oid> Catalogue::AllInheritors(Oid table) const {
  if (relation(table) == nullptr) return {};
  std::vector<Oid> all = {table};
  for (size_t i = 0; i < all.size(); ++i) {
    for (Oid child : Children(all[i])) {
      if (std::find(all.begin(), all.end(), child) == all.end()) all.push_back(child);
    }
  }
  return all;
}

}  // namespace curlew::lint
