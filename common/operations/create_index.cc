#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

struct Key {
  sql::Expression value;
  v1::IndexKey how;
};

class CreateIndex : public Operation {
 public:
  CreateIndex(const v1::CreateIndex& proto, std::vector<Key> keys, std::optional<sql::Expression> where)
      : proto_(proto), keys_(std::move(keys)), where_(std::move(where)) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    RETURN_IF_ERROR(CheckNewObject(*table, proto_.name()));
    for (const std::string& column : Columns()) RETURN_IF_ERROR(NamedColumn(*table, column).status());
    if (proto_.unique()) {
      RETURN_IF_ERROR(CheckHoldsPartitionKey(*table, absl::StrCat("unique index ", sql::Ident(proto_.name())),
                                             KeyColumns()));
    }
    v1::Index* index = table->add_indexes();
    for (const std::string& column : Columns()) index->add_columns(column);
    index->set_name(proto_.name());
    index->set_definition(Create(*table, {}).str());
    index->set_unique(proto_.unique());
    index->set_valid(true);
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    RETURN_IF_ERROR(CheckObjectIsFree(context, name, proto_.name()));
    RETURN_IF_ERROR(CheckRelationNameIsFree(context, *table, proto_.name()));
    AppendIndexNamePreflight(*table, proto_.name(), steps);
    if (proto_.nulls_not_distinct()) AppendNullsNotDistinctPreflight(*table, proto_.name(), steps);
    std::optional<std::vector<std::string>> unique_over;
    if (proto_.unique()) unique_over = KeyColumns();
    AppendPartitionedIndexPreflights(*table, proto_.name(), unique_over, steps);
    if (proto_.unique()) {
      UniqueKeys unique{.keys = {}, .predicate = where_, .nulls_not_distinct = proto_.nulls_not_distinct()};
      for (const Key& key : keys_) unique.keys.push_back({key.value, key.how.collation()});
      RETURN_IF_ERROR(AppendUniquePreflight(context, *table, proto_.name(), unique, steps));
    }
    // On columns that the plan adds, the index is built when the rows are filled.
    v1::Phase phase = v1::PHASE_ADD;
    for (const std::string& column : Columns()) {
      if (context.ExistsNow(name) && !context.ExistsNow(name, column)) phase = v1::PHASE_CONSTRAIN;
    }
    AppendIndex(*table, proto_.name(), Create(*table, {"CONCURRENTLY "}), phase, steps);
    return absl::OkStatus();
  }

 private:
  std::set<std::string> Columns() const {
    std::set<std::string> columns(proto_.include().begin(), proto_.include().end());
    for (const Key& key : keys_) columns.insert(key.value.columns().begin(), key.value.columns().end());
    if (where_.has_value()) columns.insert(where_->columns().begin(), where_->columns().end());
    return columns;
  }

  // The keys that are columns as they are.
  std::vector<std::string> KeyColumns() const {
    std::vector<std::string> columns;
    for (const Key& key : keys_) {
      if (key.value.IsColumn()) columns.push_back(*key.value.columns().begin());
    }
    return columns;
  }

  static SqlText KeySql(const Key& key) {
    SqlText text = key.value.Sql();
    if (!key.how.collation().empty()) text.Append({" COLLATE ", SqlText::Verified(key.how.collation())});
    if (!key.how.opclass().empty()) text.Append({" ", SqlText::Verified(key.how.opclass())});
    if (key.how.descending()) text.Append({" DESC"});
    if (key.how.nulls() == v1::NULLS_FIRST) text.Append({" NULLS FIRST"});
    if (key.how.nulls() == v1::NULLS_LAST) text.Append({" NULLS LAST"});
    return text;
  }

  // `how` is "CONCURRENTLY ", or empty in the catalogue's words.
  SqlText Create(const v1::Table& table, const SqlText& how) const {
    SqlText create = {"CREATE "};
    if (proto_.unique()) create.Append({"UNIQUE "});
    create.Append({"INDEX ", how, SqlText::Name(proto_.name()), " ON "});
    if (table.kind() == v1::TABLE_KIND_PARTITIONED) create.Append({"ONLY "});
    create.Append(
        {SqlText::Name(schema::NameOf(table)), " USING ", SqlText::Name(MethodOf(proto_.method())), " ("});
    for (size_t i = 0; i < keys_.size(); ++i) {
      create.Append({i == 0 ? SqlText{} : SqlText{", "}, KeySql(keys_[i])});
    }
    create.Append({")"});
    if (!proto_.include().empty()) create.Append({" INCLUDE (", SqlText::NameList(proto_.include()), ")"});
    if (proto_.nulls_not_distinct()) create.Append({" NULLS NOT DISTINCT"});
    for (int i = 0; i < proto_.options_size(); ++i) {
      create.Append({i == 0 ? SqlText{" WITH ("} : SqlText{", "}, SqlText::Name(proto_.options(i).name()),
                     " = ", SqlText::String(proto_.options(i).value())});
    }
    if (proto_.options_size() > 0) create.Append({")"});
    if (where_.has_value()) create.Append({" WHERE ", where_->Sql()});
    return create;
  }

  const v1::CreateIndex proto_;
  const std::vector<Key> keys_;
  const std::optional<sql::Expression> where_;
};

