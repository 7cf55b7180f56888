#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class DropTable : public Operation {
 public:
  explicit DropTable(const v1::DropTable& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(const v1::Table* found,
                     NamedTable(static_cast<const v1::Schema&>(*schema), proto_.table()));
    const sql::TableName name = schema::NameOf(*found);
    auto* tables = schema->mutable_tables();
    tables->erase(std::remove_if(tables->begin(), tables->end(),
                                 [&](const v1::Table& table) { return schema::NameOf(table) == name; }),
                  tables->end());
    for (v1::Table& table : *tables) {
      auto* keys = table.mutable_referenced_by();
      keys->erase(std::remove_if(keys->begin(), keys->end(),
                                 [&](const v1::Constraint& key) { return key.table() == name.Quoted(); }),
                  keys->end());
    }
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    if (!context.ExistsNow(name)) {
      return absl::FailedPreconditionError(
          absl::StrCat("table ", name.Quoted(), " is created by this very plan; leave both operations out"));
    }
    RETURN_IF_ERROR(CheckNothingStandsOnIt(context, *table));
    const std::string what = absl::StrCat("table ", name.Quoted());
    AppendCatalogueChecks(
        absl::StrCat("check that nothing uses ", what),
        {NothingUses(context, what,
                     {"SELECT 'pg_class'::regclass::oid, c.oid FROM pg_class AS c JOIN "
                      "pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = ",
                      SqlText::String(name.schema), " AND c.relname = ", SqlText::String(name.name)})},
        steps);
    steps->OldShape(name, "");
    if (!table->publications().empty()) {
      steps->Warn(absl::StrCat("drop_table: ", name.Quoted(), " is published by ",
                               sql::Ident(table->publications(0).name()),
                               ": subscribers keep their table, which gets no more rows"));
    }
    v1::Step* step = steps->Add(v1::PHASE_DROP, absl::StrCat("drop table ", name.Quoted()));
    SetSql(step->mutable_action(), {{"DROP TABLE ", SqlText::Name(name)}});
    AddLock(step, name, kAccessExclusive);
    // Their side of the foreign keys are triggers, which go.
    std::set<std::string> referenced;
    for (const v1::Constraint& key : table->constraints()) {
      if (key.type() == v1::CONSTRAINT_TYPE_FOREIGN_KEY) referenced.insert(key.referenced_table());
    }
    referenced.erase(name.Quoted());
    for (const std::string& other : referenced) {
      v1::TableLock* lock = step->add_locks();
      lock->set_table(other);
      lock->set_mode(kAccessExclusive);
    }
    return absl::OkStatus();
  }

 private:
  // Whether an operation before this one takes the foreign key away.
  static bool IsGone(const CompileContext& context, const v1::Constraint& key) {
    const auto name = sql::ParseTableName(key.table());
    if (!name.ok() || schema::FindTable(context.now, *name) == nullptr) return false;
    const v1::Table* before = schema::FindTable(context.before, *name);
    return before == nullptr || schema::FindConstraint(*before, key.name()) == nullptr;
  }

  // The same for a view or a function.
  static bool IsGone(const CompileContext& context, const v1::Dependent& dependent) {
    auto holds = [&](const v1::Schema& schema) {
      return schema::FindView(schema, dependent.identity()) != nullptr ||
             std::any_of(schema.functions().begin(), schema.functions().end(),
                         [&](const v1::Function& f) { return f.identity() == dependent.identity(); });
    };
    return holds(context.now) && !holds(context.before);
  }

  static absl::Status CheckNothingStandsOnIt(const CompileContext& context, const v1::Table& table) {
    const std::string name = schema::NameOf(table).Quoted();
    auto refuse = [&](const std::string& what, absl::string_view way_out) {
      return absl::FailedPreconditionError(absl::StrCat("table ", name, ": ", what, "; ", way_out));
    };
    for (const v1::Constraint& key : table.referenced_by()) {
      if (IsGone(context, key)) continue;
      return refuse(
          absl::StrCat("foreign key ", sql::Ident(key.name()), " of ", key.table(), " references it"),
          "put drop_constraint, or drop_table of that table, before this operation");
    }
    for (const v1::Column& column : table.columns()) {
      for (const v1::Dependent& dependent : column.dependents()) {
        const bool own = dependent.type() == "table column" &&
                         absl::StartsWith(dependent.identity(), absl::StrCat(name, "."));
        if (own || IsGone(context, dependent)) continue;
        return refuse(absl::StrCat(dependent.type(), " ", dependent.identity(), " depends on it"),
                      "drop or change that object by an operation before this one");
      }
    }
    if (table.subscribed()) {
      return refuse("it receives rows from a subscription, which would stop with an error",
                    "take the table out of the publication and refresh the subscription first");
    }
    return absl::OkStatus();
  }

  const v1::DropTable proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropTable(const v1::DropTable& proto) {
  return std::make_unique<DropTable>(proto);
}

}  // namespace curlew::operations
