#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/new_column.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class AddColumn : public Operation {
 public:
  AddColumn(const v1::AddColumn& proto, v1::Column column, std::optional<sql::Expression> default_value,
            std::optional<sql::Expression> up, std::optional<sql::Expression> generated)
      : proto_(proto),
        column_(std::move(column)),
        default_(std::move(default_value)),
        up_(std::move(up)),
        generated_(std::move(generated)) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    RETURN_IF_ERROR(CheckNewColumn(*table, proto_.column()));
    if (up_.has_value()) RETURN_IF_ERROR(CheckColumnsExist(*table, *up_));
    if (default_.has_value() && !up_.has_value() && default_->MayBeVolatile()) {
      return absl::FailedPreconditionError(
          absl::StrCat("default ", default_->text(),
                       " may be volatile: adding a column with it rewrites the table under a lock. "
                       "Write the same expression as `up` too: existing rows are then filled in batches"));
    }
    if (IsIdentity() && table->kind() == v1::TABLE_KIND_PARTITIONED) {
      return absl::FailedPreconditionError(
          absl::StrCat("identity: table ", schema::NameOf(*table).Quoted(),
                       " is partitioned, and PostgreSQL adds no identity column to a table that has "
                       "partitions; make a sequence "
                       "(create_sequence) and add the column with its nextval as `up` and `default`"));
    }
    if (generated_.has_value()) RETURN_IF_ERROR(CheckGenerated(*table, *generated_));
    *table->add_columns() = column_;
    if (generated_.has_value()) AddGeneratedDependents(*generated_, proto_.column(), table);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<AddedColumn>> Adds(const v1::Schema&) const override {
    ASSIGN_OR_RETURN(sql::TableName table, sql::ParseTableName(proto_.table()));
    AddedColumn added = {table, proto_.column(), up_.has_value() ? up_ : default_};
    if (generated_.has_value()) added.value = generated_;
    return std::vector<AddedColumn>{std::move(added)};
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    RETURN_IF_ERROR(CheckColumnIsFree(context, name, proto_.column()));
    RETURN_IF_ERROR(CheckPublications(*table, context));
    AppendTypePreflight(context, *table, proto_.type(), steps);
    steps->NewShape(name, proto_.column());
    if (generated_.has_value()) return CompileGenerated(context, *table, steps);
    if (up_.has_value()) {
      for (const std::string& column : up_->columns()) {
        if (!context.ExistsNow(name, column)) {
          return NeedsLaterStage(absl::StrCat("up names column ", sql::Ident(column),
                                              ", which this plan only adds; use columns that exist now"));
        }
      }
    }
    const SqlText column = SqlText::Name(proto_.column());
    const bool is_direct = !context.ExistsNow(name);

    TableWork* work = steps->Work(*table);
    SqlText add = AddClause();
    if (IsIdentity() && is_direct) {
      add.Append({" ", IdentityClause(proto_.identity())});
    } else if (!up_.has_value() && default_.has_value()) {
      // A default that is not volatile is kept once for all rows: no rewrite, and NOT NULL is true at once.
      add.Append({" DEFAULT ", default_->Sql()});
      if (proto_.not_null()) add.Append({" NOT NULL"});
    }
    work->add_clauses.push_back(add);
    if (!proto_.comment().empty()) work->after_add.push_back(Comment(name));
    work->added.push_back(proto_.column());
    work->add_titles.push_back(Title(*table));
    if (IsIdentity()) return is_direct ? absl::OkStatus() : CompileIdentity(*table, steps);
    if (!up_.has_value()) return absl::OkStatus();

    const v1::Table* after = schema::FindTable(context.after, name);
    const v1::Column* in_the_end = after == nullptr ? nullptr : schema::FindColumn(*after, proto_.column());
    work->links.push_back({.to = {{.name = proto_.column(),
                                   .type = proto_.type(),
                                   .collation = proto_.collation(),
                                   .up = *up_,
                                   .not_null = in_the_end != nullptr && in_the_end->not_null()}},
                           .from = {}});
    if (proto_.not_null()) {
      RETURN_IF_ERROR(AppendNotNullPreflight(context, *table, proto_.column(), steps));
      AppendNotNull(*table, proto_.column(), steps);
    }
    if (default_.has_value()) {
      work->finish_clauses.push_back({"ALTER COLUMN ", column, " SET DEFAULT ", default_->Sql()});
    }
    return absl::OkStatus();
  }

 private:
  bool IsIdentity() const { return proto_.identity() != v1::IDENTITY_UNSPECIFIED; }

  SqlText AddClause() const {
    SqlText add = {"ADD COLUMN ", SqlText::Name(proto_.column()), " ", SqlText::Verified(proto_.type())};
    if (!proto_.collation().empty()) add.Append({" COLLATE ", SqlText::Verified(proto_.collation())});
    return add;
  }

  SqlText Comment(const sql::TableName& table) const {
    return {"COMMENT ON COLUMN ",
            SqlText::Name(table),
            ".",
            SqlText::Name(proto_.column()),
            " IS ",
            SqlText::String(proto_.comment())};
  }

  std::string Label(const v1::Table& table) const {
    return absl::StrCat(sql::Ident(table.name()), ".", sql::Ident(proto_.column()));
  }

  std::string Title(const v1::Table& table) const {
    return absl::StrCat("add column ", Label(table), " (", proto_.type(), ")");
  }

  // PostgreSQL would number the rows under its lock. A sequence of Curlew's own does it in batches, and hands
  // over to the identity's in the end.
  absl::Status CompileIdentity(const v1::Table& table, StepList* steps) const {
    const sql::TableName name = schema::NameOf(table);
    const std::string sequence = sql::HashedName("curlew.number_", {name.schema, name.name, proto_.column()});
    ASSIGN_OR_RETURN(sql::Expression next,
                     sql::Expression::Parse(SqlText({"nextval(", SqlText::String(sequence), ")"}).str()));
    TableWork* work = steps->Work(table);
    work->links.push_back({.to = {{.name = proto_.column(),
                                   .type = proto_.type(),
                                   .collation = "",
                                   .up = std::move(next),
                                   .not_null = true,
                                   .sequence = sequence}},
                           .from = {}});
    AppendNotNull(table, proto_.column(), steps);
    const SqlText column = SqlText::Name(proto_.column()), from = SqlText::Verified(sequence);
    work->finish_clauses.push_back({"ALTER COLUMN ", column, " ADD ", IdentityClause(proto_.identity())});
    work->after_finish.push_back({"SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(",
                                  SqlText::String(name.Quoted()), ", ", SqlText::String(proto_.column()),
                                  ")::pg_catalog.regclass, s.last_value, s.is_called) FROM ", from, " AS s"});
    work->after_finish.push_back({"DROP SEQUENCE IF EXISTS ", from});
    work->finish_titles.push_back(absl::StrCat("make ", Label(table), " an identity column"));
    return absl::OkStatus();
  }

  absl::Status CompileGenerated(const CompileContext& context, const v1::Table& table,
                                StepList* steps) const {
    const sql::TableName name = schema::NameOf(table);
    const bool rewrites = context.ExistsNow(name);
    if (rewrites && !context.Acknowledged("rewrites-table")) {
      return absl::FailedPreconditionError(absl::StrCat(
          "generated: PostgreSQL rewrites table ", name.Quoted(),
          " for it under a lock that stops readers and writers. Give the expression as `up` instead and let "
          "applications, or a trigger, keep the column; or, where the table is small, write `settings: "
          "{acknowledge: [rewrites-table]}` in the plan"));
    }
    for (const std::string& column : generated_->columns()) {
      if (!rewrites || context.ExistsNow(name, column)) continue;
      return NeedsLaterStage(absl::StrCat("generated names column ", sql::Ident(column),
                                          ", which this plan only adds; use columns that exist now"));
    }
    SqlText add = {AddClause(), " GENERATED ALWAYS AS (", SqlText::Verified(generated_->text()), ") STORED"};
    if (proto_.not_null()) add.Append({" NOT NULL"});
    v1::Step* step = steps->Add(v1::PHASE_ADD, Title(table));
    const SqlText alter = {"ALTER TABLE ", SqlText::Name(name), " "};
    std::vector<SqlText> statements = {{alter, add}};
    if (!proto_.comment().empty()) statements.push_back(Comment(name));
    SetSql(step->mutable_action(), statements);
    SetSql(step->mutable_undo(), {{alter, "DROP COLUMN IF EXISTS ", SqlText::Name(proto_.column())}});
    step->set_rewrites(rewrites);
    AddLock(step, name, kAccessExclusive);
    if (rewrites) {
      steps->Warn(absl::StrCat("add_column: ", name.Quoted(),
                               " is rewritten under a lock that stops readers and writers; the step has "
                               "settings.ddl_statement_timeout for it"));
    }
    return absl::OkStatus();
  }

  const v1::AddColumn proto_;
  const v1::Column column_;  // as the catalogue will show it
  const std::optional<sql::Expression> default_, up_, generated_;
};

