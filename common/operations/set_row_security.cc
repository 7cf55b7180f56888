#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/operations/policy.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class SetRowSecurity : public Operation {
 public:
  explicit SetRowSecurity(const v1::SetRowSecurity& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    table->set_row_security(Wanted());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    const std::string& old = table->row_security();
    if (old == Wanted()) {
      steps->Warn(
          absl::StrCat("set_row_security: ", name.Quoted(), " is so already; the operation does nothing"));
      return absl::OkStatus();
    }
    if (old.empty()) {
      if (!HasPermissivePolicy(*table) && !context.Acknowledged("breaks-applications")) {
        return absl::FailedPreconditionError(
            absl::StrCat("table ", name.Quoted(),
                         " has no policy that permits rows at this point of the plan: with row-level "
                         "security its rows would "
                         "be hidden from every application that does not own it. Put create_policy before "
                         "this operation, or "
                         "write `settings: {acknowledge: [breaks-applications]}` in the plan"));
      }
      if (context.ExistsNow(name)) AppendForcePreflight(*table, steps);
    }
    if (Wanted().empty()) {
      steps->Warn(absl::StrCat("set_row_security: applications see all rows of ", name.Quoted(),
                               " from then on, those too that policies hide"));
    } else if (Wanted() == "forced") {
      steps->Warn(
          absl::StrCat("set_row_security: policies of ", name.Quoted(),
                       " count for its owner too; a later plan that fills or checks its rows needs an "
                       "agent whose role bypasses row-level security"));
    }
    if (old.empty()) {
      steps->Warn(absl::StrCat("set_row_security: COPY ", name.Quoted(),
                               " FROM is refused by PostgreSQL for roles that policies count for"));
    }
    v1::Step* step =
        steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat(Wanted().empty()       ? "disable"
                                                     : Wanted() == "forced" ? "force"
                                                                            : "enable",
                                                     " row-level security of ", sql::Ident(table->name())));
    SetSql(step->mutable_action(), {Alter(name, Wanted())});
    if (context.ExistsNow(name)) SetSql(step->mutable_undo(), {Alter(name, old)});
    AddLock(step, name, kAccessExclusive);
    return absl::OkStatus();
  }

 private:
  // As the schema writes it.
  std::string Wanted() const {
    switch (proto_.state()) {
      case v1::ROW_SECURITY_ENABLED:
        return "enabled";
      case v1::ROW_SECURITY_FORCED:
        return "forced";
      case v1::ROW_SECURITY_DISABLED:
      case v1::ROW_SECURITY_UNSPECIFIED:
      default:
        return "";
    }
  }

  static SqlText Alter(const sql::TableName& table, const std::string& state) {
    const SqlText alter = {"ALTER TABLE ", SqlText::Name(table)};
    if (state == "forced") return {alter, " ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"};
    if (state == "enabled") return {alter, " ENABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"};
    return {alter, " DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"};
  }

  // FORCE may stand without ENABLE and then means nothing; the undo would not bring it back.
  static void AppendForcePreflight(const v1::Table& table, StepList* steps) {
    const std::string name = schema::NameOf(table).Quoted();
    AppendCataloguePreflight(
        table, absl::StrCat("row-level security of ", name, " is not forced while it is disabled"),
        {"SELECT count(*) FROM pg_catalog.pg_class AS c WHERE c.oid = ", SqlText::String(name),
         "::pg_catalog.regclass AND c.relforcerowsecurity AND NOT c.relrowsecurity"},
        "Write ALTER TABLE ... NO FORCE ROW LEVEL SECURITY, which changes nothing, then resume the rollout.",
        steps);
  }

  const v1::SetRowSecurity proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeSetRowSecurity(const v1::SetRowSecurity& proto) {
  if (proto.state() == v1::ROW_SECURITY_UNSPECIFIED) {
    return absl::InvalidArgumentError("state: is required; give disabled, enabled or forced");
  }
  return std::make_unique<SetRowSecurity>(proto);
}

}  // namespace curlew::operations
