#include "common/sql/expression.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/sql/parser.h"

namespace curlew::sql {
namespace {

using google::protobuf::Message;

constexpr absl::string_view kSelect = "SELECT ";

// Built-in aggregates: the grammar does not tell them from functions.
const std::set<std::string>& Aggregates() {
  static const auto* const names = new std::set<std::string>{
      "array_agg",  "avg",         "bit_and", "bit_or",          "bool_and",
      "bool_or",    "count",       "every",   "json_agg",        "jsonb_agg",
      "max",        "min",         "sum",     "string_agg",      "stddev",
      "variance",   "xmlagg",      "mode",    "var_pop",         "var_samp",
      "stddev_pop", "stddev_samp", "corr",    "json_object_agg", "jsonb_object_agg"};
  return *names;
}

// Built-in functions that are immutable or stable, of those that people use in such expressions. Anything
// else is taken for volatile, which only costs a stricter treatment.
const std::set<std::string>& SteadyFunctions() {
  static const auto* const names = new std::set<std::string>{"abs",
                                                             "ceil",
                                                             "ceiling",
                                                             "floor",
                                                             "round",
                                                             "trunc",
                                                             "sign",
                                                             "sqrt",
                                                             "power",
                                                             "mod",
                                                             "div",
                                                             "exp",
                                                             "ln",
                                                             "log",
                                                             "lower",
                                                             "upper",
                                                             "initcap",
                                                             "btrim",
                                                             "ltrim",
                                                             "rtrim",
                                                             "trim",
                                                             "length",
                                                             "char_length",
                                                             "octet_length",
                                                             "substr",
                                                             "substring",
                                                             "left",
                                                             "right",
                                                             "lpad",
                                                             "rpad",
                                                             "repeat",
                                                             "replace",
                                                             "reverse",
                                                             "translate",
                                                             "strpos",
                                                             "position",
                                                             "overlay",
                                                             "split_part",
                                                             "concat",
                                                             "concat_ws",
                                                             "format",
                                                             "md5",
                                                             "sha256",
                                                             "encode",
                                                             "decode",
                                                             "regexp_replace",
                                                             "regexp_match",
                                                             "regexp_substr",
                                                             "regexp_like",
                                                             "regexp_count",
                                                             "regexp_instr",
                                                             "to_char",
                                                             "to_date",
                                                             "to_number",
                                                             "to_timestamp",
                                                             "to_json",
                                                             "to_jsonb",
                                                             "row_to_json",
                                                             "jsonb_build_object",
                                                             "json_build_object",
                                                             "jsonb_build_array",
                                                             "json_build_array",
                                                             "jsonb_set",
                                                             "jsonb_extract_path",
                                                             "jsonb_extract_path_text",
                                                             "json_extract_path",
                                                             "json_extract_path_text",
                                                             "array_length",
                                                             "array_append",
                                                             "array_prepend",
                                                             "array_cat",
                                                             "array_remove",
                                                             "array_replace",
                                                             "array_to_string",
                                                             "string_to_array",
                                                             "cardinality",
                                                             "now",
                                                             "transaction_timestamp",
                                                             "statement_timestamp",
                                                             "current_setting",
                                                             "date_trunc",
                                                             "date_part",
                                                             "extract",
                                                             "make_date",
                                                             "make_interval",
                                                             "make_timestamp",
                                                             "make_timestamptz",
                                                             "age",
                                                             "timezone",
                                                             "justify_hours",
                                                             "int4",
                                                             "int8",
                                                             "text",
                                                             "numeric",
                                                             "ascii",
                                                             "chr",
                                                             "to_hex",
                                                             "quote_literal",
                                                             "quote_ident",
                                                             "quote_nullable",
                                                             "num_nulls",
                                                             "num_nonnulls",
                                                             "normalize",
                                                             "starts_with",
                                                             "hashtext",
                                                             "to_tsvector",
                                                             "point",
                                                             "box",
                                                             "unaccent"};
  return *names;
}

// The last part of a function's name; empty unless it is built in by its name.
std::string BuiltInName(const pg_query::FuncCall& call) {
  if (call.funcname_size() == 2 && call.funcname(0).string().sval() != "pg_catalog") return "";
  if (call.funcname_size() == 0 || call.funcname_size() > 2) return "";
  return call.funcname(call.funcname_size() - 1).string().sval();
}

}  // namespace

absl::StatusOr<Expression> Expression::Parse(absl::string_view text) {
  Expression expression;
  expression.text_ = std::string(absl::StripAsciiWhitespace(text));
  auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("expression \"", expression.text_, "\": ", why));
  };
  if (expression.text_.empty()) return absl::InvalidArgumentError("the expression is empty");
  const std::string query = absl::StrCat(kSelect, expression.text_);
  auto tokens = Scan(query);
  if (!tokens.ok()) return refuse(tokens.status().message());
  for (const Token& token : *tokens) {
    if (token.comment) return refuse("a comment does not belong into an expression; leave it out");
  }
  auto tree = sql::Parse(query);
  if (!tree.ok()) return refuse(tree.status().message());
  if (tree->stmts_size() != 1 || !tree->stmts(0).stmt().has_select_stmt()) {
    return refuse("it is not one expression; remove what follows the first value");
  }
  // What may stand beside the one target of a bare SELECT: nothing.
  pg_query::SelectStmt rest = tree->stmts(0).stmt().select_stmt();
  if (rest.target_list_size() != 1 || !rest.target_list(0).has_res_target() ||
      !rest.target_list(0).res_target().name().empty() ||
      rest.target_list(0).res_target().indirection_size() > 0) {
    return refuse("it is not one expression; a list or a column alias does not belong here");
  }
  const pg_query::Node value = rest.target_list(0).res_target().val();
  rest.clear_target_list();
  pg_query::SelectStmt bare;
  bare.set_limit_option(rest.limit_option());
  bare.set_op(rest.op());
  if (rest.SerializeAsString() != bare.SerializeAsString() || tree->stmts(0).stmt_len() > 0) {
    return refuse("it is not one expression; FROM, WHERE, ORDER BY and the like do not belong here");
  }

  absl::Status problem;
  Walk(value, [&](const Message& node) {
    if (!problem.ok()) return false;
    const auto* d = node.GetDescriptor();
    if (d == pg_query::SubLink::descriptor()) {
      problem = refuse("a subquery is not allowed: the value must come from one row alone");
    } else if (d == pg_query::ParamRef::descriptor()) {
      problem = refuse("a parameter such as $1 is not allowed; nothing would give it a value");
    } else if (d == pg_query::SetToDefault::descriptor()) {
      problem = refuse("DEFAULT is not a value here");
    } else if (d == pg_query::A_Star::descriptor()) {
      problem = refuse("* is not a value here; name the columns");
    } else if (d == pg_query::FuncCall::descriptor()) {
      const auto& call = static_cast<const pg_query::FuncCall&>(node);
      const std::string name = BuiltInName(call);
      if (call.has_over()) {
        problem = refuse("a window function is not allowed: the value must come from one row alone");
      } else if (call.agg_star() || call.agg_distinct() || call.agg_order_size() > 0 ||
                 call.has_agg_filter() || Aggregates().count(name) > 0) {
        problem = refuse("an aggregate is not allowed: the value must come from one row alone");
      }
      if (SteadyFunctions().count(name) == 0) expression.may_be_volatile_ = true;
    } else if (d == pg_query::ColumnRef::descriptor()) {
      const auto& ref = static_cast<const pg_query::ColumnRef&>(node);
      if (ref.fields_size() != 1 || !ref.fields(0).has_string()) {
        problem = refuse("write columns alone, without a table before them");
        return false;
      }
      const auto token = std::find_if(tokens->begin(), tokens->end(),
                                      [&](const Token& t) { return t.start == ref.location(); });
      if (token == tokens->end()) {
        problem = refuse("a column's place cannot be found in the text");
        return false;
      }
      const int shift = static_cast<int>(kSelect.size());
      expression.references_.push_back(
          {token->start - shift, token->end - shift, ref.fields(0).string().sval()});
      expression.columns_.insert(ref.fields(0).string().sval());
    }
    return problem.ok();
  });
  RETURN_IF_ERROR(problem);
  std::sort(expression.references_.begin(), expression.references_.end(),
            [](const Reference& a, const Reference& b) { return a.start < b.start; });
  expression.is_column_ = value.has_column_ref();
  return expression;
}

