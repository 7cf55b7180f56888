#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

// Renamed with the constraint, and the constraint with it.
bool HasIndex(const v1::Constraint& constraint) {
  return constraint.type() == v1::CONSTRAINT_TYPE_UNIQUE ||
         constraint.type() == v1::CONSTRAINT_TYPE_PRIMARY_KEY ||
         constraint.type() == v1::CONSTRAINT_TYPE_EXCLUSION;
}

class RenameConstraint : public Operation {
 public:
  explicit RenameConstraint(const v1::RenameConstraint& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Constraint* found, NamedConstraint(*table, proto_.name()));
    const v1::Constraint constraint = *found;
    RETURN_IF_ERROR(CheckNewObject(*table, proto_.to()));
    for (v1::Constraint& c : *table->mutable_constraints()) {
      if (c.name() == proto_.name()) c.set_name(proto_.to());
    }
    RETURN_IF_ERROR(RenameIndexIn(table, proto_.name(), proto_.to()));
    for (v1::Index& index : *table->mutable_indexes()) {
      if (index.constraint() == proto_.name()) index.set_constraint(proto_.to());
    }
    const auto referenced = sql::ParseTableName(constraint.referenced_table());
    v1::Table* target = referenced.ok() ? schema::FindTable(schema, *referenced) : nullptr;
    if (target == nullptr) return absl::OkStatus();
    for (v1::Constraint& key : *target->mutable_referenced_by()) {
      if (key.name() == proto_.name() && key.table() == constraint.table()) key.set_name(proto_.to());
    }
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Constraint* constraint, NamedConstraint(*table, proto_.name()));
    const sql::TableName name = schema::NameOf(*table);
    RETURN_IF_ERROR(CheckConstraintStands(context, *table, *constraint));
    RETURN_IF_ERROR(CheckObjectIsFree(context, name, proto_.to()));
    std::string title = absl::StrCat("rename constraint ", sql::Ident(proto_.name()), " of ",
                                     sql::Ident(table->name()), " to ", sql::Ident(proto_.to()));
    if (HasIndex(*constraint)) {
      RETURN_IF_ERROR(CheckRelationNameIsFree(context, *table, proto_.to()));
      AppendIndexNamePreflight(*table, proto_.to(), steps);
      steps->Warn(absl::StrCat("rename_constraint: statements that name ", sql::Ident(proto_.name()),
                               " (ON CONFLICT ON CONSTRAINT) fail from then on; name the columns instead"));
      // By way of the index the table is not locked.
      AppendIndexRename(*table, proto_.name(), proto_.to(), std::move(title), steps);
      return absl::OkStatus();
    }
    AppendConstraintNamePreflight(*table, proto_.to(), steps);
    v1::Step* step = steps->Add(v1::PHASE_CONSTRAIN, std::move(title));
    SetSql(step->mutable_action(), {Rename(*table, proto_.name(), proto_.to())});
    // There is no IF EXISTS for it.
    const SqlText body = {"BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = ",
                          SqlText::String(name.Quoted()),
                          "::pg_catalog.regclass AND conname = ",
                          SqlText::String(proto_.to()),
                          ") THEN ",
                          Rename(*table, proto_.to(), proto_.name()),
                          "; END IF; END"};
    SetSql(step->mutable_undo(), {{"DO ", SqlText::String(body.str())}});
    AddLock(step, name, kAccessExclusive);
    return absl::OkStatus();
  }

 private:
  static SqlText Rename(const v1::Table& table, const std::string& from, const std::string& to) {
    return {"ALTER TABLE ",
            SqlText::Name(schema::NameOf(table)),
            " RENAME CONSTRAINT ",
            SqlText::Name(from),
            " TO ",
            SqlText::Name(to)};
  }

  const v1::RenameConstraint proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeRenameConstraint(const v1::RenameConstraint& proto) {
  if (proto.name() == proto.to()) {
    return absl::InvalidArgumentError("name and to are the same; give another name in `to`");
  }
  return std::make_unique<RenameConstraint>(proto);
}

}  // namespace curlew::operations
