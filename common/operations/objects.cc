#include "common/operations/objects.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/dependents.h"
#include "common/schema/schema.h"
#include "common/sql/object_definition.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;
using Dependents = google::protobuf::RepeatedPtrField<v1::Dependent>;

constexpr char kPublicPath[] = "pg_catalog, public, pg_temp";

bool IsSystemSchema(absl::string_view schema) {
  return absl::StartsWith(schema, "pg_") || schema == "information_schema";
}

void AddTo(Dependents* dependents, absl::string_view kind, const std::string& name) {
  for (const v1::Dependent& dependent : *dependents) {
    if (dependent.type() == kind && dependent.identity() == name) return;
  }
  v1::Dependent* dependent = dependents->Add();
  dependent->set_type(std::string(kind));
  dependent->set_identity(name);
}

void RemoveFrom(Dependents* dependents, absl::string_view kind, const std::string& name) {
  dependents->erase(
      std::remove_if(dependents->begin(), dependents->end(),
                     [&](const v1::Dependent& d) { return d.type() == kind && d.identity() == name; }),
      dependents->end());
}

bool Uses(const sql::Query& query, const TableName& table, const std::string& column) {
  return std::any_of(query.uses.begin(), query.uses.end(), [&](const sql::ColumnUse& use) {
    return (!use.table.has_value() || *use.table == table) && (use.column == column || use.column == "*");
  });
}

// Whether everything that the query may name is there before the stage as it is for the operation.
bool NothingIsNew(const CompileContext& context, const sql::Query& query) {
  const v1::Schema &now = context.now, &before = context.before;
  for (const TableName& name : query.tables) {
    const v1::Table *old_table = schema::FindTable(now, name), *table = schema::FindTable(before, name);
    if ((old_table == nullptr) != (table == nullptr)) return false;
    if (table != nullptr && table->SerializeAsString() != old_table->SerializeAsString()) return false;
    const v1::View *old_view = schema::FindView(now, name.Quoted()),
                   *view = schema::FindView(before, name.Quoted());
    if ((old_view == nullptr) != (view == nullptr)) return false;
    if (view != nullptr && view->SerializeAsString() != old_view->SerializeAsString()) return false;
  }
  return now.functions_size() == before.functions_size() && now.enums_size() == before.enums_size() &&
         now.domains_size() == before.domains_size() && now.sequences_size() == before.sequences_size() &&
         now.extensions_size() == before.extensions_size();
}

class DropOfView : public Operation {
 public:
  DropOfView(TableName name, absl::string_view kind) : name_(std::move(name)), kind_(kind) {}

  v1::Scope Scope() const override { return ViewScope(name_, {}); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(const v1::View* view, NamedView(*schema, name_, kind_));
    RETURN_IF_ERROR(CheckNoDependents(absl::StrCat(kind_, " ", name_.Quoted()), view->dependents()));
    auto* views = schema->mutable_views();
    views->erase(std::find_if(views->begin(), views->end(), [&](const v1::View& v) { return &v == view; }));
    ForgetDependent(kind_, name_.Quoted(), schema);
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    if (!NamedView(context.now, name_, kind_).ok()) {
      return absl::FailedPreconditionError(absl::StrCat(
          kind_, " ", name_.Quoted(), " is created by this very plan; leave both operations out"));
    }
    v1::Step* step = steps->Add(v1::PHASE_DROP, absl::StrCat("drop ", kind_, " ", name_.Quoted()));
    SetSql(step->mutable_action(),
           {{kind_ == kView ? SqlText({"DROP VIEW "}) : SqlText({"DROP MATERIALIZED VIEW "}),
             SqlText::Name(name_)}});
    AddLock(step, name_, kAccessExclusive);
    steps->OldShape(name_, "");
    return absl::OkStatus();
  }

 private:
  const TableName name_;
  const std::string kind_;
};

}  // namespace

std::unique_ptr<Operation> MakeDropOfView(TableName name, absl::string_view kind) {
  return std::make_unique<DropOfView>(std::move(name), kind);
}

SqlText SetSearchPath(const std::string& path) {
  return {"SET LOCAL search_path = ", SqlText::Verified(path)};
}

SqlText SetSearchPathToPublic() { return SetSearchPath(kPublicPath); }

v1::Scope ViewScope(const TableName& name, const std::vector<TableName>& tables) {
  std::set<std::string> names = {name.Quoted()};
  for (const TableName& table : tables) {
    if (!IsSystemSchema(table.schema)) names.insert(table.Quoted());
  }
  v1::Scope scope;
  for (const std::string& relation : names) {
    scope.add_tables(relation);
    scope.add_views(relation);
  }
  return scope;
}

