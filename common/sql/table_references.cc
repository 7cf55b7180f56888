#include "common/sql/table_references.h"

#include <set>
#include <string>

#include "absl/strings/match.h"

namespace curlew::sql {
namespace {

using google::protobuf::Message;
using pg_query::Node;

// Names in `with` are those of WITH that can be seen.
void Visit(const Message& tree, const std::set<std::string>& with,
           const std::function<void(const pg_query::RangeVar&)>& visit) {
  Walk(tree, [&](const Message& node) {
    if (node.GetDescriptor() == pg_query::RangeVar::descriptor()) {
      const auto& table = static_cast<const pg_query::RangeVar&>(node);
      if (!table.schemaname().empty() || !with.contains(table.relname())) visit(table);
      return false;
    }
    if (node.GetDescriptor() != pg_query::SelectStmt::descriptor()) return true;
    const auto& select = static_cast<const pg_query::SelectStmt&>(node);
    if (!select.has_with_clause()) return true;
    std::set<std::string> inner = with;
    if (select.with_clause().recursive()) {
      for (const Node& cte : select.with_clause().ctes()) inner.insert(cte.common_table_expr().ctename());
    }
    for (const Node& cte : select.with_clause().ctes()) {
      Visit(cte.common_table_expr(), inner, visit);
      inner.insert(cte.common_table_expr().ctename());
    }
    pg_query::SelectStmt rest = select;
    rest.clear_with_clause();
    Visit(rest, inner, visit);
    return false;
  });
}

}  // namespace

void ForEachTable(const Message& tree, const std::function<void(const pg_query::RangeVar&)>& visit) {
  Visit(tree, {}, visit);
}

TableName NameOf(const pg_query::RangeVar& table) {
  if (!table.schemaname().empty()) return {table.schemaname(), table.relname()};
  return {absl::StartsWith(table.relname(), "pg_") ? "pg_catalog" : "public", table.relname()};
}

}  // namespace curlew::sql
