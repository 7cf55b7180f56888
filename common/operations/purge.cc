#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/dual_write.h"
#include "common/operations/operations.h"
#include "common/operations/policy.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

class Purge : public Operation {
 public:
  Purge(const v1::Purge& proto, sql::Expression where) : proto_(proto), where_(std::move(where)) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(schema, proto_.table()));
    return CheckColumnsExist(*table, where_);
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    for (const std::string& column : where_.columns()) {
      if (context.ExistsNow(name, column)) continue;
      return NeedsLaterStage(absl::StrCat("column ", sql::Ident(column), " of ", name.Quoted(),
                                          " is added by the plan; use columns that exist"));
    }
    AppendSeesAllRowsPreflight(*table, steps);
    v1::Step* step = steps->Add(
        v1::PHASE_DROP, absl::StrCat("delete rows of ", sql::Ident(table->name()), " where ", where_.text()));
    v1::Backfill* backfill = step->mutable_action()->mutable_backfill();
    backfill->set_table(name.Quoted());
    backfill->set_pending(where_.Qualified("t").str());
    backfill->set_search_path(SearchPath(*table));
    backfill->set_deletes(true);
    AddLock(step, name, kRowExclusive);
    for (const v1::Constraint& key : table->referenced_by()) {
      steps->Warn(absl::StrCat("rows of ", key.table(), " refer to ", name.Quoted(), " (",
                               sql::Ident(key.name()),
                               "): what its foreign key does happens to them with each batch"));
    }
    AppendAnalyzeAfterWalk(*table, v1::PHASE_DROP, steps);
    return absl::OkStatus();
  }

 private:
  const v1::Purge proto_;
  const sql::Expression where_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakePurge(const v1::Purge& proto) {
  ASSIGN_OR_RETURN(sql::Expression where, sql::Expression::Parse(proto.where()));
  return std::make_unique<Purge>(proto, std::move(where));
}

}  // namespace curlew::operations
