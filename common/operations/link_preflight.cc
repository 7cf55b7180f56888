#include "common/operations/link_preflight.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/operations/operation.h"
#include "common/schema/schema.h"
#include "common/sql/type_name.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;

std::string Canonical(absl::string_view type) {
  auto canonical = sql::CanonicalType(type);
  return canonical.ok() ? *canonical : std::string(type);
}

// The length in "character varying(20)", for one of these types.
std::optional<int> LengthOf(absl::string_view type, absl::string_view name) {
  int length = 0;
  if (!absl::ConsumePrefix(&type, name) || !absl::ConsumePrefix(&type, "(") ||
      !absl::ConsumeSuffix(&type, ")") || !absl::SimpleAtoi(type, &length)) {
    return std::nullopt;
  }
  return length;
}

bool IsInteger(absl::string_view type) { return type == "smallint" || type == "integer" || type == "bigint"; }
int Width(absl::string_view type) { return type == "smallint" ? 2 : type == "integer" ? 4 : 8; }

bool IsNumber(absl::string_view type) {
  return IsInteger(type) || type == "numeric" || absl::StartsWith(type, "numeric(");
}

bool IsText(absl::string_view type) {
  return type == "text" || type == "character varying" || absl::StartsWith(type, "character varying(");
}

// Rows whose value does not fit into the column: an assignment refuses them, an explicit cast cuts them off.
std::optional<SqlText> TooLong(const NewColumn& column) {
  const std::string type = Canonical(column.type);
  std::optional<int> length = LengthOf(type, "character varying");
  if (!length.has_value()) length = LengthOf(type, "character");
  if (!length.has_value()) return std::nullopt;
  return SqlText{"length(rtrim(CAST(", column.up.Qualified("t"), " AS text), ' ')) > ",
                 SqlText::Verified(absl::StrCat(*length))};
}

bool IsMadeByThePlan(const CompileContext& context, const std::string& type) {
  const auto name = sql::ParseTableName(type);
  if (!name.ok()) return false;
  return (schema::FindEnum(context.before, name->Quoted()) != nullptr &&
          schema::FindEnum(context.now, name->Quoted()) == nullptr) ||
         (schema::FindDomain(context.before, name->Quoted()) != nullptr &&
          schema::FindDomain(context.now, name->Quoted()) == nullptr);
}

SqlText Join(const std::vector<SqlText>& parts, absl::string_view separator) {
  return SqlText::Verified(absl::StrJoin(
      parts, separator, [](std::string* out, const SqlText& part) { out->append(part.str()); }));
}

}  // namespace

sql::Expression Cast(absl::string_view column, absl::string_view from, absl::string_view to) {
  const std::string old_type = Canonical(from), new_type = Canonical(to);
  const sql::Expression itself = sql::Expression::Column(column);
  if (sql::ClassifyTypeChange(old_type, new_type) != sql::TypeChange::kRewrite) return itself;
  if (IsInteger(old_type) && IsInteger(new_type) && Width(old_type) <= Width(new_type)) return itself;
  if (absl::StartsWith(old_type, "bit") && absl::StartsWith(new_type, "bit")) return itself;
  std::string target = new_type;
  if (LengthOf(new_type, "character varying").has_value()) target = "character varying";
  if (LengthOf(new_type, "character").has_value()) target = "text";
  if (LengthOf(new_type, "bit varying").has_value()) target = "bit varying";
  auto cast = sql::Expression::Parse(absl::StrCat("CAST(", sql::Ident(column), " AS ", target, ")"));
  return cast.ok() ? *cast : itself;
}

bool SameFamily(absl::string_view from, absl::string_view to) {
  const std::string a = Canonical(from), b = Canonical(to);
  return a == b || (IsNumber(a) && IsNumber(b)) || (IsText(a) && IsText(b));
}

absl::Status CheckTriggersSortFirst(const v1::Table& table) {
  const std::string ours = "~curlew_";
  for (const v1::Trigger& trigger : table.triggers()) {
    if (!trigger.before_row() || trigger.name() <= ours) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "table ", schema::NameOf(table).Quoted(), ": BEFORE trigger ", sql::Ident(trigger.name()),
        " would run after Curlew's, which must see what it writes; rename it so that it sorts "
        "before ~curlew"));
  }
  return absl::OkStatus();
}

