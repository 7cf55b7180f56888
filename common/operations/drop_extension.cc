#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class DropExtension : public Operation {
 public:
  explicit DropExtension(const v1::DropExtension& proto) : proto_(proto) {}

  v1::Scope Scope() const override {
    v1::Scope scope;
    scope.add_extensions(proto_.extension());
    return scope;
  }

  absl::Status Apply(v1::Schema* schema) const override {
    if (schema::FindExtension(*schema, proto_.extension()) == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("extension ", sql::Ident(proto_.extension()),
                       " does not exist; check its name, which is not quoted in plans"));
    }
    EraseNamed(proto_.extension(), schema->mutable_extensions());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    const std::string what = absl::StrCat("extension ", sql::Ident(proto_.extension()));
    // Those that the plan drops before go together with this one.
    SqlText names = SqlText::String(proto_.extension());
    for (const v1::Extension& extension : context.now.extensions()) {
      if (schema::FindExtension(context.before, extension.name()) != nullptr) continue;
      names.Append({", ", SqlText::String(extension.name())});
    }
    const SqlText members = {
        "SELECT 'pg_extension'::regclass::oid, oid FROM pg_extension WHERE extname IN (", names,
        ") UNION SELECT d.classid, d.objid FROM pg_extension AS e JOIN pg_depend AS d ON d.refclassid = "
        "'pg_extension'::regclass AND d.refobjid = e.oid WHERE d.deptype = 'e' AND e.extname IN (",
        names, ")"};
    AppendCatalogueChecks(absl::StrCat("check that nothing uses ", what),
                          {NothingUses(context, what, members)}, steps);
    v1::Step* step = steps->Add(v1::PHASE_DROP, absl::StrCat("drop ", what));
    SetSql(step->mutable_action(), {{"DROP EXTENSION ", SqlText::Name(proto_.extension())}});
    return absl::OkStatus();
  }

 private:
  const v1::DropExtension proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropExtension(const v1::DropExtension& proto) {
  return std::make_unique<DropExtension>(proto);
}

}  // namespace curlew::operations
