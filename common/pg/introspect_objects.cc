#include "common/pg/introspect_objects.h"

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/pg/introspect_object_queries.h"
#include "common/pg/introspect_queries.h"

namespace curlew::pg {
namespace {

using Names = google::protobuf::RepeatedPtrField<std::string>;

Param ToParam(const Names& names) { return ArrayParam({names.begin(), names.end()}); }

template <typename T>
Param OidsOf(const std::map<std::string, T>& by_oid) {
  std::vector<std::string> oids;
  for (const auto& [oid, unused] : by_oid) oids.push_back(oid);
  return ArrayParam(oids);
}

void SetNames(const std::vector<std::string>& names, Names* field) {
  field->Assign(names.begin(), names.end());
}

template <typename Object>
absl::Status ReadDependents(Transaction* transaction, const char* catalogue,
                            const std::map<std::string, std::vector<Object*>>& by_oid) {
  ASSIGN_OR_RETURN(const Result r, transaction->Execute(kObjectDependents, {OidsOf(by_oid), catalogue}));
  for (int64_t i = 0; i < r.size(); ++i) {
    for (Object* object : by_oid.at(r.Text(i, 0))) {
      v1::Dependent* dependent = object->add_dependents();
      dependent->set_type(r.Text(i, 1));
      dependent->set_identity(r.Text(i, 2));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadViews(Transaction* transaction, const Names& names, v1::Schema* schema) {
  ASSIGN_OR_RETURN(const Result r, transaction->Execute(absl::StrCat(kNamed, kViews), {ToParam(names)}));
  std::map<std::string, std::vector<v1::View*>> by_oid;
  for (int64_t i = 0; i < r.size(); ++i) {
    v1::View* view = schema->add_views();
    by_oid[r.Text(i, 0)] = {view};
    view->set_name(r.Text(i, 1));
    view->set_materialized(r.Bool(i, 2));
    view->set_query(r.Text(i, 3));
    SetNames(r.Array(i, 4), view->mutable_options());
    SetNames(r.Array(i, 5), view->mutable_columns());
    view->set_owner(r.Text(i, 6));
  }
  return ReadDependents(transaction, "pg_class", by_oid);
}

// The function's OID; "" where there is none, for whatever reason. The server raises an error for a type that
// does not exist, which must not end the transaction.
absl::StatusOr<std::string> FindFunction(Transaction* transaction, const std::string& name) {
  RETURN_IF_ERROR(
      transaction->Execute("SAVEPOINT curlew_find; SET LOCAL search_path = pg_catalog, public").status());
  const absl::StatusOr<Result> found = transaction->Execute(kFindFunction, {name});
  RETURN_IF_ERROR(
      transaction->Execute("ROLLBACK TO SAVEPOINT curlew_find; RELEASE SAVEPOINT curlew_find").status());
  switch (found.status().code()) {
    case absl::StatusCode::kOk:
      return found->empty() ? "" : found->Text(0, 0);
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:  // a name with a database in front
      return "";
    default:
      return found.status();
  }
}

absl::Status ReadFunctions(Transaction* transaction, const std::set<std::string>& names, v1::Schema* schema) {
  std::map<std::string, std::vector<v1::Function*>> by_oid;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const std::string oid, FindFunction(transaction, name));
    if (oid.empty()) continue;
    by_oid[oid].push_back(schema->add_functions());
    by_oid[oid].back()->set_name(name);
  }
  ASSIGN_OR_RETURN(const Result r, transaction->Execute(kFunctions, {OidsOf(by_oid)}));
  for (int64_t i = 0; i < r.size(); ++i) {
    for (v1::Function* function : by_oid.at(r.Text(i, 0))) {
      function->set_identity(r.Text(i, 1));
      function->set_definition(r.Text(i, 2));
      function->set_owner(r.Text(i, 3));
      function->set_procedure(r.Bool(i, 4));
    }
  }
  return ReadDependents(transaction, "pg_proc", by_oid);
}

// Adds domains and returns the OIDs of enum types.
absl::StatusOr<std::vector<std::string>> ReadTypes(Transaction* transaction, const Names& names,
                                                   v1::Schema* schema) {
  ASSIGN_OR_RETURN(const Result r, transaction->Execute(absl::StrCat(kNamed, kTypes), {ToParam(names)}));
  std::vector<std::string> enums;
  std::map<std::string, v1::Domain*> domains;
  for (int64_t i = 0; i < r.size(); ++i) {
    if (!r.Bool(i, 1)) {
      enums.push_back(r.Text(i, 0));
      continue;
    }
    v1::Domain* domain = schema->add_domains();
    domains[r.Text(i, 0)] = domain;
    domain->set_name(r.Text(i, 2));
    domain->set_type(r.Text(i, 3));
    domain->set_not_null(r.Bool(i, 4));
    domain->set_default_(r.Text(i, 5));
  }
  ASSIGN_OR_RETURN(const Result k, transaction->Execute(kDomainConstraints, {OidsOf(domains)}));
  for (int64_t i = 0; i < k.size(); ++i) {
    v1::Constraint* constraint = domains.at(k.Text(i, 0))->add_constraints();
    constraint->set_type(v1::CONSTRAINT_TYPE_CHECK);
    constraint->set_name(k.Text(i, 1));
    constraint->set_definition(k.Text(i, 2));
    constraint->set_validated(k.Bool(i, 3));
  }
  return enums;
}

absl::Status ReadSequences(Transaction* transaction, const Names& names, v1::Schema* schema) {
  ASSIGN_OR_RETURN(const Result r, transaction->Execute(absl::StrCat(kNamed, kSequences), {ToParam(names)}));
  for (int64_t i = 0; i < r.size(); ++i) {
    v1::Sequence* sequence = schema->add_sequences();
    sequence->set_name(r.Text(i, 0));
    sequence->set_type(r.Text(i, 1));
    sequence->set_start(r.Int(i, 2));
    sequence->set_increment(r.Int(i, 3));
    sequence->set_minimum(r.Int(i, 4));
    sequence->set_maximum(r.Int(i, 5));
    sequence->set_cache(r.Int(i, 6));
    sequence->set_cycle(r.Bool(i, 7));
    sequence->set_owned_by(r.Text(i, 8));
  }
  return absl::OkStatus();
}

absl::Status ReadExtensions(Transaction* transaction, const Names& names, v1::Schema* schema) {
  ASSIGN_OR_RETURN(const Result r, transaction->Execute(kExtensions, {ToParam(names)}));
  for (int64_t i = 0; i < r.size(); ++i) {
    v1::Extension* extension = schema->add_extensions();
    extension->set_name(r.Text(i, 0));
    extension->set_version(r.Text(i, 1));
    extension->set_schema(r.Text(i, 2));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadObjects(Transaction* transaction, const v1::Scope& scope,
                                                     v1::Schema* schema) {
  std::vector<std::string> enums;
  if (!scope.views().empty()) RETURN_IF_ERROR(ReadViews(transaction, scope.views(), schema));
  if (!scope.functions().empty()) {
    RETURN_IF_ERROR(ReadFunctions(transaction, {scope.functions().begin(), scope.functions().end()}, schema));
  }
  if (!scope.types().empty()) {
    ASSIGN_OR_RETURN(enums, ReadTypes(transaction, scope.types(), schema));
  }
  if (!scope.sequences().empty()) RETURN_IF_ERROR(ReadSequences(transaction, scope.sequences(), schema));
  if (!scope.extensions().empty()) RETURN_IF_ERROR(ReadExtensions(transaction, scope.extensions(), schema));
  return enums;
}

}  // namespace curlew::pg