absl::StatusOr<Key> ReadKey(const v1::IndexKey& proto, const std::string& path) {
  if (proto.column().empty() == proto.expression().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": give exactly one of `column` and `expression`"));
  }
  for (const std::string& name : {proto.collation(), proto.opclass()}) {
    if (!name.empty()) RETURN_IF_ERROR(sql::ParseTableName(name).status());
  }
  if (!proto.column().empty()) return Key{sql::Expression::Column(proto.column()), proto};
  ASSIGN_OR_RETURN(sql::Expression expression, sql::Expression::Parse(proto.expression()));
  if (expression.columns().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ".expression: ", expression.text(),
                                                   " names no column, so that all rows would have the same "
                                                   "key; a column named like a keyword needs quotes"));
  }
  return Key{std::move(expression), proto};
}

// What the access methods that come with PostgreSQL cannot do.
absl::Status CheckMethod(const v1::CreateIndex& proto) {
  static const auto* const others = new std::set<std::string>{"hash", "gin", "gist", "spgist", "brin"};
  if (others->count(proto.method()) == 0) return absl::OkStatus();
  if (proto.unique()) {
    return absl::InvalidArgumentError(absl::StrCat("unique: an index of method ", proto.method(),
                                                   " cannot be unique; use btree, or add_exclusion"));
  }
  for (const v1::IndexKey& key : proto.keys()) {
    if (key.descending() || key.nulls() != v1::NULLS_UNSPECIFIED) {
      return absl::InvalidArgumentError(absl::StrCat("keys: an index of method ", proto.method(),
                                                     " has no order; leave out `descending` and `nulls`"));
    }
  }
  if (!proto.include().empty() && proto.method() != "gist" && proto.method() != "spgist") {
    return absl::InvalidArgumentError(absl::StrCat("include: an index of method ", proto.method(),
                                                   " cannot carry other columns; leave it out"));
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const v1::CreateIndex& proto) {
  std::set<std::string> seen;
  for (const v1::Parameter& option : proto.options()) {
    const std::string& name = option.name();
    const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
    });
    if (!plain) {
      return absl::InvalidArgumentError(absl::StrCat(
          "options: \"", name, "\" is no storage parameter of an index; they look like \"fillfactor\""));
    }
    if (!seen.insert(name).second) {
      return absl::InvalidArgumentError(absl::StrCat("options: ", name, " stands there twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreateIndex(const v1::CreateIndex& proto) {
  if (proto.columns().empty() == proto.keys().empty()) {
    return absl::InvalidArgumentError("give exactly one of `columns` and `keys`, with at least one entry");
  }
  if (proto.nulls_not_distinct() && !proto.unique()) {
    return absl::InvalidArgumentError(
        "nulls_not_distinct: only a unique index compares rows; add `unique: "
        "true`, or leave it out");
  }
  RETURN_IF_ERROR(CheckMethod(proto));
  RETURN_IF_ERROR(CheckOptions(proto));
  std::vector<Key> keys;
  for (const std::string& column : proto.columns()) {
    keys.push_back({sql::Expression::Column(column), v1::IndexKey()});
  }
  for (int i = 0; i < proto.keys_size(); ++i) {
    ASSIGN_OR_RETURN(Key key, ReadKey(proto.keys(i), absl::StrCat("keys[", i, "]")));
    keys.push_back(std::move(key));
  }
  std::optional<sql::Expression> where;
  if (!proto.where().empty()) {
    ASSIGN_OR_RETURN(where, sql::Expression::Parse(proto.where()));
  }
  return std::make_unique<CreateIndex>(proto, std::move(keys), std::move(where));
}

}  // namespace curlew::operations
