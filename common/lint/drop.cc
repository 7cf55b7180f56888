#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/lint/deletion.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

// The kinds of relations that DROP names by a word of their own.
bool IsRelationKind(pg_query::ObjectType type) {
  switch (type) {
    case pg_query::OBJECT_TABLE:
    case pg_query::OBJECT_INDEX:
    case pg_query::OBJECT_VIEW:
    case pg_query::OBJECT_MATVIEW:
    case pg_query::OBJECT_SEQUENCE:
    case pg_query::OBJECT_FOREIGN_TABLE:
      return true;
    default:
      return false;
  }
}

bool Fits(pg_query::ObjectType type, const Relation& r) {
  switch (type) {
    case pg_query::OBJECT_TABLE:
      return r.IsTable();
    case pg_query::OBJECT_INDEX:
      return r.IsIndex();
    case pg_query::OBJECT_VIEW:
      return r.kind == 'v';
    case pg_query::OBJECT_MATVIEW:
      return r.kind == 'm';
    case pg_query::OBJECT_SEQUENCE:
      return r.kind == 'S';
    default:
      return r.kind == 'f';
  }
}

absl::Status DropIndexConcurrently(Effects& e, const pg_query::DropStmt& drop) {
  e.transactional = false;
  if (drop.objects_size() > 1)
    return e.Fail("0A000", "DROP INDEX CONCURRENTLY does not support dropping multiple objects");
  if (drop.behavior() == pg_query::DROP_CASCADE)
    return e.Fail("0A000", "DROP INDEX CONCURRENTLY does not support CASCADE");
  const auto [schema, name] = NameParts(drop.objects(0).list().items());
  Relation* index = FindRelation(e, schema, name, Assume::kIndex);
  if (index == nullptr) {
    if (drop.missing_ok()) return absl::OkStatus();
    return e.Fail("42704", absl::StrCat("index \"", name, "\" does not exist"));
  }
  const Oid table = index->index.table;
  if (index->partition) e.Lock(e.catalogue.Parents(index->oid), LockMode::kAccessExclusive);
  if (index->kind == 'I') {
    e.Lock({table, index->oid}, LockMode::kShareUpdateExclusive);
    return e.Fail("0A000", "cannot drop partitioned index concurrently");
  }
  e.Lock({table, index->oid}, LockMode::kShareUpdateExclusive);
  for (const auto& [oid, constraint] : e.catalogue.constraints) {
    if (constraint.index == index->oid && constraint.table == table && constraint.kind != 'f')
      return e.Fail("2BP01", absl::StrCat("cannot drop index ", name, " because constraint ", constraint.name,
                                          " requires it"));
  }
  if (index->partition)
    return e.Fail("2BP01",
                  absl::StrCat("cannot drop index ", name, " because a partitioned index requires it"));
  // At the end it is locked for nobody's plan knows it any more.
  e.LockBriefly(index->oid, LockMode::kAccessExclusive);
  if (!e.catalogue.complete || table != 0) e.catalogue.RemoveRelation(index->oid);
  return absl::OkStatus();
}

absl::Status DropRelations(Effects& e, const pg_query::DropStmt& drop) {
  if (drop.concurrent()) return DropIndexConcurrently(e, drop);
  std::vector<Address> objects;
  for (const Node& object : drop.objects()) {
    const auto [schema, name] = NameParts(object.list().items());
    Relation* r = FindRelation(e, schema, name, AssumedKind(drop.remove_type()));
    if (r == nullptr) {
      if (drop.missing_ok()) continue;
      return e.Fail("42P01", absl::StrCat("\"", name, "\" does not exist"));
    }
    if (!Fits(drop.remove_type(), *r) && !r->assumed)
      return e.Fail("42809", absl::StrCat("\"", name, "\" is another kind of object"));
    if (r->IsIndex()) e.Lock(r->index.table, LockMode::kAccessExclusive);
    if (r->partition) e.Lock(e.catalogue.Parents(r->oid), LockMode::kAccessExclusive);
    e.Lock(r->oid, LockMode::kAccessExclusive);
    if (!e.IsNew(r->oid) && !r->IsIndex()) {
      e.Warn("breaks-applications", Severity::kWarning,
             absl::StrCat(e.QuotedName(*r), " goes: whoever still uses it fails at once"),
             absl::StrCat(
                 "-- first make sure that nothing uses it, keep a dump, then:\nSET lock_timeout = '500ms';\n",
                 "-- ", e.QuotedName(*r), " can be renamed first, which is quick to undo"));
    }
    objects.push_back({kPgClass, r->oid, 0});
  }
  return Delete(e, objects,
                drop.behavior() == pg_query::DROP_CASCADE ? Behaviour::kCascade : Behaviour::kRestrict);
}

