#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class DropIndex : public Operation {
 public:
  explicit DropIndex(const v1::DropIndex& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Index* index, NamedIndex(*table, proto_.name()));
    if (!index->constraint().empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "index ", sql::Ident(index->name()), " of ", schema::NameOf(*table).Quoted(), " belongs to the ",
          index->primary() ? "primary key" : "constraint", " of that name and goes only with it; use ",
          index->primary() ? "another plan for the primary key" : "drop_constraint"));
    }
    auto* indexes = table->mutable_indexes();
    indexes->erase(std::remove_if(indexes->begin(), indexes->end(),
                                  [&](const v1::Index& i) { return i.name() == proto_.name(); }),
                   indexes->end());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Index* index, NamedIndex(*table, proto_.name()));
    const sql::TableName name = schema::NameOf(*table);
    const std::string label = absl::StrCat("index ", sql::Ident(index->name()));
    RETURN_IF_ERROR(CheckIndexStands(context, *table, *index));
    RETURN_IF_ERROR(CheckIndexMayGo(context, *table, *index, label, steps));
    if (index->unique() && index->valid()) {
      steps->Warn(absl::StrCat("drop_index: nothing keeps the rows of ", name.Quoted(), " unique by ",
                               sql::Ident(index->name()),
                               " any more, and ON CONFLICT over its columns fails"));
    }
    const SqlText dropped = SqlText::Name(table->schema(), index->name());
    v1::Step* step =
        steps->Add(v1::PHASE_DROP, absl::StrCat("drop ", label, " of ", sql::Ident(table->name())));
    if (table->kind() == v1::TABLE_KIND_PARTITIONED) {
      // PostgreSQL cannot drop it concurrently; nothing is read, but all partitions are locked at once.
      SetSql(step->mutable_action(), {{"DROP INDEX IF EXISTS ", dropped}});
      AddLock(step, name, kAccessExclusive);
      return absl::OkStatus();
    }
    v1::ExecuteSqlConcurrently* action = step->mutable_action()->mutable_execute_sql_concurrently();
    action->set_statement(SqlText({"DROP INDEX CONCURRENTLY IF EXISTS ", dropped}).str());
    action->set_index(dropped.str());
    action->set_table(name.Quoted());
    action->set_effect(v1::ExecuteSqlConcurrently::EFFECT_DROPS);
    AddLock(step, name, kShareUpdateExclusive);
    return absl::OkStatus();
  }

 private:
  const v1::DropIndex proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropIndex(const v1::DropIndex& proto) {
  return std::make_unique<DropIndex>(proto);
}

}  // namespace curlew::operations