Expression Expression::Column(absl::string_view name) {
  Expression expression;
  expression.text_ = Ident(name);
  expression.references_.push_back({0, static_cast<int>(expression.text_.size()), std::string(name)});
  expression.columns_.insert(std::string(name));
  expression.is_column_ = true;
  return expression;
}

std::string Expression::Splice(const std::function<std::string(const Reference&)>& replacement) const {
  std::string out;
  int at = 0;
  for (const Reference& ref : references_) {
    out.append(text_, at, ref.start - at);
    out += replacement(ref);
    at = ref.end;
  }
  out.append(text_, at);
  return out;
}

SqlText Expression::Qualified(absl::string_view prefix) const {
  std::string text =
      Splice([&](const Reference& ref) { return absl::StrCat(prefix, ".", Ident(ref.column)); });
  return SqlText::Verified(is_column_ ? text : absl::StrCat("(", text, ")"));
}

absl::StatusOr<Expression> Expression::Substitute(const std::map<std::string, Expression>& by) const {
  return Parse(Splice([&](const Reference& ref) {
    auto found = by.find(ref.column);
    return found == by.end() ? text_.substr(ref.start, ref.end - ref.start) : found->second.Sql().str();
  }));
}

SqlText Expression::Sql() const {
  return SqlText::Verified(is_column_ ? text_ : absl::StrCat("(", text_, ")"));
}

