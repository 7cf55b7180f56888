#include "common/sql/query.h"

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/sql/one_statement.h"
#include "common/sql/parser.h"
#include "common/sql/table_references.h"

namespace curlew::sql {
namespace {

using google::protobuf::Message;
using pg_query::Node;

template <typename T>
const T* As(const Message& node) {
  return node.GetDescriptor() == T::descriptor() ? static_cast<const T*>(&node) : nullptr;
}

absl::Status CheckOnlyReads(const Message& tree) {
  std::string problem;
  Walk(tree, [&](const Message& node) {
    if (As<pg_query::IntoClause>(node) != nullptr) {
      problem = "INTO would create a table; leave it out";
    } else if (As<pg_query::LockingClause>(node) != nullptr) {
      problem = "FOR UPDATE, FOR SHARE and the like would lock rows of the tables below it; leave them out";
    } else if (As<pg_query::ParamRef>(node) != nullptr) {
      problem = "a parameter such as $1 has no value here; write the value";
    } else if (As<pg_query::InsertStmt>(node) != nullptr || As<pg_query::UpdateStmt>(node) != nullptr ||
               As<pg_query::DeleteStmt>(node) != nullptr || As<pg_query::MergeStmt>(node) != nullptr) {
      problem = "WITH may only hold queries, nothing that writes";
    }
    return problem.empty();
  });
  if (problem.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the query: ", problem));
}

// The columns named below `tree`. A name before a column may be any table or alias of the whole query: too
// many uses are better than one too few.
std::set<ColumnUse> CollectUses(const Message& tree) {
  std::multimap<std::string, TableName> by_alias;
  Walk(tree, [&](const Message& node) {
    if (const auto* table = As<pg_query::RangeVar>(node)) {
      by_alias.emplace(table->has_alias() ? table->alias().aliasname() : table->relname(), NameOf(*table));
    }
    return true;
  });
  std::set<ColumnUse> uses;
  Walk(tree, [&](const Message& node) {
    const auto* ref = As<pg_query::ColumnRef>(node);
    if (ref == nullptr) return true;
    const Node& last = ref->fields(ref->fields_size() - 1);
    const std::string column = last.has_a_star() ? "*" : last.string().sval();
    if (ref->fields_size() == 1) {
      uses.insert({std::nullopt, column});
      // An alias alone is the whole row.
      const auto [begin, end] = by_alias.equal_range(column);
      for (auto it = begin; it != end; ++it) uses.insert({it->second, "*"});
      return false;
    }
    const auto [begin, end] = by_alias.equal_range(ref->fields(ref->fields_size() - 2).string().sval());
    for (auto it = begin; it != end; ++it) uses.insert({it->second, column});
    return false;
  });
  // NATURAL and USING name columns in their own way.
  Walk(tree, [&](const Message& node) {
    if (const auto* join = As<pg_query::JoinExpr>(node)) {
      if (join->is_natural()) uses.insert({std::nullopt, "*"});
      for (const Node& column : join->using_clause()) uses.insert({std::nullopt, column.string().sval()});
    }
    return true;
  });
  return uses;
}

const pg_query::SelectStmt& LeftMost(const pg_query::SelectStmt& select) {
  return select.has_larg() ? LeftMost(select.larg()) : select;
}

std::optional<std::vector<std::string>> Columns(const pg_query::SelectStmt& whole) {
  const pg_query::SelectStmt& select = LeftMost(whole);
  std::vector<std::string> columns;
  if (select.values_lists_size() > 0) {
    for (int i = 1; i <= select.values_lists(0).list().items_size(); ++i) {
      columns.push_back(absl::StrCat("column", i));
    }
    return columns;
  }
  if (select.target_list().empty()) return std::nullopt;  // TABLE t
  for (const Node& target : select.target_list()) {
    for (const Node& field : target.res_target().val().column_ref().fields()) {
      if (field.has_a_star()) return std::nullopt;
    }
    for (const Node& part : target.res_target().val().a_indirection().indirection()) {
      if (part.has_a_star()) return std::nullopt;
    }
    columns.push_back(ColumnName(target.res_target()));
  }
  return columns;
}

// How sure PostgreSQL is of a name that it makes up (FigureColnameInternal).
enum class Strength { kNone, kWeak, kStrong };
struct Figured {
  Strength strength = Strength::kNone;
  std::string name;
};

template <typename Names>
std::string LastName(const Names& names) {
  for (int i = static_cast<int>(names.size()) - 1; i >= 0; --i) {
    if (names[i].has_string()) return names[i].string().sval();
  }
  return "";
}

absl::string_view ValueFunction(pg_query::SQLValueFunctionOp op) {
  switch (op) {
    case pg_query::SVFOP_CURRENT_DATE:
      return "current_date";
    case pg_query::SVFOP_CURRENT_TIME:
    case pg_query::SVFOP_CURRENT_TIME_N:
      return "current_time";
    case pg_query::SVFOP_CURRENT_TIMESTAMP:
    case pg_query::SVFOP_CURRENT_TIMESTAMP_N:
      return "current_timestamp";
    case pg_query::SVFOP_LOCALTIME:
    case pg_query::SVFOP_LOCALTIME_N:
      return "localtime";
    case pg_query::SVFOP_LOCALTIMESTAMP:
    case pg_query::SVFOP_LOCALTIMESTAMP_N:
      return "localtimestamp";
    case pg_query::SVFOP_CURRENT_ROLE:
      return "current_role";
    case pg_query::SVFOP_CURRENT_USER:
      return "current_user";
    case pg_query::SVFOP_USER:
      return "user";
    case pg_query::SVFOP_SESSION_USER:
      return "session_user";
    case pg_query::SVFOP_CURRENT_CATALOG:
      return "current_catalog";
    case pg_query::SVFOP_CURRENT_SCHEMA:
      return "current_schema";
    default:
      return "?column?";
  }
}

Figured Figure(const Node& node) {
  const auto strong = [](absl::string_view name) {
    return Figured{name.empty() ? Strength::kNone : Strength::kStrong, std::string(name)};
  };
  if (node.has_column_ref()) return strong(LastName(node.column_ref().fields()));
  if (node.has_a_indirection()) {
    Figured figured = strong(LastName(node.a_indirection().indirection()));
    return figured.strength == Strength::kNone ? Figure(node.a_indirection().arg()) : figured;
  }
  if (node.has_func_call()) return strong(LastName(node.func_call().funcname()));
  if (node.has_type_cast()) {
    Figured figured = Figure(node.type_cast().arg());
    if (figured.strength != Strength::kNone) return figured;
    return {Strength::kWeak, LastName(node.type_cast().type_name().names())};
  }
  if (node.has_collate_clause()) return Figure(node.collate_clause().arg());
  if (node.has_case_expr()) {
    Figured figured = Figure(node.case_expr().defresult());
    return figured.strength == Strength::kStrong ? figured : Figured{Strength::kWeak, "case"};
  }
  if (node.has_a_expr() && node.a_expr().kind() == pg_query::AEXPR_NULLIF) return strong("nullif");
  if (node.has_coalesce_expr()) return strong("coalesce");
  if (node.has_min_max_expr()) {
    return strong(node.min_max_expr().op() == pg_query::IS_GREATEST ? "greatest" : "least");
  }
  if (node.has_a_array_expr()) return strong("array");
  if (node.has_row_expr()) return strong("row");
  if (node.has_grouping_func()) return strong("grouping");
  if (node.has_sqlvalue_function()) return strong(ValueFunction(node.sqlvalue_function().op()));
  if (node.has_xml_serialize()) return strong("xmlserialize");
  if (node.has_sub_link()) {
    const pg_query::SubLink& link = node.sub_link();
    if (link.sub_link_type() == pg_query::EXISTS_SUBLINK) return strong("exists");
    if (link.sub_link_type() == pg_query::ARRAY_SUBLINK) return strong("array");
    const auto& targets = LeftMost(link.subselect().select_stmt()).target_list();
    if (link.sub_link_type() == pg_query::EXPR_SUBLINK && targets.size() == 1) {
      return strong(ColumnName(targets[0].res_target()));
    }
  }
  return {};
}

}  // namespace

std::string ColumnName(const pg_query::ResTarget& target) {
  if (!target.name().empty()) return target.name();
  Figured figured = Figure(target.val());
  return figured.name.empty() ? "?column?" : figured.name;
}

absl::StatusOr<Query> ParseQuery(absl::string_view text) {
  ASSIGN_OR_RETURN(const OneStatement one, ParseOneStatement(text, "query"));
  if (!one.stmt.has_select_stmt()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the query is another kind of statement; write SELECT ...: ", base::Utf8Prefix(one.text, 80)));
  }
  RETURN_IF_ERROR(CheckOnlyReads(one.stmt));
  Query query;
  query.text = one.text;
  query.columns = Columns(one.stmt.select_stmt());
  std::set<TableName> tables;
  ForEachTable(one.stmt, [&](const pg_query::RangeVar& table) { tables.insert(NameOf(table)); });
  const std::set<ColumnUse> uses = CollectUses(one.stmt);
  query.uses.assign(uses.begin(), uses.end());
  std::set<std::string> functions;
  Walk(one.stmt, [&](const Message& node) {
    if (const auto* call = As<pg_query::FuncCall>(node)) functions.insert(LastName(call->funcname()));
    return true;
  });
  query.functions.assign(functions.begin(), functions.end());
  query.tables.assign(tables.begin(), tables.end());
  return query;
}

}  // namespace curlew::sql
