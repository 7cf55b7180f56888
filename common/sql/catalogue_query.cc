#include "common/sql/catalogue_query.h"

#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/sql/parser.h"

namespace curlew::sql {
namespace {

bool IsHarmless(const pg_query::FuncCall& call) {
  static const auto* const names = new std::set<std::string>{"count",
                                                             "lower",
                                                             "upper",
                                                             "to_regclass",
                                                             "to_regtype",
                                                             "to_regproc",
                                                             "to_regprocedure",
                                                             "current_schema",
                                                             "current_database",
                                                             "current_schemas",
                                                             "current_setting",
                                                             "format_type",
                                                             "pg_get_constraintdef",
                                                             "pg_get_indexdef",
                                                             "pg_get_expr",
                                                             "pg_table_is_visible",
                                                             "version",
                                                             "coalesce",
                                                             "max",
                                                             "min",
                                                             "array_agg",
                                                             "string_agg",
                                                             "length",
                                                             "has_table_privilege",
                                                             "pg_relation_size"};
  if (call.funcname_size() == 0) return false;
  if (call.funcname_size() == 2 && call.funcname(0).string().sval() != "pg_catalog") return false;
  return names->count(call.funcname(call.funcname_size() - 1).string().sval()) > 0;
}

}  // namespace

bool ReadsCataloguesAlone(absl::string_view query) {
  const auto tree = Parse(query);
  if (!tree.ok() || tree->stmts_size() != 1 || !tree->stmts(0).stmt().has_select_stmt()) return false;
  bool harmless = true;
  Walk(*tree, [&](const google::protobuf::Message& m) {
    const auto* type = m.GetDescriptor();
    if (type == pg_query::RangeVar::descriptor()) {
      const auto& table = static_cast<const pg_query::RangeVar&>(m);
      harmless &= table.schemaname() == "pg_catalog" || table.schemaname() == "information_schema" ||
                  (table.schemaname().empty() && absl::StartsWith(table.relname(), "pg_"));
    } else if (type == pg_query::FuncCall::descriptor()) {
      harmless &= IsHarmless(static_cast<const pg_query::FuncCall&>(m));
    } else if (type == pg_query::CommonTableExpr::descriptor() ||
               type == pg_query::LockingClause::descriptor() || type == pg_query::IntoClause::descriptor() ||
               type == pg_query::ParamRef::descriptor()) {
      harmless = false;
    }
    return harmless;
  });
  return harmless;
}

}  // namespace curlew::sql
