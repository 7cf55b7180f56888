#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/operations/policy.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class DropPolicy : public Operation {
 public:
  explicit DropPolicy(const v1::DropPolicy& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    if (FindPolicy(*table, proto_.name()) == nullptr) {
      std::vector<std::string> names;
      for (const v1::Policy& policy : table->policies()) names.push_back(sql::Ident(policy.name()));
      return absl::FailedPreconditionError(
          absl::StrCat("table ", schema::NameOf(*table).Quoted(), " has no policy ",
                       sql::Ident(proto_.name()), " at this point of the plan; check the name: there ",
                       names.empty() ? "are none" : absl::StrCat("are ", absl::StrJoin(names, ", "))));
    }
    auto* policies = table->mutable_policies();
    policies->erase(std::remove_if(policies->begin(), policies->end(),
                                   [&](const v1::Policy& policy) { return policy.name() == proto_.name(); }),
                    policies->end());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    const v1::Table* now = schema::FindTable(context.now, name);
    if (now == nullptr || FindPolicy(*now, proto_.name()) == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("policy ", sql::Ident(proto_.name()), " of ", name.Quoted(),
                       " is created by this very plan; leave both operations out"));
    }
    const v1::Table* after = schema::FindTable(context.after, name);
    const bool hides = after != nullptr && !after->row_security().empty() && !HasPermissivePolicy(*after);
    if (hides && !context.Acknowledged("breaks-applications")) {
      return absl::FailedPreconditionError(
          absl::StrCat("policy ", sql::Ident(proto_.name()), " is the last one of ", name.Quoted(),
                       " that permits rows, and row-level security is on: its rows would be hidden from "
                       "every application that "
                       "does not own it. Add another policy (create_policy) or switch row-level security off "
                       "(set_row_security) "
                       "in the plan, or write `settings: {acknowledge: [breaks-applications]}`"));
    }
    if (absl::StartsWith(FindPolicy(*table, proto_.name())->clauses(), "AS RESTRICTIVE")) {
      steps->Warn(absl::StrCat("drop_policy: applications see rows of ", name.Quoted(), " that ",
                               sql::Ident(proto_.name()), " hides from them now"));
    }
    TableWork* work = steps->Work(*table);
    work->before_finish.push_back(
        {"DROP POLICY ", SqlText::Name(proto_.name()), " ON ", SqlText::Name(name)});
    work->finish_titles.push_back(
        absl::StrCat("drop policy ", sql::Ident(proto_.name()), " of ", sql::Ident(table->name())));
    return absl::OkStatus();
  }

 private:
  const v1::DropPolicy proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropPolicy(const v1::DropPolicy& proto) {
  return std::make_unique<DropPolicy>(proto);
}

}  // namespace curlew::operations
