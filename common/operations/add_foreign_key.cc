#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/dependents.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;

// " ON DELETE CASCADE", as pg_get_constraintdef writes it; empty for the default.
SqlText ActionClause(const SqlText& event, v1::ReferentialAction action) {
  switch (action) {
    case v1::REFERENTIAL_ACTION_RESTRICT:
      return {event, "RESTRICT"};
    case v1::REFERENTIAL_ACTION_CASCADE:
      return {event, "CASCADE"};
    case v1::REFERENTIAL_ACTION_SET_NULL:
      return {event, "SET NULL"};
    case v1::REFERENTIAL_ACTION_SET_DEFAULT:
      return {event, "SET DEFAULT"};
    case v1::REFERENTIAL_ACTION_UNSPECIFIED:
    default:
      return {};
  }
}

class AddForeignKey : public Operation {
 public:
  AddForeignKey(const v1::AddForeignKey& proto, TableName references)
      : proto_(proto), references_(std::move(references)) {}

  v1::Scope Scope() const override {
    v1::Scope scope = TableScope(proto_.table());
    if (proto_.references() != proto_.table()) scope.add_tables(proto_.references());
    return scope;
  }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    RETURN_IF_ERROR(CheckNewObject(*table, proto_.name()));
    ASSIGN_OR_RETURN(const ForeignKey key, Resolve(*schema, *table));
    RETURN_IF_ERROR(CheckActions(*table));
    v1::Constraint constraint;
    constraint.set_name(proto_.name());
    constraint.set_type(v1::CONSTRAINT_TYPE_FOREIGN_KEY);
    constraint.set_definition(key.definition.str());
    for (const std::string& column : key.columns) constraint.add_columns(column);
    constraint.set_validated(true);
    constraint.set_table(schema::NameOf(*table).Quoted());
    constraint.set_referenced_table(references_.Quoted());
    for (const std::string& column : key.referenced_columns) constraint.add_referenced_columns(column);
    *table->add_constraints() = constraint;
    if (schema::NameOf(*table) != references_) {
      *schema::FindTable(schema, references_)->add_referenced_by() = constraint;
    }
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const ForeignKey key, Resolve(context.before, *table));
    RETURN_IF_ERROR(CheckObjectIsFree(context, schema::NameOf(*table), proto_.name()));
    AppendConstraintNamePreflight(*table, proto_.name(), steps);
    RETURN_IF_ERROR(AppendOrphanPreflight(
        context, *table, key, Match::kSimple,
        "Delete these rows, set their columns to NULL, or add the rows that they refer to, then resume the "
        "rollout.",
        steps));
    operations::AppendForeignKey(*table, key, steps);
    if (!HasIndex(*schema::FindTable(context.after, schema::NameOf(*table)))) {
      steps->Warn(absl::StrCat("add_foreign_key: ", schema::NameOf(*table).Quoted(),
                               " has no index that begins with (", SqlText::NameList(proto_.columns()).str(),
                               "): deleting a row of ", references_.Quoted(),
                               ", or changing its key, will read the whole table; add one by create_index"));
    }
    return absl::OkStatus();
  }

 private:
  // What refers to what. FAILED_PRECONDITION where it cannot.
  absl::StatusOr<ForeignKey> Resolve(const v1::Schema& schema, const v1::Table& table) const {
    const std::string label =
        absl::StrCat("foreign key ", sql::Ident(proto_.name()), " of ", schema::NameOf(table).Quoted());
    for (const std::string& column : proto_.columns()) {
      RETURN_IF_ERROR(NamedColumn(table, column).status());
    }
    // A partition may be referred to.
    const v1::Table* referenced = schema::FindTable(schema, references_);
    if (referenced == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat(label, ": table ", references_.Quoted(),
                       " does not exist at this point of the plan; check the name and its schema (public "
                       "where none is written)"));
    }
    ForeignKey key{
        .name = proto_.name(),
        .columns = {proto_.columns().begin(), proto_.columns().end()},
        .referenced = references_,
        .referenced_columns = {proto_.referenced_columns().begin(), proto_.referenced_columns().end()},
        .definition = {}};
    if (key.referenced_columns.empty()) {
      for (const v1::Constraint& c : referenced->constraints()) {
        if (c.type() != v1::CONSTRAINT_TYPE_PRIMARY_KEY) continue;
        ASSIGN_OR_RETURN(key.referenced_columns, KeyColumns(*referenced, c));
      }
      if (key.referenced_columns.empty()) {
        return absl::FailedPreconditionError(
            absl::StrCat(label, ": table ", references_.Quoted(),
                         " has no primary key; name the columns in `referenced_columns`"));
      }
    }
    for (const std::string& column : key.referenced_columns) {
      RETURN_IF_ERROR(NamedColumn(*referenced, column).status());
    }
    if (key.columns.size() != key.referenced_columns.size()) {
      return absl::FailedPreconditionError(absl::StrCat(
          label, ": ", key.columns.size(), " columns cannot refer to ", key.referenced_columns.size(), " (",
          SqlText::NameList(key.referenced_columns).str(), ") of ", references_.Quoted(),
          "; give as many in `columns` and `referenced_columns`"));
    }
    if (!IsUnique(*referenced, key.referenced_columns)) {
      return absl::FailedPreconditionError(
          absl::StrCat(label, ": nothing keeps (", SqlText::NameList(key.referenced_columns).str(), ") of ",
                       references_.Quoted(),
                       " unique: it takes a valid unique index, or a constraint that is not deferrable, over "
                       "exactly these columns and all rows; add one by add_unique before this operation"));
    }
    key.definition = {"FOREIGN KEY (",
                      SqlText::NameList(key.columns),
                      ") REFERENCES ",
                      SqlText::Name(references_),
                      "(",
                      SqlText::NameList(key.referenced_columns),
                      ")"};
    key.definition.Append({ActionClause({" ON UPDATE "}, proto_.on_update()),
                           ActionClause({" ON DELETE "}, proto_.on_delete()),
                           DeferralClause(proto_.deferral())});
    return key;
  }

  // The key columns of a primary key, without those that its index only carries.
  static absl::StatusOr<std::vector<std::string>> KeyColumns(const v1::Table& table,
                                                             const v1::Constraint& key) {
    const v1::Index* index = schema::FindIndex(table, key.name());
    if (index == nullptr) return std::vector<std::string>(key.columns().begin(), key.columns().end());
    ASSIGN_OR_RETURN(const IndexShape shape, ReadIndex(index->definition()));
    return shape.keys;
  }

  static bool IsUnique(const v1::Table& table, const std::vector<std::string>& columns) {
    const std::set<std::string> wanted(columns.begin(), columns.end());
    if (wanted.size() != columns.size()) return false;
    for (const v1::Index& index : table.indexes()) {
      const v1::Constraint* constraint = schema::FindConstraint(table, index.constraint());
      if (!index.valid() || (constraint != nullptr && IsDeferrable(*constraint))) continue;
      const auto shape = ReadIndex(index.definition());
      if (shape.ok() && shape->MakesUnique(wanted)) return true;
    }
    return false;
  }

  // Whether an index finds the rows that refer to one: its first keys are the columns, in any order.
  bool HasIndex(const v1::Table& table) const {
    const std::set<std::string> wanted(proto_.columns().begin(), proto_.columns().end());
    return std::any_of(table.indexes().begin(), table.indexes().end(), [&](const v1::Index& index) {
      const auto shape = ReadIndex(index.definition());
      if (!index.valid() || !shape.ok() || shape->partial || shape->keys.size() < wanted.size()) return false;
      return std::set<std::string>(shape->keys.begin(), shape->keys.begin() + wanted.size()) == wanted;
    });
  }

  // Refuses actions that would fail each time.
  absl::Status CheckActions(const v1::Table& table) const {
    struct Event {
      const char* field;
      v1::ReferentialAction action;
    };
    for (const Event& event :
         {Event{"on_delete", proto_.on_delete()}, Event{"on_update", proto_.on_update()}}) {
      for (const std::string& name : proto_.columns()) {
        ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(table, name));
        const auto refuse = [&](absl::string_view why, absl::string_view way_out) {
          return absl::FailedPreconditionError(absl::StrCat(
              event.field, ": foreign key ", sql::Ident(proto_.name()), " would write column ",
              sql::Ident(name), " of ", schema::NameOf(table).Quoted(), ", ", why, "; ", way_out));
        };
        const bool sets_null = event.action == v1::REFERENTIAL_ACTION_SET_NULL;
        const bool sets_default = event.action == v1::REFERENTIAL_ACTION_SET_DEFAULT;
        const bool follows =
            event.action == v1::REFERENTIAL_ACTION_CASCADE && event.field == absl::string_view("on_update");
        if (!column->generated().empty() && (sets_null || sets_default || follows)) {
          return refuse("which is generated", "use restrict, or leave the action out");
        }
        if (column->not_null() && sets_null) {
          return refuse("which is NOT NULL, with NULL",
                        "use restrict or cascade, or let it be NULL first (drop_not_null)");
        }
        if (column->not_null() && sets_default && column->default_().empty()) {
          return refuse("which is NOT NULL and has no default",
                        "give it a default first (set_default), or use another action");
        }
      }
    }
    return absl::OkStatus();
  }

  const v1::AddForeignKey proto_;
  const TableName references_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeAddForeignKey(const v1::AddForeignKey& proto) {
  if (proto.columns().empty()) return absl::InvalidArgumentError("columns is empty; name at least one");
  ASSIGN_OR_RETURN(TableName references, sql::ParseTableName(proto.references()));
  return std::make_unique<AddForeignKey>(proto, std::move(references));
}

}  // namespace curlew::operations