absl::Status CheckOnlyNames(const sql::Expression& expression, absl::string_view which,
                            const std::vector<std::string>& allowed) {
  for (const std::string& column : expression.columns()) {
    if (std::find(allowed.begin(), allowed.end(), column) != allowed.end()) continue;
    std::vector<std::string> names;
    for (const std::string& name : allowed) names.push_back(sql::Ident(name));
    return absl::FailedPreconditionError(absl::StrCat(
        which, " names column ", sql::Ident(column), "; it may only use ", absl::StrJoin(names, ", "),
        ", because only ", allowed.size() == 1 ? "its" : "their", " changes are followed"));
  }
  return absl::OkStatus();
}

void AppendLinkPreflight(const CompileContext& context, const v1::Table& table, const Link& link,
                         StepList* steps) {
  for (const NewColumn& column : link.to) {
    if (IsMadeByThePlan(context, column.type)) return;
  }
  // Rows that fail are to be put aside, not to keep the plan from beginning.
  if (context.settings.backfill().on_row_error() == v1::ROW_ERROR_POLICY_QUARANTINE) return;
  const TableName name = schema::NameOf(table);
  const SqlText relation = SqlText::Name(name);
  v1::Step step;
  v1::Verify* verify = step.mutable_action()->mutable_verify();
  verify->set_search_path(SearchPath(table));
  auto add = [&](std::string description, const std::string& count, const std::string& key,
                 absl::string_view hint) {
    v1::Check* check = verify->add_checks();
    check->set_description(std::move(description));
    check->set_count_query(count);
    check->set_key_query(key);
    check->set_hint(std::string(hint));
    check->set_table(name.Quoted());
    return check;
  };
  std::vector<SqlText> news;
  for (const NewColumn& column : link.to) {
    const SqlText value = column.up.Qualified("t");
    const SqlText cast = {"CAST(", value, " AS ", SqlText::Verified(column.type), ")"};
    const std::string label = absl::StrCat(name.Quoted(), " (", column.up.text(), ")");
    news.push_back({cast, " AS ", SqlText::Name(column.name)});
    if (!column.up.IsColumn()) {
      add(absl::StrCat("`up` can be computed for every row of ", label),
          SqlText({"SELECT 0 * count(", cast, ") FROM ", relation, " AS t"}).str(), "",
          "Mend the row, or change `up` so that it takes it, then resume the rollout.")
          ->add_expressions(cast.str());
    }
    auto refuse_rows = [&](std::string description, const SqlText& violation, absl::string_view hint) {
      const SqlText where = {" FROM ", relation, " AS t WHERE ", violation};
      add(std::move(description), SqlText({"SELECT count(*)", where}).str(),
          SqlText({"SELECT ", RowKey(table, "t"), where}).str(), hint)
          ->add_expressions(value.str());
    };
    // NOT NULL that is carried along; one that the plan asks for has a look of its own.
    const bool carried = link.to.size() == 1 && link.from.size() == 1 && link.from[0].column.not_null();
    if (carried && column.not_null && !column.up.IsColumn()) {
      refuse_rows(absl::StrCat("`up` gives every row of ", label, " a value"), IsNull(value),
                  "Give these rows a value, or let `up` give them one, then resume the rollout.");
    }
    if (const auto too_long = TooLong(column);
        too_long.has_value() &&
        !(column.up.IsColumn() && link.from.size() == 1 &&
          sql::ClassifyTypeChange(link.from[0].column.type(), column.type) != sql::TypeChange::kRewrite)) {
      refuse_rows(absl::StrCat("`up` of every row of ", label, " fits into ", column.type), *too_long,
                  "Shorten these values, or let `up` do it, then resume the rollout.");
    }
  }
  std::vector<SqlText> downs;
  for (const OldColumn& old : link.from) {
    if (old.down.IsColumn() || old.down.MayBeVolatile()) continue;
    downs.push_back(
        {"count(CAST(", old.down.Qualified("t"), " AS ", SqlText::Verified(old.column.type()), "))"});
  }
  if (!downs.empty()) {
    add(absl::StrCat("`down` takes what `up` gives for every row of ", name.Quoted()),
        SqlText({"SELECT 0 * (", Join(downs, " + "), ") FROM (SELECT ", Join(news, ", "), " FROM ", relation,
                 " AS t) AS t"})
            .str(),
        "", "Change `down` so that it takes the value, then resume the rollout.");
  }
  if (verify->checks().empty()) return;
  v1::Step* look =
      steps->AddPreflight(absl::StrCat("check that `up` works on every row of ", sql::Ident(table.name())));
  *look->mutable_action() = step.action();
  AddLock(look, name, kAccessShare);
}

}  // namespace curlew::operations