absl::StatusOr<const v1::View*> NamedView(const v1::Schema& schema, const TableName& name,
                                          absl::string_view kind) {
  const v1::View* view = schema::FindView(schema, name.Quoted());
  if (view != nullptr && view->materialized() == (kind == kMaterializedView)) return view;
  if (view != nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(name.Quoted(), " is a ", view->materialized() ? kMaterializedView : kView, "; use drop_",
                     view->materialized() ? "materialized_view" : "view"));
  }
  if (schema::FindTable(schema, name) != nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(name.Quoted(), " is a table, no ", kind, "; use drop_table"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat(kind, " ", name.Quoted(),
                   " does not exist at this point of the plan; check the name and its "
                   "schema (public where none is written)"));
}

absl::Status CheckNoDependents(absl::string_view what, const Dependents& dependents) {
  if (dependents.empty()) return absl::OkStatus();
  std::vector<std::string> names;
  for (const v1::Dependent& dependent : dependents) {
    if (names.size() == 5) {
      names.push_back(absl::StrCat(dependents.size() - 5, " others"));
      break;
    }
    names.push_back(absl::StrCat(dependent.type(), " ", dependent.identity()));
  }
  return absl::FailedPreconditionError(
      absl::StrCat(what, " is used by ", absl::StrJoin(names, ", "),
                   "; drop or replace what uses it first, earlier in this plan or in one before it"));
}

absl::Status CheckColumnsDiffer(const TableName& name, const sql::Query& query) {
  std::set<std::string> seen;
  for (const std::string& column : query.columns.value_or(std::vector<std::string>())) {
    if (seen.insert(column).second) continue;
    return absl::InvalidArgumentError(absl::StrCat(name.Quoted(), ": two columns of the query are called ",
                                                   sql::Ident(column),
                                                   "; give one of them another name by AS"));
  }
  return absl::OkStatus();
}

void AddDependents(const sql::Query& query, absl::string_view kind, const std::string& name,
                   v1::Schema* schema) {
  for (const TableName& relation : query.tables) {
    if (v1::Table* table = schema::FindTable(schema, relation)) {
      for (v1::Column& column : *table->mutable_columns()) {
        if (Uses(query, relation, column.name())) AddTo(column.mutable_dependents(), kind, name);
      }
    }
    if (v1::View* view = schema::FindView(schema, relation.Quoted())) {
      AddTo(view->mutable_dependents(), kind, name);
    }
  }
  for (v1::Function& function : *schema->mutable_functions()) {
    const auto called = sql::NameOfFunction(function.name());
    if (called.ok() && Holds(query.functions, called->name)) AddTo(function.mutable_dependents(), kind, name);
  }
}

void ForgetDependent(absl::string_view kind, const std::string& name, v1::Schema* schema) {
  for (v1::Table& table : *schema->mutable_tables()) {
    for (v1::Column& column : *table.mutable_columns()) RemoveFrom(column.mutable_dependents(), kind, name);
  }
  for (v1::View& view : *schema->mutable_views()) RemoveFrom(view.mutable_dependents(), kind, name);
  for (v1::Function& function : *schema->mutable_functions()) {
    RemoveFrom(function.mutable_dependents(), kind, name);
  }
}

void AppendQueryPreflight(const CompileContext& context, const TableName& view, const sql::Query& query,
                          const std::vector<std::string>& columns, StepList* steps) {
  if (!NothingIsNew(context, query)) return;
  const SqlText text = SqlText::Verified(query.text);
  v1::Step* step = steps->AddPreflight(absl::StrCat("check the query of ", view.Quoted()));
  // Nothing is read: the join finds its condition false before it begins.
  step->set_scans(false);
  v1::Verify* verify = step->mutable_action()->mutable_verify();
  verify->set_search_path(kPublicPath);
  v1::Check* understood = verify->add_checks();
  understood->set_description(absl::StrCat("the server understands the query of ", view.Quoted()));
  understood->set_count_query(
      SqlText({"SELECT count(q) FROM (SELECT) AS one LEFT JOIN (", text, "\n) AS q ON false"}).str());
  understood->set_hint("Mend the query in the plan.");
  if (columns.empty()) return;
  SqlText types;
  for (const std::string& column : columns) {
    if (!types.empty()) types.Append({", "});
    types.Append({"pg_catalog.pg_typeof(q.", SqlText::Name(column), ")::pg_catalog.oid"});
  }
  v1::Check* same = verify->add_checks();
  same->set_description(absl::StrCat("the columns of ", view.Quoted(), " keep their types"));
  same->set_count_query(
      SqlText(
          {"WITH found AS (SELECT ARRAY[", types, "] AS types FROM (SELECT) AS one LEFT JOIN (", text,
           "\n) AS q ON false), there AS (SELECT a.atttypid, row_number() OVER (ORDER BY a.attnum) AS n FROM "
           "pg_catalog.pg_attribute AS a WHERE a.attrelid = ",
           SqlText::String(view.Quoted()),
           "::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped) SELECT count(*) FROM there, found "
           "WHERE there.atttypid IS DISTINCT FROM found.types[there.n]"})
          .str());
  same->set_hint(
      "PostgreSQL cannot change the type of a view's column. Cast the column in the query, or create a view "
      "under "
      "another name and drop this one.");
}

}  // namespace curlew::operations
