#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/objects.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

bool HasTrigger(const v1::Table& table, const std::string& name) {
  return std::any_of(table.triggers().begin(), table.triggers().end(),
                     [&](const v1::Trigger& t) { return t.name() == name; });
}

class DropTrigger : public Operation {
 public:
  explicit DropTrigger(const v1::DropTrigger& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    if (!HasTrigger(*table, proto_.name())) {
      std::vector<std::string> names;
      for (const v1::Trigger& t : table->triggers()) names.push_back(sql::Ident(t.name()));
      return absl::FailedPreconditionError(absl::StrCat(
          "table ", name.Quoted(), " has no trigger ", sql::Ident(proto_.name()),
          " at this point of the plan; ",
          names.empty() ? "it has none" : absl::StrCat("there are: ", absl::StrJoin(names, ", "))));
    }
    auto* triggers = table->mutable_triggers();
    triggers->erase(std::remove_if(triggers->begin(), triggers->end(),
                                   [&](const v1::Trigger& t) { return t.name() == proto_.name(); }),
                    triggers->end());
    ForgetDependent("trigger", absl::StrCat(sql::Ident(proto_.name()), " on ", name.Quoted()), schema);
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    const v1::Table* now = schema::FindTable(context.now, name);
    if (now == nullptr || !HasTrigger(*now, proto_.name())) {
      return absl::FailedPreconditionError(
          absl::StrCat("trigger ", sql::Ident(proto_.name()), " of ", name.Quoted(),
                       " is created by this very plan; leave both operations out"));
    }
    v1::Step* step = steps->Add(
        v1::PHASE_DROP, absl::StrCat("drop trigger ", sql::Ident(proto_.name()), " of ", name.Quoted()));
    SetSql(step->mutable_action(),
           {{"DROP TRIGGER ", SqlText::Name(proto_.name()), " ON ", SqlText::Name(name)}});
    AddLock(step, name, kAccessExclusive);
    return absl::OkStatus();
  }

 private:
  const v1::DropTrigger proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropTrigger(const v1::DropTrigger& proto) {
  return std::make_unique<DropTrigger>(proto);
}

}  // namespace curlew::operations
