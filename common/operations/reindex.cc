#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

// The name of the index that an interrupted REINDEX CONCURRENTLY was about, where `name` is one of its
// leftovers: i of i_ccnew, i_ccold and i_ccnew2. Else empty.
absl::string_view LeftoverOf(absl::string_view name) {
  while (!name.empty() && absl::ascii_isdigit(name.back())) name.remove_suffix(1);
  for (absl::string_view suffix : {"_ccnew", "_ccold"}) {
    if (name.size() > suffix.size() && name.substr(name.size() - suffix.size()) == suffix) {
      return name.substr(0, name.size() - suffix.size());
    }
  }
  return "";
}

bool Excludes(const v1::Table& table, const v1::Index& index) {
  const v1::Constraint* constraint = schema::FindConstraint(table, index.constraint());
  return constraint != nullptr && constraint->type() == v1::CONSTRAINT_TYPE_EXCLUSION;
}

class Reindex : public Operation {
 public:
  explicit Reindex(const v1::Reindex& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    if (!proto_.name().empty()) {
      ASSIGN_OR_RETURN(const v1::Index* index, NamedIndex(*table, proto_.name()));
      if (Excludes(*table, *index)) {
        return absl::FailedPreconditionError(absl::StrCat(
            "index ", sql::Ident(index->name()), " of ", schema::NameOf(*table).Quoted(),
            " belongs to an exclusion constraint, which PostgreSQL cannot reindex concurrently; run REINDEX "
            "INDEX in a maintenance window, in a `sql` operation that acknowledges blocks-writes"));
      }
    } else if (table->indexes().empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("table ", schema::NameOf(*table).Quoted(), " has no index; leave the operation out"));
    }
    // What an interrupted one left behind goes; what was invalid is valid. The index of a partitioned table
    // says of itself whether all its parts are there, which stays as it is.
    auto* indexes = table->mutable_indexes();
    const v1::Table before = *table;
    indexes->erase(std::remove_if(indexes->begin(), indexes->end(),
                                  [&](const v1::Index& index) {
                                    const absl::string_view of = LeftoverOf(index.name());
                                    return !index.valid() && !of.empty() && Concerns(of) &&
                                           schema::FindIndex(before, of) != nullptr;
                                  }),
                   indexes->end());
    for (v1::Index& index : *indexes) {
      if (Concerns(index.name()) && table->kind() != v1::TABLE_KIND_PARTITIONED && !Excludes(*table, index)) {
        index.set_valid(true);
      }
    }
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    if (!context.ExistsNow(name)) {
      return NeedsLaterStage(
          absl::StrCat("table ", name.Quoted(), " is made by this very plan; its indexes are new"));
    }
    for (const v1::Index& index : table->indexes()) {
      if (proto_.name() == index.name()) RETURN_IF_ERROR(CheckIndexStands(context, *table, index));
      if (proto_.name().empty() && Excludes(*table, index)) {
        steps->Warn(absl::StrCat("reindex: index ", sql::Ident(index.name()), " of ", name.Quoted(),
                                 " stays as it is, because it belongs to an exclusion constraint, which "
                                 "PostgreSQL cannot reindex concurrently"));
      }
    }
    v1::Step* step = steps->Add(
        v1::PHASE_CONSTRAIN, proto_.name().empty()
                                 ? absl::StrCat("build every index of ", sql::Ident(table->name()), " anew")
                                 : absl::StrCat("build index ", sql::Ident(proto_.name()), " of ",
                                                sql::Ident(table->name()), " anew"));
    v1::ExecuteSqlConcurrently* action = step->mutable_action()->mutable_execute_sql_concurrently();
    if (!proto_.name().empty()) action->set_index(sql::TableName{table->schema(), proto_.name()}.Quoted());
    action->set_table(name.Quoted());
    action->set_effect(v1::ExecuteSqlConcurrently::EFFECT_REINDEXES);
    step->set_scans(true);
    AddLock(step, name, kShareUpdateExclusive);
    return absl::OkStatus();
  }

 private:
  bool Concerns(absl::string_view index) const { return proto_.name().empty() || proto_.name() == index; }

  const v1::Reindex proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeReindex(const v1::Reindex& proto) {
  return std::make_unique<Reindex>(proto);
}

}  // namespace curlew::operations