// The object of a relation that a list of names ends with: trigger, rule, policy on a table.
template <typename Objects>
Address OnRelation(const Objects& objects, Oid catalogue, Oid table, absl::string_view name) {
  for (const auto& [oid, object] : objects) {
    if (object.table == table && object.name == name) return {catalogue, oid, 0};
  }
  return {};
}

absl::Status DropOnRelation(Effects& e, const pg_query::DropStmt& drop) {
  std::vector<Address> objects;
  for (const Node& object : drop.objects()) {
    std::vector<std::string> parts = Strings(object.list().items());
    if (parts.size() < 2) continue;
    const std::string name = parts.back();
    Relation* r = FindRelation(e, parts.size() > 2 ? parts[parts.size() - 3] : "", parts[parts.size() - 2]);
    if (r == nullptr) {
      if (drop.missing_ok()) continue;
      return e.Fail("42P01", absl::StrCat("relation \"", parts[parts.size() - 2], "\" does not exist"));
    }
    e.Lock(r->oid, LockMode::kAccessShare);
    const Catalogue& c = e.catalogue;
    Address found =
        drop.remove_type() == pg_query::OBJECT_TRIGGER ? OnRelation(c.triggers, kPgTrigger, r->oid, name)
        : drop.remove_type() == pg_query::OBJECT_RULE  ? OnRelation(c.rules, kPgRewrite, r->oid, name)
                                                       : OnRelation(c.policies, kPgPolicy, r->oid, name);
    if (found.id == 0 && !r->assumed) {
      if (drop.missing_ok()) continue;
      return e.Fail("42704", absl::StrCat("\"", name, "\" on ", e.QuotedName(*r), " does not exist"));
    }
    if (found.id == 0) e.Lock(r->oid, LockMode::kAccessExclusive);
    if (drop.remove_type() != pg_query::OBJECT_TRIGGER || !e.IsNew(r->oid)) {
      e.Warn("breaks-applications", Severity::kWarning,
             absl::StrCat("\"", name, "\" of ", e.QuotedName(*r), " goes: applications may count on it"));
    }
    if (found.id != 0) objects.push_back(found);
  }
  return Delete(e, objects,
                drop.behavior() == pg_query::DROP_CASCADE ? Behaviour::kCascade : Behaviour::kRestrict);
}

Oid FindFunctionToDrop(const Effects& e, const pg_query::ObjectWithArgs& object) {
  const auto [schema, name] = NameParts(object.objname());
  std::string types;
  for (const Node& argument : object.objargs()) {
    absl::StrAppend(&types, types.empty() ? "" : " ", ResolveType(e, argument.type_name()).type);
  }
  const auto [first, last] = e.catalogue.functions_by_name->equal_range(name);
  Oid only = 0;
  int count = 0;
  for (auto it = first; it != last; ++it) {
    const Function& f = e.catalogue.functions->at(it->second);
    if (!schema.empty() && f.schema != schema) continue;
    if (!object.args_unspecified() && f.argument_types == types) return f.oid;
    only = f.oid;
    ++count;
  }
  return count == 1 ? only : 0;
}

Address FindOther(const Effects& e, Oid catalogue, absl::string_view schema, absl::string_view name) {
  for (const auto& [address, other] : e.catalogue.others) {
    if (address.catalogue == catalogue && other.name == name && (schema.empty() || other.schema == schema))
      return address;
  }
  return {catalogue, 0, 0};
}

