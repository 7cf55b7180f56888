#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"
#include "common/sql/parser.h"
#include "common/sql/rewrite.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

constexpr char kHint[] = "Mend these rows, then resume the rollout.";

// The foreign key that the catalogue describes.
absl::StatusOr<ForeignKey> ReadForeignKey(const v1::Constraint& constraint) {
  ASSIGN_OR_RETURN(sql::TableName referenced, sql::ParseTableName(constraint.referenced_table()));
  return ForeignKey{
      .name = constraint.name(),
      .columns = {constraint.columns().begin(), constraint.columns().end()},
      .referenced = std::move(referenced),
      .referenced_columns = {constraint.referenced_columns().begin(), constraint.referenced_columns().end()},
      .definition = {}};
}

absl::StatusOr<Match> ReadMatch(const v1::Constraint& constraint) {
  ASSIGN_OR_RETURN(const auto tree, sql::Parse(absl::StrCat("ALTER TABLE t ADD ", constraint.definition())));
  const std::string& type =
      tree.stmts(0).stmt().alter_table_stmt().cmds(0).alter_table_cmd().def().constraint().fk_matchtype();
  return type == "f" ? Match::kFull : Match::kSimple;
}

class ValidateConstraint : public Operation {
 public:
  explicit ValidateConstraint(const v1::ValidateExistingConstraint& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    RETURN_IF_ERROR(NamedConstraint(*table, proto_.name()).status());
    std::string referenced;
    for (v1::Constraint& constraint : *table->mutable_constraints()) {
      if (constraint.name() != proto_.name()) continue;
      MarkValid(&constraint);
      referenced = constraint.referenced_table();
    }
    const auto target_name = sql::ParseTableName(referenced);
    v1::Table* target = target_name.ok() ? schema::FindTable(schema, *target_name) : nullptr;
    if (target == nullptr) return absl::OkStatus();
    for (v1::Constraint& key : *target->mutable_referenced_by()) {
      if (key.name() == proto_.name() && key.table() == schema::NameOf(*table).Quoted()) MarkValid(&key);
    }
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Constraint* constraint, NamedConstraint(*table, proto_.name()));
    const std::string label =
        absl::StrCat("constraint ", sql::Ident(constraint->name()), " of ", schema::NameOf(*table).Quoted());
    if (constraint->validated()) {
      steps->Warn(
          absl::StrCat("validate_constraint: ", label, " is valid without it; the operation does nothing"));
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(CheckConstraintStands(context, *table, *constraint));
    if (constraint->type() == v1::CONSTRAINT_TYPE_FOREIGN_KEY) {
      ASSIGN_OR_RETURN(const ForeignKey key, ReadForeignKey(*constraint));
      ASSIGN_OR_RETURN(const Match match, ReadMatch(*constraint));
      RETURN_IF_ERROR(AppendOrphanPreflight(context, *table, key, match, kHint, steps));
      v1::Step* step = AppendValidate(*table, proto_.name(), steps);
      if (key.referenced != schema::NameOf(*table)) AddLock(step, key.referenced, kRowShare);
    } else {
      const auto expression = sql::CheckExpression(absl::StripSuffix(constraint->definition(), " NOT VALID"));
      if (expression.ok()) {
        RETURN_IF_ERROR(AppendCheckPreflight(context, *table, proto_.name(), *expression, kHint, steps));
      } else {
        steps->Warn(absl::StrCat("validate_constraint: whether rows break ", label,
                                 " is found out only in CONSTRAIN: ", expression.status().message()));
      }
      AppendValidate(*table, proto_.name(), steps);
    }
    SetSql(steps->steps().back().mutable_undo(), {AddAnew(*table, *constraint)});
    return absl::OkStatus();
  }

 private:
  // PostgreSQL cannot take validity back. A run after a rollback finds what the first one found, so that the
  // constraint is made anew, NOT VALID, with its comment; no row is read.
  static SqlText AddAnew(const v1::Table& table, const v1::Constraint& constraint) {
    const sql::TableName name = schema::NameOf(table);
    const SqlText own_name = SqlText::Name(constraint.name());
    const SqlText body = {
        "DECLARE words pg_catalog.text := pg_catalog.obj_description((SELECT oid FROM "
        "pg_catalog.pg_constraint WHERE conrelid = ",
        SqlText::String(name.Quoted()),
        "::pg_catalog.regclass AND conname = ",
        SqlText::String(constraint.name()),
        "), 'pg_constraint'); BEGIN ALTER TABLE ",
        SqlText::Name(name),
        " DROP CONSTRAINT IF EXISTS ",
        own_name,
        ", ADD CONSTRAINT ",
        own_name,
        " ",
        SqlText::Verified(constraint.definition()),
        "; IF words IS NOT NULL THEN EXECUTE pg_catalog.format('COMMENT ON CONSTRAINT %I ON "
        "%s IS %L', ",
        SqlText::String(constraint.name()),
        ", ",
        SqlText::String(name.Quoted()),
        ", words); END IF; END"};
    return {"DO ", SqlText::String(body.str())};
  }

  static void MarkValid(v1::Constraint* constraint) {
    constraint->set_validated(true);
    constraint->set_definition(std::string(absl::StripSuffix(constraint->definition(), " NOT VALID")));
  }

  const v1::ValidateExistingConstraint proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeValidateConstraint(
    const v1::ValidateExistingConstraint& proto) {
  return std::make_unique<ValidateConstraint>(proto);
}

}  // namespace curlew::operations
