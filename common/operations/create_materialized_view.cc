#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/objects.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class CreateMaterializedView : public Operation {
 public:
  CreateMaterializedView(sql::TableName name, sql::Query query)
      : name_(std::move(name)), query_(std::move(query)) {}

  v1::Scope Scope() const override { return ViewScope(name_, query_.tables); }

  absl::Status Apply(v1::Schema* schema) const override {
    RETURN_IF_ERROR(CheckNewName(*schema, name_));
    v1::View* view = schema->add_views();
    view->set_name(name_.Quoted());
    view->set_materialized(true);
    view->set_query(query_.text);
    if (query_.columns.has_value()) {
      view->mutable_columns()->Assign(query_.columns->begin(), query_.columns->end());
    }
    AddDependents(query_, kMaterializedView, name_.Quoted(), schema);
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    RETURN_IF_ERROR(CheckNameIsFree(context, name_));
    AppendSequenceNamePreflight(name_, steps);
    AppendQueryPreflight(context, name_, query_, {}, steps);
    v1::Step* create =
        steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("create materialised view ", name_.Quoted(), ", empty"));
    SetSql(create->mutable_action(), {SetSearchPathToPublic(),
                                      {"CREATE MATERIALIZED VIEW ", SqlText::Name(name_), " AS\n",
                                       SqlText::Verified(query_.text), "\nWITH NO DATA"}});
    SetSql(create->mutable_undo(), {{"DROP MATERIALIZED VIEW IF EXISTS ", SqlText::Name(name_)}});

    v1::Step* fill = steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("fill materialised view ", name_.Quoted()));
    // In one message, so that the deadline of DDL does not count for the second statement: it locks nothing
    // that anybody else uses.
    SetSql(fill->mutable_action(),
           {{"SET LOCAL statement_timeout = 0; REFRESH MATERIALIZED VIEW ", SqlText::Name(name_)}});
    fill->set_scans(true);
    for (const sql::TableName& table : query_.tables) {
      if (schema::FindTable(context.now, table) != nullptr) AddLock(fill, table, kAccessShare);
    }
    steps->NewShape(name_, "");
    steps->Warn(absl::StrCat("filling ", name_.Quoted(),
                             " is one transaction: vacuum frees nothing that was deleted since it began"));
    return absl::OkStatus();
  }

 private:
  const sql::TableName name_;
  const sql::Query query_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreateMaterializedView(
    const v1::CreateMaterializedView& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.view()));
  ASSIGN_OR_RETURN(sql::Query query, sql::ParseQuery(proto.query()));
  RETURN_IF_ERROR(CheckColumnsDiffer(name, query));
  return std::make_unique<CreateMaterializedView>(std::move(name), std::move(query));
}

}  // namespace curlew::operations
