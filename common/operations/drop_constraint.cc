#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

template <typename Repeated, typename Matches>
void EraseIf(Repeated* elements, const Matches& matches) {
  elements->erase(std::remove_if(elements->begin(), elements->end(), matches), elements->end());
}

class DropConstraint : public Operation {
 public:
  explicit DropConstraint(const v1::DropConstraint& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Constraint* found, NamedConstraint(*table, proto_.name()));
    const v1::Constraint constraint = *found;
    if (constraint.type() == v1::CONSTRAINT_TYPE_PRIMARY_KEY) {
      return absl::FailedPreconditionError(
          absl::StrCat("constraint ", sql::Ident(constraint.name()), " of ", schema::NameOf(*table).Quoted(),
                       " is the primary key, by which rows are told apart and replicated; keep it, and add "
                       "what else should be unique by add_unique"));
    }
    EraseIf(table->mutable_constraints(),
            [&](const v1::Constraint& c) { return c.name() == constraint.name(); });
    EraseIf(table->mutable_indexes(),
            [&](const v1::Index& i) { return i.constraint() == constraint.name(); });
    const auto referenced = sql::ParseTableName(constraint.referenced_table());
    v1::Table* target = referenced.ok() ? schema::FindTable(schema, *referenced) : nullptr;
    if (target != nullptr) {
      EraseIf(target->mutable_referenced_by(), [&](const v1::Constraint& key) {
        return key.name() == constraint.name() && key.table() == constraint.table();
      });
    }
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Constraint* constraint, NamedConstraint(*table, proto_.name()));
    const sql::TableName name = schema::NameOf(*table);
    const std::string label = absl::StrCat("constraint ", sql::Ident(constraint->name()));
    RETURN_IF_ERROR(CheckConstraintStands(context, *table, *constraint));
    const v1::Index* index = schema::FindIndex(*table, constraint->name());
    if (constraint->type() == v1::CONSTRAINT_TYPE_UNIQUE && index != nullptr) {
      RETURN_IF_ERROR(CheckIndexMayGo(context, *table, *index, label, steps));
      steps->Warn(absl::StrCat("drop_constraint: nothing keeps the rows of ", name.Quoted(), " unique by ",
                               sql::Ident(constraint->name()),
                               " any more, and ON CONFLICT over its columns, or by its name, fails"));
    }
    v1::Step* step =
        steps->Add(v1::PHASE_DROP, absl::StrCat("drop ", label, " of ", sql::Ident(table->name())));
    SetSql(step->mutable_action(), {{"ALTER TABLE ", SqlText::Name(name), " DROP CONSTRAINT IF EXISTS ",
                                     SqlText::Name(constraint->name())}});
    AddLock(step, name, kAccessExclusive);
    const auto referenced = sql::ParseTableName(constraint->referenced_table());
    if (constraint->type() == v1::CONSTRAINT_TYPE_FOREIGN_KEY && referenced.ok() && *referenced != name) {
      AddLock(step, *referenced, kAccessExclusive);
    }
    return absl::OkStatus();
  }

 private:
  const v1::DropConstraint proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropConstraint(const v1::DropConstraint& proto) {
  return std::make_unique<DropConstraint>(proto);
}

}  // namespace curlew::operations
