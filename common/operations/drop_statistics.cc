#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

bool HasStatistics(const v1::Table& table, const std::string& name) {
  return std::any_of(table.statistics().begin(), table.statistics().end(),
                     [&](const v1::Statistics& s) { return s.name() == name; });
}

class DropStatistics : public Operation {
 public:
  explicit DropStatistics(const v1::DropStatistics& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    if (!HasStatistics(*table, proto_.name())) {
      std::vector<std::string> names;
      for (const v1::Statistics& s : table->statistics()) names.push_back(sql::Ident(s.name()));
      return absl::FailedPreconditionError(absl::StrCat(
          "table ", schema::NameOf(*table).Quoted(), " has no statistics named ", sql::Ident(proto_.name()),
          " at this point of the plan; ",
          names.empty() ? "it has none" : absl::StrCat("there are: ", absl::StrJoin(names, ", "))));
    }
    auto* all = table->mutable_statistics();
    all->erase(std::remove_if(all->begin(), all->end(),
                              [&](const v1::Statistics& s) { return s.name() == proto_.name(); }),
               all->end());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    const v1::Table* now = schema::FindTable(context.now, name);
    if (now == nullptr || !HasStatistics(*now, proto_.name())) {
      return absl::FailedPreconditionError(
          absl::StrCat("statistics ", sql::Ident(proto_.name()), " of ", name.Quoted(),
                       " are created by this very plan; leave both operations out"));
    }
    // The snapshot holds those of the table wherever they stand; the statement needs their schema.
    AppendCataloguePreflight(
        *table,
        absl::StrCat("statistics ", sql::Ident(proto_.name()), " are in the schema of ", name.Quoted()),
        {"SELECT 1 - count(*) FROM pg_catalog.pg_statistic_ext AS s JOIN pg_catalog.pg_namespace AS n ON "
         "n.oid = "
         "s.stxnamespace WHERE n.nspname = ",
         SqlText::String(name.schema), " AND s.stxname = ", SqlText::String(proto_.name()),
         " AND s.stxrelid = ", SqlText::String(name.Quoted()), "::pg_catalog.regclass"},
        "Drop them in a `sql` operation, with their schema.", steps);
    v1::Step* step = steps->Add(v1::PHASE_DROP, absl::StrCat("drop statistics ", sql::Ident(proto_.name()),
                                                             " on ", sql::Ident(table->name())));
    SetSql(step->mutable_action(), {{"DROP STATISTICS ", SqlText::Name(table->schema(), proto_.name())}});
    AddLock(step, name, kShareUpdateExclusive);
    return absl::OkStatus();
  }

 private:
  const v1::DropStatistics proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropStatistics(const v1::DropStatistics& proto) {
  return std::make_unique<DropStatistics>(proto);
}

}  // namespace curlew::operations
