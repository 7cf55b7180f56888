#include "common/lint/deparse.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/sql/parser.h"

namespace curlew::lint {

std::string DeparseExpression(const pg_query::Node& expression) {
  pg_query::ParseResult tree;
  auto* select = tree.add_stmts()->mutable_stmt()->mutable_select_stmt();
  select->set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
  select->set_op(pg_query::SETOP_NONE);
  *select->add_target_list()->mutable_res_target()->mutable_val() = expression;
  const auto text = sql::Deparse(tree);
  if (!text.ok() || text->size() < 7) return "";
  return text->substr(7);
}

std::string TypeText(const pg_query::TypeName& type) {
  pg_query::Node cast;
  cast.mutable_type_cast()->mutable_arg()->mutable_a_const()->set_isnull(true);
  *cast.mutable_type_cast()->mutable_type_name() = type;
  const std::string text = DeparseExpression(cast);
  const size_t colons = text.find("::");
  return colons == std::string::npos ? text : text.substr(colons + 2);
}

std::optional<pg_query::Node> ParseExpression(absl::string_view text) {
  auto tree = sql::Parse(absl::StrCat("SELECT ", text));
  if (!tree.ok() || tree->stmts_size() != 1) return std::nullopt;
  const auto& select = tree->stmts(0).stmt().select_stmt();
  if (select.target_list_size() != 1) return std::nullopt;
  return select.target_list(0).res_target().val();
}

std::vector<std::string> ColumnsOf(const google::protobuf::Message& expression) {
  std::vector<std::string> columns;
  sql::Walk(expression, [&](const google::protobuf::Message& m) {
    if (m.GetDescriptor() != pg_query::ColumnRef::descriptor()) return true;
    const auto& ref = static_cast<const pg_query::ColumnRef&>(m);
    if (ref.fields_size() > 0 && ref.fields(ref.fields_size() - 1).has_string()) {
      const std::string& name = ref.fields(ref.fields_size() - 1).string().sval();
      if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
    }
    return false;
  });
  return columns;
}

std::string ColumnName(const pg_query::Node& expression) {
  if (!expression.has_column_ref()) return "";
  const auto& fields = expression.column_ref().fields();
  if (fields.empty() || !fields[fields.size() - 1].has_string()) return "";
  return fields[fields.size() - 1].string().sval();
}

}  // namespace curlew::lint
