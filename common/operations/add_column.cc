#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/dual_write.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class AddColumn : public Operation {
 public:
  AddColumn(const v1::AddColumn& proto, std::optional<sql::Expression> default_value,
            std::optional<sql::Expression> up)
      : proto_(proto), default_(std::move(default_value)), up_(std::move(up)) {}

  std::vector<std::string> Tables() const override { return {proto_.table()}; }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    RETURN_IF_ERROR(CheckNewColumn(*table, proto_.column()));
    if (default_.has_value() && !default_->columns().empty()) {
      return absl::InvalidArgumentError("default: PostgreSQL allows no column in a default; use `up`");
    }
    if (up_.has_value()) RETURN_IF_ERROR(CheckColumnsExist(*table, *up_));
    if (proto_.not_null() && !default_.has_value() && !up_.has_value()) {
      return absl::InvalidArgumentError(
          "not_null: existing rows would have no value; give `default` or `up`");
    }
    if (default_.has_value() && !up_.has_value() && default_->MayBeVolatile()) {
      return absl::FailedPreconditionError(
          absl::StrCat("default ", default_->text(),
                       " may be volatile: adding a column with it rewrites the table under a lock. "
                       "Write the same expression as `up` too: existing rows are then filled in batches"));
    }
    v1::Column* column = table->add_columns();
    column->set_name(proto_.column());
    column->set_type(proto_.type());
    column->set_collation(proto_.collation());
    column->set_not_null(proto_.not_null());
    column->set_default_(default_.has_value() ? default_->text() : "");
    column->set_comment(proto_.comment());
    column->set_has_equality(true);
    column->set_statistics_target(-1);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<AddedColumn>> Adds(const v1::Schema&) const override {
    ASSIGN_OR_RETURN(sql::TableName table, sql::ParseTableName(proto_.table()));
    return std::vector<AddedColumn>{{table, proto_.column(), up_.has_value() ? up_ : default_}};
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    RETURN_IF_ERROR(CheckColumnIsFree(context, name, proto_.column()));
    RETURN_IF_ERROR(CheckPublications(*table, context));
    AppendTypePreflight(context, *table, proto_.type(), steps);
    if (up_.has_value()) {
      for (const std::string& column : up_->columns()) {
        if (!context.ExistsNow(name, column)) {
          return absl::FailedPreconditionError(
              absl::StrCat("up names column ", sql::Ident(column),
                           ", which this plan only adds; use columns that exist now"));
        }
      }
    }
    const v1::Column* in_the_end =
        schema::FindColumn(*schema::FindTable(context.after, name), proto_.column());
    const bool not_null = in_the_end != nullptr && in_the_end->not_null();
    const std::string label = absl::StrCat(sql::Ident(table->name()), ".", sql::Ident(proto_.column()));
    ColumnPair pair{.table = table,
                    .to = proto_.column(),
                    .to_type = proto_.type(),
                    .pending = not_null ? Pending::kNull : Pending::kMarker,
                    .up = up_.value_or(sql::Expression())};

    v1::Step* step = steps->Add(v1::PHASE_ADD, absl::StrCat("add column ", label, " (", proto_.type(), ")"));
    SqlText add = {"ALTER TABLE ",
                   SqlText::Name(name),
                   " ADD COLUMN ",
                   SqlText::Name(proto_.column()),
                   " ",
                   SqlText::Verified(proto_.type())};
    if (!proto_.collation().empty()) add.Append({" COLLATE ", SqlText::Verified(proto_.collation())});
    if (!up_.has_value() && default_.has_value()) {
      // A default that is not volatile is kept once for all rows: no rewrite, and NOT NULL is true at once.
      add.Append({" DEFAULT ", default_->Sql()});
      if (proto_.not_null()) add.Append({" NOT NULL"});
    }
    const SqlText marker = up_.has_value() ? AddMarker(pair) : SqlText();
    if (!marker.empty()) add.Append({", ", marker});
    std::vector<SqlText> statements = {add};
    if (!proto_.comment().empty()) {
      statements.push_back({"COMMENT ON COLUMN ", SqlText::Name(name), ".", SqlText::Name(proto_.column()),
                            " IS ", SqlText::String(proto_.comment())});
    }
    SetSql(step->mutable_action(), statements);
    SqlText drop = {"ALTER TABLE ", SqlText::Name(name), " DROP COLUMN IF EXISTS ",
                    SqlText::Name(proto_.column())};
    if (!marker.empty()) drop.Append({", DROP COLUMN IF EXISTS ", SqlText::Name(pair.Marker())});
    SetSql(step->mutable_undo(), {drop});
    AddLock(step, name, kAccessExclusive);
    steps->NewShape(name, proto_.column());
    if (!up_.has_value()) return absl::OkStatus();

    AppendPair(pair, steps);
    if (proto_.not_null()) {
      RETURN_IF_ERROR(AppendNotNullPreflight(context, *table, proto_.column(), steps));
      AppendNotNull(*table, proto_.column(), steps);
    }
    v1::Step* finish = steps->Add(v1::PHASE_DROP, absl::StrCat("remove the triggers of ", label));
    std::vector<SqlText> last = DropTriggers(pair);
    SqlText alter = {"ALTER TABLE ", SqlText::Name(name)};
    const SqlText before = alter;
    if (default_.has_value()) {
      alter.Append({" ALTER COLUMN ", SqlText::Name(proto_.column()), " SET DEFAULT ", default_->Sql()});
    }
    if (!marker.empty()) {
      if (default_.has_value()) alter.Append({","});
      alter.Append({" DROP COLUMN IF EXISTS ", SqlText::Name(pair.Marker())});
    }
    if (alter.str() != before.str()) last.push_back(alter);
    SetSql(finish->mutable_action(), last);
    AddLock(finish, name, kAccessExclusive);
    return absl::OkStatus();
  }

 private:
  const v1::AddColumn proto_;
  const std::optional<sql::Expression> default_, up_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeAddColumn(const v1::AddColumn& proto) {
  RETURN_IF_ERROR(sql::CheckType(proto.type()));
  std::optional<sql::Expression> default_value, up;
  if (!proto.default_().empty()) {
    ASSIGN_OR_RETURN(default_value, sql::Expression::Parse(proto.default_()));
  }
  if (!proto.up().empty()) {
    ASSIGN_OR_RETURN(up, sql::Expression::Parse(proto.up()));
  }
  if (!proto.collation().empty()) {
    // A collation is a name; anything else would be SQL of its own.
    RETURN_IF_ERROR(sql::ParseTableName(proto.collation()).status());
  }
  return std::make_unique<AddColumn>(proto, std::move(default_value), std::move(up));
}

}  // namespace curlew::operations