bool IsBuiltInType(absl::string_view text) {
  auto tree = Parse(absl::StrCat("SELECT NULL::", text));
  if (!tree.ok() || tree->stmts_size() != 1) return false;
  const auto& targets = tree->stmts(0).stmt().select_stmt().target_list();
  return targets.size() == 1 && IsBuiltInType(targets[0].res_target().val().type_cast().type_name());
}

absl::Status CheckType(absl::string_view text) {
  auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not a type: ", why));
  };
  auto tokens = Scan(text);
  if (!tokens.ok()) return refuse(tokens.status().message());
  for (const Token& token : *tokens) {
    if (token.comment) return refuse("a comment does not belong into a type");
  }
  auto tree = Parse(absl::StrCat("ALTER TABLE t ADD COLUMN c ", text));
  if (!tree.ok()) return refuse(tree.status().message());
  if (tree->stmts_size() != 1 || !tree->stmts(0).stmt().has_alter_table_stmt() ||
      tree->stmts(0).stmt().alter_table_stmt().cmds_size() != 1) {
    return refuse("more than a type stands there");
  }
  const auto& column = tree->stmts(0).stmt().alter_table_stmt().cmds(0).alter_table_cmd().def().column_def();
  if (column.constraints_size() > 0 || column.has_coll_clause() || !column.has_type_name() ||
      column.type_name().setof()) {
    return refuse("DEFAULT, NOT NULL, COLLATE and the like have fields of their own");
  }
  for (const auto& part : column.type_name().names()) {
    if (absl::EndsWith(part.string().sval(), "serial") || part.string().sval() == "serial4" ||
        part.string().sval() == "serial8" || part.string().sval() == "serial2") {
      return refuse("serial is a default and a sequence, not a type; use bigint");
    }
  }
  return absl::OkStatus();
}

}  // namespace curlew::sql
