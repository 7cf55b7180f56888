#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class CreateExtension : public Operation {
 public:
  explicit CreateExtension(const v1::CreateExtension& proto) : proto_(proto) {}

  v1::Scope Scope() const override {
    v1::Scope scope;
    scope.add_extensions(proto_.extension());
    return scope;
  }

  absl::Status Apply(v1::Schema* schema) const override {
    if (schema::FindExtension(*schema, proto_.extension()) != nullptr) {
      return absl::FailedPreconditionError(absl::StrCat(
          "extension ", sql::Ident(proto_.extension()),
          " exists already; leave this operation out, or change its version in a `sql` operation"));
    }
    v1::Extension* extension = schema->add_extensions();
    extension->set_name(proto_.extension());
    extension->set_version(proto_.version());
    extension->set_schema(proto_.schema());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    const SqlText name = SqlText::Name(proto_.extension());
    if (schema::FindExtension(context.now, proto_.extension()) != nullptr) {
      return NeedsLaterStage(
          absl::StrCat("extension ", name.str(), " is there until an earlier operation drops it"));
    }
    AppendPreflight(context, steps);
    std::vector<SqlText> statements;
    // Without a schema, and where the extension chooses none, the first of the search path is taken.
    if (proto_.schema().empty()) statements.push_back({"SET LOCAL search_path = public"});
    SqlText create = {"CREATE EXTENSION ", name};
    if (!proto_.schema().empty()) create.Append({" SCHEMA ", SqlText::Name(proto_.schema())});
    if (!proto_.version().empty()) create.Append({" VERSION ", SqlText::String(proto_.version())});
    statements.push_back(std::move(create));
    v1::Step* step = steps->Add(v1::PHASE_ADD, absl::StrCat("create extension ", name.str()));
    SetSql(step->mutable_action(), statements);
    SetSql(step->mutable_undo(), {{"DROP EXTENSION IF EXISTS ", name}});
    return absl::OkStatus();
  }

 private:
  void AppendPreflight(const CompileContext& context, StepList* steps) const {
    SqlText version = {
        " FROM pg_available_extensions AS e JOIN pg_available_extension_versions AS v USING (name) "
        "WHERE name = ",
        SqlText::String(proto_.extension()), " AND v.version = "};
    if (proto_.version().empty()) {
      version.Append({"e.default_version"});
    } else {
      version.Append({SqlText::String(proto_.version())});
    }
    SqlText known = {"SELECT extname::text FROM pg_extension"};
    for (const v1::Extension& extension : context.before.extensions()) {
      known.Append({" UNION SELECT ", SqlText::String(extension.name())});
    }
    const SqlText missing = {" FROM (SELECT unnest(v.requires)::text", version,
                             ") AS r (needed) WHERE needed NOT IN (", known, ")"};
    const std::string what =
        absl::StrCat("extension ", sql::Ident(proto_.extension()),
                     proto_.version().empty() ? "" : absl::StrCat(" ", proto_.version()));
    std::vector<CatalogueCheck> checks = {
        {.description = absl::StrCat("the server has ", what),
         .count = {"SELECT count(*) WHERE NOT EXISTS (SELECT", version, ")"},
         .keys = {},
         .hint = "Install the extension's package on the database server and its standbys, then resume the "
                 "rollout."},
        {.description = absl::StrCat("the extensions that ", what, " needs are there"),
         .count = {"SELECT count(*)", missing},
         .keys = {"SELECT needed", missing},
         .hint = "Create them by create_extension before this one."}};
    if (!proto_.schema().empty()) checks.push_back(SchemaExists(proto_.schema()));
    AppendCatalogueChecks(absl::StrCat("check that ", what, " can be created"), checks, steps);
  }

  const v1::CreateExtension proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreateExtension(const v1::CreateExtension& proto) {
  if (proto.schema() == "curlew") {
    return absl::InvalidArgumentError("schema curlew is Curlew's own; name another one");
  }
  return std::make_unique<CreateExtension>(proto);
}

}  // namespace curlew::operations
