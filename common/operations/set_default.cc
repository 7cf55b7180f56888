#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/new_column.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class SetDefault : public Operation {
 public:
  SetDefault(const v1::SetDefault& proto, sql::Expression value) : proto_(proto), value_(std::move(value)) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    ASSIGN_OR_RETURN(v1::Column * column, NamedColumn(table, proto_.column()));
    RETURN_IF_ERROR(CheckHasDefaults(*table, *column));
    column->set_default_(value_.text());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, proto_.column()));
    const sql::TableName name = schema::NameOf(*table);
    const std::string label = absl::StrCat(sql::Ident(table->name()), ".", sql::Ident(column->name()));
    const std::string title = absl::StrCat("set the default of ", label);
    const SqlText alter = {"ALTER COLUMN ", SqlText::Name(proto_.column())};
    if (context.ExistsNow(name) && !context.ExistsNow(name, proto_.column())) {
      // Triggers see values after defaults, and would take it for a value that was written.
      TableWork* work = steps->Work(*table);
      // After the default that the operation which adds the column may give it.
      work->after_finish.push_back(
          {"ALTER TABLE ", SqlText::Name(name), " ", alter, " SET DEFAULT ", value_.Sql()});
      work->finish_titles.push_back(title);
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(CheckStays(context, name));
    RETURN_IF_ERROR(CheckNotDropped(context, name, *column));
    AppendPartitionsPreflight(*table, steps);
    v1::Step* step = steps->Add(v1::PHASE_CONSTRAIN, title);
    const SqlText alter_table = {"ALTER TABLE ", SqlText::Name(name), " ", alter};
    SetSql(step->mutable_action(), {{alter_table, " SET DEFAULT ", value_.Sql()}});
    if (context.ExistsNow(name)) {
      SetSql(step->mutable_undo(),
             {column->default_().empty()
                  ? SqlText{alter_table, " DROP DEFAULT"}
                  : SqlText{alter_table, " SET DEFAULT ", SqlText::Verified(column->default_())}});
    }
    AddLock(step, name, kAccessExclusive);
    return absl::OkStatus();
  }

 private:
  // A column that is followed by another one until it goes: a default would look like a write of the old
  // applications.
  absl::Status CheckStays(const CompileContext& context, const sql::TableName& table) const {
    if (!LeavesInStage(context, table, proto_.column())) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "column ", sql::Ident(proto_.column()), " of ", table.Quoted(),
        " is renamed, replaced or dropped by a later operation of the plan, and kept in step until then; put "
        "set_default after that operation, for the column that stays, or into a plan of its own"));
  }

  // A drop_default before this one in the plan runs in DROP, and would take this default away.
  absl::Status CheckNotDropped(const CompileContext& context, const sql::TableName& table,
                               const v1::Column& column) const {
    const v1::Table* now = schema::FindTable(context.now, table);
    if (now == nullptr || !column.default_().empty()) return absl::OkStatus();
    const v1::Column* before = schema::FindColumn(*now, proto_.column());
    if (before == nullptr || before->default_().empty()) return absl::OkStatus();
    return NeedsLaterStage(absl::StrCat("the default of ", sql::Ident(proto_.column()), " of ",
                                        table.Quoted(),
                                        " is dropped by this very plan; leave drop_default out"));
  }

  // The statement reaches partitions too, where its undo would lose a default of their own.
  void AppendPartitionsPreflight(const v1::Table& table, StepList* steps) const {
    if (table.kind() != v1::TABLE_KIND_PARTITIONED) return;
    const std::string name = schema::NameOf(table).Quoted();
    const SqlText value = {
        "(SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef AS d JOIN "
        "pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE a.attname = ",
        SqlText::String(proto_.column()), " AND d.adrelid = "};
    AppendCataloguePreflight(
        table,
        absl::StrCat("no partition of ", name, " has a default of its own for ", sql::Ident(proto_.column())),
        {"SELECT count(*) FROM pg_catalog.pg_partition_tree(", SqlText::String(name),
         "::pg_catalog.regclass) AS p WHERE p.level > 0 AND ", value, "p.relid) IS DISTINCT FROM ", value,
         SqlText::String(name), "::pg_catalog.regclass)"},
        "Give these partitions the table's default, or set their defaults by a `sql` operation, then resume "
        "the "
        "rollout.",
        steps);
  }

  const v1::SetDefault proto_;
  const sql::Expression value_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeSetDefault(const v1::SetDefault& proto) {
  ASSIGN_OR_RETURN(sql::Expression value, sql::Expression::Parse(proto.default_()));
  if (!value.columns().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "default: names the column ", absl::StrJoin(value.columns(), ", "),
        ", which PostgreSQL does not allow in a default (a text needs SQL's quotes too: \"'text'\")"));
  }
  return std::make_unique<SetDefault>(proto, std::move(value));
}

}  // namespace curlew::operations