absl::StatusOr<std::optional<sql::Expression>> Read(const std::string& text) {
  if (text.empty()) return std::optional<sql::Expression>();
  ASSIGN_OR_RETURN(sql::Expression expression, sql::Expression::Parse(text));
  return std::make_optional(std::move(expression));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeAddColumn(const v1::AddColumn& proto) {
  ASSIGN_OR_RETURN(v1::Column column, MakeColumn(proto.column(), proto.type(), proto.collation()));
  ASSIGN_OR_RETURN(std::optional<sql::Expression> default_value, Read(proto.default_()));
  ASSIGN_OR_RETURN(std::optional<sql::Expression> up, Read(proto.up()));
  ASSIGN_OR_RETURN(std::optional<sql::Expression> generated, Read(proto.generated()));
  const bool is_identity = proto.identity() != v1::IDENTITY_UNSPECIFIED;
  if ((is_identity || generated.has_value()) && (default_value.has_value() || up.has_value())) {
    return absl::InvalidArgumentError(
        absl::StrCat(is_identity ? "identity" : "generated",
                     ": PostgreSQL gives such a column its values itself; leave out `default` and `up`"));
  }
  if (is_identity && generated.has_value()) {
    return absl::InvalidArgumentError("identity and generated exclude each other; keep one of them");
  }
  if (is_identity) RETURN_IF_ERROR(CheckIdentityType(proto.type()));
  if (generated.has_value() && generated->columns().count(proto.column()) > 0) {
    return absl::InvalidArgumentError(
        "generated: names the column itself; its value has to come from other columns");
  }
  if (default_value.has_value() && !default_value->columns().empty()) {
    return absl::InvalidArgumentError("default: PostgreSQL allows no column in a default; use `up`");
  }
  if (proto.not_null() && !default_value.has_value() && !up.has_value() && !generated.has_value() &&
      !is_identity) {
    return absl::InvalidArgumentError("not_null: existing rows would have no value; give `default` or `up`");
  }
  column.set_not_null(proto.not_null() || is_identity);
  column.set_identity(IdentityName(proto.identity()));
  if (default_value.has_value()) column.set_default_(default_value->text());
  if (generated.has_value()) column.set_generated(generated->text());
  column.set_comment(proto.comment());
  return std::make_unique<AddColumn>(proto, std::move(column), std::move(default_value), std::move(up),
                                     std::move(generated));
}

}  // namespace curlew::operations
