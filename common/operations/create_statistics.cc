#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/objects.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

constexpr int kMostParts = 8;  // STATS_MAX_DIMENSIONS

bool HasStatistics(const v1::Table& table, const std::string& name) {
  return std::any_of(table.statistics().begin(), table.statistics().end(),
                     [&](const v1::Statistics& s) { return s.name() == name; });
}

class CreateStatistics : public Operation {
 public:
  CreateStatistics(const v1::CreateStatistics& proto, std::vector<sql::Expression> expressions)
      : proto_(proto), expressions_(std::move(expressions)) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    if (HasStatistics(*table, proto_.name())) {
      return absl::FailedPreconditionError(absl::StrCat("table ", name.Quoted(),
                                                        " already has statistics named ",
                                                        sql::Ident(proto_.name()), "; choose another name"));
    }
    for (const std::string& column : proto_.columns()) {
      ASSIGN_OR_RETURN(const v1::Column* found, NamedColumn(*table, column));
      if (found->has_equality()) continue;
      return absl::FailedPreconditionError(absl::StrCat(
          "column ", sql::Ident(column), " of ", name.Quoted(), " is of type ", found->type(),
          ", whose values PostgreSQL cannot compare; give an expression over it in `expressions`"));
    }
    for (const sql::Expression& expression : expressions_)
      RETURN_IF_ERROR(CheckColumnsExist(*table, expression));
    v1::Statistics* statistics = table->add_statistics();
    statistics->set_name(proto_.name());
    statistics->set_definition(Create(*table).str());
    for (const std::string& column : Columns()) statistics->add_columns(column);
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    const v1::Table* now = schema::FindTable(context.now, name);
    if (now != nullptr && HasStatistics(*now, proto_.name())) {
      return NeedsLaterStage(absl::StrCat("the name ", sql::Ident(proto_.name()), " of statistics of ",
                                          name.Quoted(),
                                          " is still in use while the plan runs; choose another name"));
    }
    if (now != nullptr) {
      AppendCataloguePreflight(
          *table,
          absl::StrCat("no statistics in schema ", sql::Ident(name.schema), " are named ",
                       sql::Ident(proto_.name())),
          {"SELECT count(*) FROM pg_catalog.pg_statistic_ext AS s JOIN pg_catalog.pg_namespace AS n ON n.oid "
           "= "
           "s.stxnamespace WHERE n.nspname = ",
           SqlText::String(name.schema), " AND s.stxname = ", SqlText::String(proto_.name())},
          "Choose another name in the plan, then resume the rollout.", steps);
    }
    // Of what the plan adds, statistics tell something when the rows are filled.
    v1::Phase phase = v1::PHASE_ADD;
    for (const std::string& column : Columns()) {
      if (!context.ExistsNow(name, column)) phase = v1::PHASE_CONSTRAIN;
    }
    v1::Step* step = steps->Add(phase, absl::StrCat("create statistics ", sql::Ident(proto_.name()), " on ",
                                                    sql::Ident(table->name())));
    SetSql(step->mutable_action(), {SetSearchPath(SearchPath(*table)), Create(*table)});
    SetSql(step->mutable_undo(),
           {{"DROP STATISTICS IF EXISTS ", SqlText::Name(table->schema(), proto_.name())}});
    AddLock(step, name, kShareUpdateExclusive);
    v1::Step* analyze =
        steps->Add(phase, absl::StrCat("analyze ", sql::Ident(table->name()), ", which fills them"));
    analyze->mutable_action()->mutable_analyze()->set_table(name.Quoted());
    AddLock(analyze, name, kShareUpdateExclusive);
    return absl::OkStatus();
  }

 private:
  std::set<std::string> Columns() const {
    std::set<std::string> columns(proto_.columns().begin(), proto_.columns().end());
    for (const sql::Expression& e : expressions_) columns.insert(e.columns().begin(), e.columns().end());
    return columns;
  }

  SqlText Create(const v1::Table& table) const {
    SqlText create = {"CREATE STATISTICS ", SqlText::Name(table.schema(), proto_.name())};
    if (!proto_.kinds().empty()) create.Append({" (", SqlText::NameList(proto_.kinds()), ")"});
    create.Append({" ON ", SqlText::NameList(proto_.columns())});
    for (size_t i = 0; i < expressions_.size(); ++i) {
      if (i > 0 || !proto_.columns().empty()) create.Append({", "});
      create.Append({"(", SqlText::Verified(expressions_[i].text()), ")"});
    }
    create.Append({" FROM ", SqlText::Name(schema::NameOf(table))});
    return create;
  }

  const v1::CreateStatistics proto_;
  const std::vector<sql::Expression> expressions_;
};

absl::Status CheckParts(const v1::CreateStatistics& proto) {
  const int parts = proto.columns_size() + proto.expressions_size();
  if (parts > kMostParts) {
    return absl::InvalidArgumentError(
        absl::StrCat(parts, " columns and expressions; PostgreSQL takes ", kMostParts, " at most"));
  }
  if (parts < 2 && proto.expressions().empty()) {
    return absl::InvalidArgumentError(
        "statistics are about two columns or more, or an expression; PostgreSQL keeps those of one column by "
        "itself");
  }
  if (std::set<std::string>(proto.columns().begin(), proto.columns().end()).size() <
      static_cast<size_t>(proto.columns_size())) {
    return absl::InvalidArgumentError("a column stands twice in `columns`; name it once");
  }
  for (const std::string& kind : proto.kinds()) {
    if (parts == 1) {
      return absl::InvalidArgumentError("over one expression alone there are no kinds; leave `kinds` out");
    }
    if (kind == "ndistinct" || kind == "dependencies" || kind == "mcv") continue;
    return absl::InvalidArgumentError(
        absl::StrCat("kinds: ", kind, " is none; there are ndistinct, dependencies and mcv"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreateStatistics(const v1::CreateStatistics& proto) {
  RETURN_IF_ERROR(CheckParts(proto));
  std::vector<sql::Expression> expressions;
  for (const std::string& text : proto.expressions()) {
    ASSIGN_OR_RETURN(sql::Expression expression, sql::Expression::Parse(text));
    expressions.push_back(std::move(expression));
  }
  return std::make_unique<CreateStatistics>(proto, std::move(expressions));
}

}  // namespace curlew::operations