// The object that DROP names, where it is no relation nor on one. 0 where it is not known.
Address FindObject(Effects& e, pg_query::ObjectType type, const Node& object) {
  const Session& s = e.session;
  const Nodes& names = object.has_list() ? object.list().items() : Nodes();
  switch (type) {
    case pg_query::OBJECT_TYPE:
    case pg_query::OBJECT_DOMAIN: {
      const Oid oid = ResolveType(e, object.type_name()).type;
      return {kPgType, oid, 0};
    }
    case pg_query::OBJECT_FUNCTION:
    case pg_query::OBJECT_PROCEDURE:
    case pg_query::OBJECT_ROUTINE:
    case pg_query::OBJECT_AGGREGATE:
      return {kPgProc, FindFunctionToDrop(e, object.object_with_args()), 0};
    case pg_query::OBJECT_STATISTIC_EXT:
      return {kPgStatisticExt, FindNamed(s, s.catalogue.statistics, names), 0};
    case pg_query::OBJECT_SCHEMA:
    case pg_query::OBJECT_EXTENSION:
    case pg_query::OBJECT_PUBLICATION: {
      const auto& named = type == pg_query::OBJECT_SCHEMA      ? s.catalogue.schemas
                          : type == pg_query::OBJECT_EXTENSION ? s.catalogue.extensions
                                                               : s.catalogue.publications;
      const Oid catalogue = type == pg_query::OBJECT_SCHEMA      ? kPgNamespace
                            : type == pg_query::OBJECT_EXTENSION ? kPgExtension
                                                                 : kPgPublication;
      for (const auto& [oid, n] : named) {
        if (n.name == object.string().sval()) return {catalogue, oid, 0};
      }
      return {catalogue, 0, 0};
    }
    case pg_query::OBJECT_FOREIGN_SERVER:
      return FindOther(e, kPgForeignServer, "", object.string().sval());
    case pg_query::OBJECT_FDW:
      return FindOther(e, kPgForeignDataWrapper, "", object.string().sval());
    case pg_query::OBJECT_ACCESS_METHOD:
      return FindOther(e, kPgAm, "", object.string().sval());
    case pg_query::OBJECT_LANGUAGE:
      return FindOther(e, kPgLanguage, "", object.string().sval());
    case pg_query::OBJECT_EVENT_TRIGGER:
      return FindOther(e, kPgEventTrigger, "", object.string().sval());
    case pg_query::OBJECT_COLLATION: {
      const auto [schema, name] = NameParts(names);
      return FindOther(e, kPgCollation, schema, name);
    }
    default:
      return {};
  }
}

absl::Status DropObjects(Effects& e, const pg_query::DropStmt& drop) {
  std::vector<Address> objects;
  for (const Node& object : drop.objects()) {
    const Address found = FindObject(e, drop.remove_type(), object);
    if (found.id == 0) {
      if (found.catalogue != 0 && e.catalogue.complete && !drop.missing_ok())
        return e.Fail("42704", "what it drops does not exist");
      continue;
    }
    objects.push_back(found);
  }
  if (!drop.missing_ok() || !objects.empty()) {
    e.Warn("breaks-applications", Severity::kWarning,
           "what it drops goes at once: applications that still use it fail");
  }
  return Delete(e, objects,
                drop.behavior() == pg_query::DROP_CASCADE ? Behaviour::kCascade : Behaviour::kRestrict);
}

}  // namespace

absl::Status LintDrop(Effects& e, const pg_query::DropStmt& drop) {
  if (IsRelationKind(drop.remove_type())) return DropRelations(e, drop);
  switch (drop.remove_type()) {
    case pg_query::OBJECT_TRIGGER:
    case pg_query::OBJECT_RULE:
    case pg_query::OBJECT_POLICY:
      return DropOnRelation(e, drop);
    default:
      return DropObjects(e, drop);
  }
}

absl::Status LintDropOwned(Effects& e, const pg_query::DropOwnedStmt& drop) {
  std::set<std::string> roles;
  for (const Node& role : drop.roles()) roles.insert(role.role_spec().rolename());
  std::vector<Address> objects;
  for (const auto& [oid, r] : e.catalogue.relations) {
    if (roles.count(r.owner) == 0 || r.IsIndex()) continue;
    // What belongs to something else of the role goes with it.
    const bool owned = std::any_of(
        e.catalogue.dependencies.begin(), e.catalogue.dependencies.end(), [&](const Dependency& d) {
          return d.object.catalogue == kPgClass && d.object.id == oid && (d.kind == 'i' || d.kind == 'a');
        });
    if (!owned) objects.push_back({kPgClass, oid, 0});
  }
  for (const auto& [oid, n] : e.catalogue.schemas) {
    if (roles.count(n.owner) > 0) objects.push_back({kPgNamespace, oid, 0});
  }
  for (const auto& [oid, policy] : e.catalogue.policies) {
    if (roles.count(policy.roles) > 0) objects.push_back({kPgPolicy, oid, 0});
  }
  e.Warn("breaks-applications", Severity::kWarning, "everything that the role owns goes at once");
  return Delete(e, objects,
                drop.behavior() == pg_query::DROP_CASCADE ? Behaviour::kCascade : Behaviour::kRestrict);
}

}  // namespace curlew::lint
