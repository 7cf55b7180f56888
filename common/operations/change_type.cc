#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/carry.h"
#include "common/operations/dependents.h"
#include "common/operations/link_preflight.h"
#include "common/operations/operations.h"
#include "common/operations/trigger_functions.h"
#include "common/schema/schema.h"
#include "common/sql/type_name.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;

class ChangeType : public Operation {
 public:
  ChangeType(const v1::ChangeType& proto, std::string type, std::optional<sql::Expression> up,
             std::optional<sql::Expression> down)
      : proto_(proto),
        type_(std::move(type)),
        up_(std::move(up)),
        down_(std::move(down)),
        discard_(proto.discard().begin(), proto.discard().end()) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    ASSIGN_OR_RETURN(v1::Column * column, NamedColumn(table, proto_.column()));
    ASSIGN_OR_RETURN(std::string default_value, NewDefault(*column));
    column->set_default_(default_value);
    column->set_type(type_);
    column->set_collation(proto_.collation());
    column->set_has_equality(HasEquality(type_));
    RenameInDefinitions(proto_.column(), proto_.column(), discard_, table);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<AddedColumn>> Adds(const v1::Schema& before) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, proto_.column()));
    if (IsSame(*column)) return std::vector<AddedColumn>();
    return std::vector<AddedColumn>{
        {.table = schema::NameOf(*table), .column = proto_.column(), .value = Up(*column), .replaces = true}};
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, proto_.column()));
    const TableName name = schema::NameOf(*table);
    if (IsSame(*column)) {
      steps->Warn(absl::StrCat("change_type: ", name.Quoted(), ".", sql::Ident(column->name()), " is ", type_,
                               " without it; the operation does nothing"));
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(CheckOnlyNames(Up(*column), "up", {proto_.column()}));
    RETURN_IF_ERROR(CheckOnlyNames(Down(*column), "down", {proto_.column()}));
    if (CatalogueOnly(*table, *column)) return AppendCatalogueChange(context, *table, *column, steps);
    const std::string hidden = sql::HashedName("curlew_new_", {name.schema, name.name, proto_.column()});
    ASSIGN_OR_RETURN(const sql::Expression down,
                     Down(*column).Substitute({{proto_.column(), sql::Expression::Column(hidden)}}));
    ASSIGN_OR_RETURN(std::string default_value, NewDefault(*column));
    return AppendCarry(
        context, *table, *column,
        {.to = hidden,
         .name = proto_.column(),
         .type = type_,
         .collation = proto_.collation(),
         .has_equality = HasEquality(type_),
         .up = Up(*column),
         // A bare column is kept one: Substitute puts parentheses.
         .down = Down(*column).IsColumn() ? sql::Expression::Column(hidden) : down,
         .values = up_.has_value() ? NewValues::kOther : NewValues::kCast,
         .default_value = default_value,
         .discard = discard_,
         .way_out = "add it to `discard`, and what should hold for the new type as an operation of "
                    "its own in a later plan"},
        steps);
  }

 private:
  bool IsSame(const v1::Column& column) const {
    return sql::ClassifyTypeChange(column.type(), type_) == sql::TypeChange::kSame && !up_.has_value() &&
           proto_.collation() == column.collation();
  }

  sql::Expression Up(const v1::Column& column) const {
    return up_.has_value() ? *up_ : Cast(proto_.column(), column.type(), type_);
  }
  sql::Expression Down(const v1::Column& column) const {
    return down_.has_value() ? *down_ : Cast(proto_.column(), type_, column.type());
  }

  // A cast to the new type, which is no part of what an assignment does by itself, stands in the default.
  absl::StatusOr<std::string> NewDefault(const v1::Column& column) const {
    if (!up_.has_value() && SameFamily(column.type(), type_)) return column.default_();
    return CarryDefault(column, Up(column));
  }

  // Whether one ALTER TABLE does it without a look at a row or an index.
  bool CatalogueOnly(const v1::Table& table, const v1::Column& column) const {
    if (up_.has_value() || down_.has_value() || !discard_.empty() || !proto_.collation().empty() ||
        !column.collation().empty() ||
        sql::ClassifyTypeChange(column.type(), type_) != sql::TypeChange::kCatalogueOnly) {
      return false;
    }
    // PostgreSQL checks a CHECK again, and builds an index with it in an expression anew.
    for (const v1::Constraint& constraint : table.constraints()) {
      if (constraint.type() == v1::CONSTRAINT_TYPE_CHECK && Holds(constraint.columns(), column.name())) {
        return false;
      }
    }
    for (const v1::Index& index : table.indexes()) {
      if (Holds(index.columns(), column.name()) && (table.kind() == v1::TABLE_KIND_PARTITIONED ||
                                                    UsesInExpression(index.definition(), column.name()))) {
        return false;
      }
    }
    return true;
  }

  absl::Status AppendCatalogueChange(const CompileContext& context, const v1::Table& table,
                                     const v1::Column& column, StepList* steps) const {
    const TableName name = schema::NameOf(table);
    if (!context.ExistsNow(name, column.name())) {
      return NeedsLaterStage(absl::StrCat("column ", sql::Ident(column.name()), " of ", name.Quoted(),
                                          " is added by this very plan; give it its final type at once"));
    }
    v1::Table without_references = table;
    without_references.clear_referenced_by();
    without_references.set_replica_identity("default");
    without_references.clear_publications();
    RETURN_IF_ERROR(CheckNothingFixed(without_references, column, PrimaryKey::kCarried));
    AppendTriggerFunctionsPreflight(table, steps);
    const std::string label = absl::StrCat(sql::Ident(table.name()), ".", sql::Ident(column.name()));
    v1::Step* step =
        steps->Add(v1::PHASE_DROP, absl::StrCat("make ", label, " ", type_, " (only the catalogue changes)"));
    std::vector<SqlText> statements = {{"ALTER TABLE ", SqlText::Name(name), " ALTER COLUMN ",
                                        SqlText::Name(column.name()), " TYPE ", SqlText::Verified(type_)}};
    for (const SqlText& statement : RecompileTriggerFunctions(table)) statements.push_back(statement);
    SetSql(step->mutable_action(), statements);
    AddLock(step, name, kAccessExclusive);
    for (const v1::Constraint& key : table.constraints()) {
      if (key.type() != v1::CONSTRAINT_TYPE_FOREIGN_KEY || !Holds(key.columns(), column.name())) continue;
      v1::TableLock* lock = step->add_locks();
      lock->set_table(key.referenced_table());
      lock->set_mode(kAccessExclusive);
    }
    for (const v1::Constraint& key : table.referenced_by()) {
      if (!Holds(key.referenced_columns(), column.name())) continue;
      v1::TableLock* lock = step->add_locks();
      lock->set_table(key.table());
      lock->set_mode(kAccessExclusive);
    }
    v1::Step* analyze =
        steps->Add(v1::PHASE_DROP, absl::StrCat("refresh planner statistics of ", sql::Ident(table.name())));
    analyze->mutable_action()->mutable_analyze()->set_table(name.Quoted());
    AddLock(analyze, name, kShareUpdateExclusive);
    return absl::OkStatus();
  }

  const v1::ChangeType proto_;
  const std::string type_;
  const std::optional<sql::Expression> up_, down_;
  const std::set<std::string> discard_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeChangeType(const v1::ChangeType& proto) {
  ASSIGN_OR_RETURN(std::string type, sql::CanonicalType(proto.type()));
  std::optional<sql::Expression> up, down;
  if (!proto.up().empty()) {
    ASSIGN_OR_RETURN(up, sql::Expression::Parse(proto.up()));
  }
  if (!proto.down().empty()) {
    ASSIGN_OR_RETURN(down, sql::Expression::Parse(proto.down()));
  }
  if (!proto.collation().empty()) RETURN_IF_ERROR(sql::ParseTableName(proto.collation()).status());
  return std::make_unique<ChangeType>(proto, std::move(type), std::move(up), std::move(down));
}

}  // namespace curlew::operations
