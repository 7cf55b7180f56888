#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/operations/objects.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using Options = google::protobuf::RepeatedPtrField<std::string>;

// "security_barrier=true", ... as WITH (security_barrier = 'true', ...).
SqlText WithOptions(const Options& options) {
  SqlText with;
  for (const std::string& option : options) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(option, absl::MaxSplits('=', 1));
    with.Append({with.empty() ? SqlText({" WITH ("}) : SqlText({", "}), SqlText::Name(parts.first), " = ",
                 SqlText::String(parts.second)});
  }
  if (!with.empty()) with.Append({")"});
  return with;
}

class CreateView : public Operation {
 public:
  CreateView(sql::TableName name, sql::Query query, Options options)
      : name_(std::move(name)), query_(std::move(query)), options_(std::move(options)) {}

  v1::Scope Scope() const override { return ViewScope(name_, query_.tables); }

  absl::Status Apply(v1::Schema* schema) const override {
    v1::View* view = schema::FindView(schema, name_.Quoted());
    if (view == nullptr || view->materialized()) {
      RETURN_IF_ERROR(CheckNewName(*schema, name_));
      view = schema->add_views();
      view->set_name(name_.Quoted());
    } else {
      RETURN_IF_ERROR(CheckColumnsStay(*view));
    }
    view->set_query(query_.text);
    if (query_.columns.has_value()) {
      view->mutable_columns()->Assign(query_.columns->begin(), query_.columns->end());
    }
    if (!options_.empty()) *view->mutable_options() = options_;
    ForgetDependent(kView, name_.Quoted(), schema);
    AddDependents(query_, kView, name_.Quoted(), schema);
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    const v1::View* view = schema::FindView(context.before, name_.Quoted());
    if (view == nullptr) {
      RETURN_IF_ERROR(CheckNameIsFree(context, name_));
      AppendSequenceNamePreflight(name_, steps);
      AppendQueryPreflight(context, name_, query_, {}, steps);
      v1::Step* step = Add("create view ", options_, steps);
      SetSql(step->mutable_undo(), {{"DROP VIEW IF EXISTS ", SqlText::Name(name_)}});
      steps->NewShape(name_, "");
      return absl::OkStatus();
    }
    if (schema::FindView(context.now, name_.Quoted()) == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("view ", name_.Quoted(), " is created by this very plan; write its query once"));
    }
    AppendQueryPreflight(context, name_, query_, {view->columns().begin(), view->columns().end()}, steps);
    v1::Step* step = Add("replace the query of view ", options_.empty() ? view->options() : options_, steps);
    SetSql(step->mutable_undo(), {{"CREATE OR REPLACE VIEW ", SqlText::Name(name_),
                                   WithOptions(view->options()), " AS\n", SqlText::Verified(view->query())}});
    AddLock(step, name_, kAccessExclusive);
    return absl::OkStatus();
  }

 private:
  // CREATE OR REPLACE VIEW takes no column away and renames none. It can add some, but then there is no way
  // back to the query of before.
  absl::Status CheckColumnsStay(const v1::View& view) const {
    const std::vector<std::string> now(view.columns().begin(), view.columns().end());
    if (!query_.columns.has_value()) {
      return absl::FailedPreconditionError(
          absl::StrCat("view ", name_.Quoted(), " has the columns ", absl::StrJoin(now, ", "),
                       "; write them in the query instead of *, which might give others when it runs"));
    }
    if (*query_.columns == now) return absl::OkStatus();
    const bool adds =
        query_.columns->size() > now.size() && std::equal(now.begin(), now.end(), query_.columns->begin());
    return absl::FailedPreconditionError(absl::StrCat(
        "view ", name_.Quoted(), " has the columns ", absl::StrJoin(now, ", "), "; the query gives ",
        absl::StrJoin(*query_.columns, ", "),
        adds ? ". PostgreSQL could add columns, but not take them away again if the rollout is undone"
             : ". PostgreSQL cannot take columns away from a view, rename them or put them in another order",
        ". Create a view under another name, let the new application use it, and drop this one in the same "
        "plan "
        "(drop_view)"));
  }

  v1::Step* Add(absl::string_view title, const Options& options, StepList* steps) const {
    v1::Step* step = steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat(title, name_.Quoted()));
    const bool create = absl::StartsWith(title, "create");
    SetSql(step->mutable_action(),
           {SetSearchPathToPublic(),
            {create ? SqlText({"CREATE VIEW "}) : SqlText({"CREATE OR REPLACE VIEW "}), SqlText::Name(name_),
             WithOptions(options), " AS\n", SqlText::Verified(query_.text)}});
    return step;
  }

  const sql::TableName name_;
  const sql::Query query_;
  const Options options_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreateView(const v1::CreateView& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.view()));
  ASSIGN_OR_RETURN(sql::Query query, sql::ParseQuery(proto.query()));
  RETURN_IF_ERROR(CheckColumnsDiffer(name, query));
  Options options;
  for (const v1::Parameter& parameter : proto.options()) {
    const bool known = parameter.name() == "security_barrier" || parameter.name() == "security_invoker" ||
                       parameter.name() == "check_option";
    if (!known) {
      return absl::InvalidArgumentError(absl::StrCat(
          "options: ", parameter.name(),
          " is no option of a view; there are security_barrier, security_invoker and check_option"));
    }
    *options.Add() = absl::StrCat(parameter.name(), "=", parameter.value());
  }
  std::sort(options.begin(), options.end());
  return std::make_unique<CreateView>(std::move(name), std::move(query), std::move(options));
}

}  // namespace curlew::operations
