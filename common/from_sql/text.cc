#include "common/from_sql/text.h"

#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/sql/expression.h"
#include "common/sql/parser.h"

namespace curlew::from_sql {
namespace {

using google::protobuf::Message;
using pg_query::Node;

// Where things stand in the text does not count.
void ClearPlaces(Message* tree) {
  sql::WalkMutable(tree, [](Message* message) {
    for (const char* name : {"location", "stmt_location", "stmt_len"}) {
      const auto* field = message->GetDescriptor()->FindFieldByName(name);
      if (field != nullptr) message->GetReflection()->ClearField(message, field);
    }
    return true;
  });
}

Node Select(const Node& value) {
  Node node;
  pg_query::SelectStmt* select = node.mutable_select_stmt();
  *select->add_target_list()->mutable_res_target()->mutable_val() = value;
  select->set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
  select->set_op(pg_query::SETOP_NONE);
  return node;
}

}  // namespace

std::optional<std::string> Printed(const Node& statement) {
  pg_query::ParseResult tree;
  tree.set_version(150001);
  *tree.add_stmts()->mutable_stmt() = statement;
  const auto text = sql::Deparse(tree);
  if (!text.ok()) return std::nullopt;
  auto again = sql::Parse(*text);
  if (!again.ok() || again->stmts_size() != 1) return std::nullopt;
  Node before = statement, after = again->stmts(0).stmt();
  ClearPlaces(&before);
  ClearPlaces(&after);
  if (before.SerializeAsString() != after.SerializeAsString()) return std::nullopt;
  return *text;
}

std::optional<std::string> ExpressionText(const Node& expression, const std::vector<std::string>& tables) {
  Node bare = expression;
  sql::WalkMutable(&bare, [&](Message* message) {
    if (message->GetDescriptor() != pg_query::ColumnRef::descriptor()) return true;
    auto* fields = static_cast<pg_query::ColumnRef*>(message)->mutable_fields();
    if (fields->size() > 1 &&
        std::count(tables.begin(), tables.end(), (*fields)[fields->size() - 2].string().sval()) > 0) {
      fields->DeleteSubrange(0, fields->size() - 1);
    }
    return true;
  });
  const auto text = Printed(Select(bare));
  if (!text.has_value()) return std::nullopt;
  std::string value(absl::StripPrefix(*text, "SELECT "));
  if (!sql::Expression::Parse(value).ok()) return std::nullopt;
  return value;
}

std::optional<std::string> TypeText(const pg_query::TypeName& type) {
  Node null;
  null.mutable_a_const()->set_isnull(true);
  Node cast;
  *cast.mutable_type_cast()->mutable_arg() = null;
  *cast.mutable_type_cast()->mutable_type_name() = type;
  const auto text = Printed(Select(cast));
  if (!text.has_value()) return std::nullopt;
  absl::string_view rest = *text;
  if (!absl::ConsumePrefix(&rest, "SELECT NULL::") || !sql::CheckType(rest).ok()) return std::nullopt;
  return std::string(rest);
}

std::vector<std::string> Strings(const Nodes& nodes) {
  std::vector<std::string> strings;
  for (const Node& node : nodes) strings.push_back(node.string().sval());
  return strings;
}

sql::TableName NameOf(const Nodes& parts) {
  sql::TableName name;
  if (!parts.empty()) name.name = parts[parts.size() - 1].string().sval();
  if (parts.size() > 1) name.schema = parts[parts.size() - 2].string().sval();
  return name;
}

std::string Spelled(const sql::TableName& name) {
  return name.schema.empty() ? sql::Ident(name.name) : name.Quoted();
}

std::string ValueText(const Node& value) {
  if (value.has_a_const()) {
    const pg_query::A_Const& constant = value.a_const();
    if (constant.has_ival()) return absl::StrCat(constant.ival().ival());
    if (constant.has_fval()) return constant.fval().fval();
    if (constant.has_boolval()) return constant.boolval().boolval() ? "true" : "false";
    return constant.sval().sval();
  }
  if (value.has_integer()) return absl::StrCat(value.integer().ival());
  if (value.has_float_()) return value.float_().fval();
  if (value.has_boolean()) return value.boolean().boolval() ? "true" : "false";
  if (value.has_string()) return value.string().sval();
  if (value.has_type_name()) return absl::StrJoin(Strings(value.type_name().names()), ".");
  if (value.has_list()) return absl::StrJoin(Strings(value.list().items()), ".");
  return "";
}

std::optional<int64_t> Number(const Node& value) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(ValueText(value), &number)) return std::nullopt;
  return number;
}

std::vector<std::string> ColumnsOf(const Node& expression) {
  std::set<std::string> columns;
  sql::Walk(expression, [&](const Message& message) {
    if (message.GetDescriptor() == pg_query::ColumnRef::descriptor()) {
      const auto& fields = static_cast<const pg_query::ColumnRef&>(message).fields();
      if (!fields.empty()) columns.insert(fields[fields.size() - 1].string().sval());
    }
    return true;
  });
  return {columns.begin(), columns.end()};
}

bool Holds(const Message& tree, const google::protobuf::Descriptor* type) {
  bool found = false;
  sql::Walk(tree, [&](const Message& message) {
    found = found || message.GetDescriptor() == type;
    return !found;
  });
  return found;
}

}  // namespace curlew::from_sql
