#include "common/sql/simplify.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/sql/parser.h"
#include "common/sql/query.h"
#include "common/sql/type_name.h"

namespace curlew::sql {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using pg_query::Node;
using Nodes = google::protobuf::RepeatedPtrField<Node>;

// Functions of pg_catalog whose names people give functions of their own. One in public is not meant by the
// bare name.
bool IsBuiltInFunction(absl::string_view name) {
  static const auto* const names = [] {
    const std::vector<absl::string_view> words = absl::StrSplit(
        "abs age array_agg array_append array_length array_position array_remove array_to_string avg "
        "btrim ceil char_length coalesce concat concat_ws count date_part date_trunc decode digest "
        "div encode extract floor format gen_random_uuid get_byte greatest initcap json_agg "
        "jsonb_agg jsonb_set least left length lower lpad ltrim max md5 min mod nextval now "
        "num_nonnulls num_nulls octet_length overlay position power random regexp_match "
        "regexp_replace repeat replace reverse right round row_to_json rpad rtrim sha256 sign "
        "split_part sqrt starts_with string_agg string_to_array strpos substr substring sum timezone "
        "to_char to_date to_json to_jsonb to_number to_timestamp to_tsquery to_tsvector translate "
        "trim trunc unnest upper width_bucket",
        ' ');
    return new std::set<absl::string_view>(words.begin(), words.end());
  }();
  return names->count(name) > 0;
}

Node String(absl::string_view text) {
  Node node;
  node.mutable_string()->set_sval(std::string(text));
  return node;
}

Node Operator(const Node& left, absl::string_view name, const Node& right) {
  Node node;
  pg_query::A_Expr* expr = node.mutable_a_expr();
  expr->set_kind(pg_query::AEXPR_OP);
  *expr->add_name() = String(name);
  *expr->mutable_lexpr() = left;
  *expr->mutable_rexpr() = right;
  return node;
}

Node Bool(pg_query::BoolExprType op, const std::vector<Node>& args) {
  Node node;
  node.mutable_bool_expr()->set_boolop(op);
  for (const Node& arg : args) *node.mutable_bool_expr()->add_args() = arg;
  return node;
}

// Bytes of what is written once and read twice.
constexpr size_t kLargestDoubled = 4096;

// Takes `schema` from a name of two parts.
void Unqualify(Nodes* name, absl::string_view schema) {
  if (name->size() == 2 && (*name)[0].string().sval() == schema) name->DeleteSubrange(0, 1);
}

void SimplifyOperator(Node* node) {
  pg_query::A_Expr* expr = node->mutable_a_expr();
  Unqualify(expr->mutable_name(), "pg_catalog");
  switch (expr->kind()) {
    case pg_query::AEXPR_IN: {
      const Nodes items = expr->rexpr().list().items();
      const bool negated = expr->name(0).string().sval() == "<>";
      if (items.size() == 1) {
        expr->set_kind(pg_query::AEXPR_OP);
        const Node item = items[0];
        *expr->mutable_rexpr() = item;
        return;
      }
      expr->set_kind(negated ? pg_query::AEXPR_OP_ALL : pg_query::AEXPR_OP_ANY);
      Node array;
      *array.mutable_a_array_expr()->mutable_elements() = items;
      *expr->mutable_rexpr() = array;
      return;
    }
    case pg_query::AEXPR_BETWEEN:
    case pg_query::AEXPR_NOT_BETWEEN: {
      const bool negated = expr->kind() == pg_query::AEXPR_NOT_BETWEEN;
      const Node value = expr->lexpr();
      // It comes to stand there twice: where it is a BETWEEN itself, and so on, the tree would grow without
      // end.
      if (value.ByteSizeLong() > kLargestDoubled) return;
      const Node low = expr->rexpr().list().items(0), high = expr->rexpr().list().items(1);
      *node = Bool(negated ? pg_query::OR_EXPR : pg_query::AND_EXPR,
                   {Operator(value, negated ? "<" : ">=", low), Operator(value, negated ? ">" : "<=", high)});
      return;
    }
    case pg_query::AEXPR_LIKE:
    case pg_query::AEXPR_ILIKE:
    case pg_query::AEXPR_SIMILAR:
      expr->set_kind(pg_query::AEXPR_OP);
      return;
    case pg_query::AEXPR_NOT_DISTINCT: {
      Node distinct = *node;
      distinct.mutable_a_expr()->set_kind(pg_query::AEXPR_DISTINCT);
      *node = Bool(pg_query::NOT_EXPR, {distinct});
      return;
    }
    default:
      return;
  }
}

// (a AND b) AND c is a AND b AND c; the same for OR.
void Flatten(pg_query::BoolExpr* expr) {
  if (expr->boolop() == pg_query::NOT_EXPR) return;
  Nodes flat;
  for (const Node& arg : expr->args()) {
    if (arg.has_bool_expr() && arg.bool_expr().boolop() == expr->boolop()) {
      flat.MergeFrom(arg.bool_expr().args());
    } else {
      *flat.Add() = arg;
    }
  }
  *expr->mutable_args() = flat;
}

// NULLS FIRST and LAST where they are the default, and ASC.
template <typename Element>
void SimplifyOrder(pg_query::SortByDir direction, pg_query::SortByNulls nulls,
                   void (Element::*set_direction)(pg_query::SortByDir),
                   void (Element::*set_nulls)(pg_query::SortByNulls), Element* element) {
  if (direction == pg_query::SORTBY_ASC) (element->*set_direction)(pg_query::SORTBY_DEFAULT);
  const auto by_default =
      direction == pg_query::SORTBY_DESC ? pg_query::SORTBY_NULLS_FIRST : pg_query::SORTBY_NULLS_LAST;
  if (nulls == by_default && direction != pg_query::SORTBY_USING) {
    (element->*set_nulls)(pg_query::SORTBY_NULLS_DEFAULT);
  }
}

void SortNodes(Nodes* nodes) {
  std::sort(nodes->begin(), nodes->end(),
            [](const Node& a, const Node& b) { return a.SerializeAsString() < b.SerializeAsString(); });
}

void SimplifyStatistics(pg_query::CreateStatsStmt* stats) {
  Unqualify(stats->mutable_defnames(), "public");
  stats->set_if_not_exists(false);
  SortNodes(stats->mutable_stat_types());
  if (stats->stat_types_size() == 3) stats->clear_stat_types();  // all kinds: the default
  // The server sorts the columns.
  SortNodes(stats->mutable_exprs());
}

// Of the queries of a UNION only the first one names the columns.
void ClearNames(pg_query::SelectStmt* select) {
  if (select->has_larg()) ClearNames(select->mutable_larg());
  if (select->has_rarg()) ClearNames(select->mutable_rarg());
  for (Node& target : *select->mutable_target_list()) target.mutable_res_target()->clear_name();
}

// Takes the only table of a query from before its columns, and gives each column of the list its name.
void SimplifySelect(pg_query::SelectStmt* select) {
  for (Node& target : *select->mutable_target_list()) {
    target.mutable_res_target()->set_name(ColumnName(target.res_target()));
  }
  if (select->has_rarg()) ClearNames(select->mutable_rarg());
  if (select->from_clause_size() != 1 || !select->from_clause(0).has_range_var()) return;
  const pg_query::RangeVar& table = select->from_clause(0).range_var();
  const std::string name = table.has_alias() ? table.alias().aliasname() : table.relname();
  WalkMutable(select, [&](Message* node) {
    if (node != select && node->GetDescriptor() == pg_query::SelectStmt::descriptor()) return false;
    if (auto* ref = dynamic_cast<pg_query::ColumnRef*>(node)) {
      if (ref->fields_size() == 2 && ref->fields(0).string().sval() == name) {
        ref->mutable_fields()->DeleteSubrange(0, 1);
      }
    }
    return true;
  });
}

// Whether an option of a function says what is so without it. `set` tells that it returns a set.
bool IsDefault(const pg_query::DefElem& option, bool set) {
  const Node& arg = option.arg();
  const std::string text = arg.has_string() ? arg.string().sval() : "";
  if (option.defname() == "volatility") return text == "volatile";
  if (option.defname() == "parallel") return text == "unsafe";
  if (option.defname() == "strict" || option.defname() == "security" || option.defname() == "leakproof") {
    return arg.has_boolean() && !arg.boolean().boolval();
  }
  if (option.defname() == "cost") return text == "100";
  return option.defname() == "rows" && set && text == "1000";
}

// Types of arguments and results have no length: "character varying(3)" is "character varying".
void DropModifiers(pg_query::TypeName* type) {
  if (type->names().empty()) return;
  std::string* name = type->mutable_names(0)->mutable_string()->mutable_sval();
  const size_t open = name->find('('), close = name->find(')');
  if (open != std::string::npos && close != std::string::npos && name->find('"') == std::string::npos) {
    name->erase(open, close - open + 1);
  }
}

void SimplifyFunction(pg_query::CreateFunctionStmt* function) {
  function->set_replace(false);
  Unqualify(function->mutable_funcname(), "public");
  bool set = function->return_type().setof();
  bool has_results = false;
  for (Node& parameter : *function->mutable_parameters()) {
    pg_query::FunctionParameter* p = parameter.mutable_function_parameter();
    if (p->mode() == pg_query::FUNC_PARAM_DEFAULT) p->set_mode(pg_query::FUNC_PARAM_IN);
    set = set || p->mode() == pg_query::FUNC_PARAM_TABLE;
    DropModifiers(p->mutable_arg_type());
    if (p->mode() == pg_query::FUNC_PARAM_OUT || p->mode() == pg_query::FUNC_PARAM_INOUT) {
      has_results = true;
    }
  }
  DropModifiers(function->mutable_return_type());
  // What OUT arguments say need not be said again.
  if (has_results) function->clear_return_type();
  Nodes options;
  for (const Node& option : function->options()) {
    if (!IsDefault(option.def_elem(), set)) *options.Add() = option;
  }
  // Several SET are done in the order in which they are written; the other options have none.
  std::stable_sort(options.begin(), options.end(), [](const Node& a, const Node& b) {
    return a.def_elem().defname() < b.def_elem().defname();
  });
  *function->mutable_options() = options;
}

void SimplifyMessage(Message* message) {
  if (auto* table = dynamic_cast<pg_query::RangeVar*>(message)) {
    const bool system = table->schemaname() == "pg_catalog" && absl::StartsWith(table->relname(), "pg_");
    if (table->schemaname() == "public" || system) table->clear_schemaname();
  } else if (auto* call = dynamic_cast<pg_query::FuncCall*>(message)) {
    Unqualify(call->mutable_funcname(), "pg_catalog");
    if (!IsBuiltInFunction(call->funcname(call->funcname_size() - 1).string().sval())) {
      Unqualify(call->mutable_funcname(), "public");
    }
    call->clear_funcformat();
  } else if (auto* type = dynamic_cast<pg_query::TypeName*>(message)) {
    const Node name = String(TypeInOneSpelling(*type));
    type->clear_names();
    *type->add_names() = name;
    type->clear_typmods();
    type->clear_typemod();
    type->clear_array_bounds();
  } else if (auto* collation = dynamic_cast<pg_query::CollateClause*>(message)) {
    Unqualify(collation->mutable_collname(), "pg_catalog");
  } else if (auto* expr = dynamic_cast<pg_query::BoolExpr*>(message)) {
    Flatten(expr);
  } else if (auto* element = dynamic_cast<pg_query::IndexElem*>(message)) {
    Unqualify(element->mutable_collation(), "pg_catalog");
    Unqualify(element->mutable_opclass(), "pg_catalog");
    SimplifyOrder(element->ordering(), element->nulls_ordering(), &pg_query::IndexElem::set_ordering,
                  &pg_query::IndexElem::set_nulls_ordering, element);
    if (element->expr().column_ref().fields_size() == 1 &&
        element->expr().column_ref().fields(0).has_string()) {
      element->set_name(element->expr().column_ref().fields(0).string().sval());
      element->clear_expr();
    }
  } else if (auto* sort = dynamic_cast<pg_query::SortBy*>(message)) {
    SimplifyOrder(sort->sortby_dir(), sort->sortby_nulls(), &pg_query::SortBy::set_sortby_dir,
                  &pg_query::SortBy::set_sortby_nulls, sort);
  } else if (auto* option = dynamic_cast<pg_query::DefElem*>(message)) {
    if (option->arg().has_integer()) {
      const Node text = String(absl::StrCat(option->arg().integer().ival()));
      *option->mutable_arg() = text;
    } else if (option->arg().has_float_()) {
      const Node text = String(option->arg().float_().fval());
      *option->mutable_arg() = text;
    }
  } else if (auto* index = dynamic_cast<pg_query::IndexStmt*>(message)) {
    index->set_concurrent(false);
    index->set_if_not_exists(false);
    if (index->access_method().empty()) index->set_access_method("btree");
  } else if (auto* trigger = dynamic_cast<pg_query::CreateTrigStmt*>(message)) {
    trigger->set_replace(false);
    Unqualify(trigger->mutable_funcname(), "pg_catalog");
    Unqualify(trigger->mutable_funcname(), "public");
  } else if (auto* function = dynamic_cast<pg_query::CreateFunctionStmt*>(message)) {
    SimplifyFunction(function);
  } else if (auto* view = dynamic_cast<pg_query::ViewStmt*>(message)) {
    view->set_replace(false);
  } else if (auto* stats = dynamic_cast<pg_query::CreateStatsStmt*>(message)) {
    SimplifyStatistics(stats);
  } else if (auto* select = dynamic_cast<pg_query::SelectStmt*>(message)) {
    SimplifySelect(select);
  } else if (auto* node = dynamic_cast<Node*>(message)) {
    if (node->has_a_expr()) SimplifyOperator(node);
  }
}

}  // namespace

void Simplify(Message* message) {
  const Reflection* reflection = message->GetReflection();
  for (const char* name : {"location", "stmt_location", "stmt_len"}) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(name);
    if (field != nullptr) reflection->ClearField(message, field);
  }
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      Simplify(reflection->MutableMessage(message, field));
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
      Simplify(reflection->MutableRepeatedMessage(message, field, i));
    }
  }
  SimplifyMessage(message);
}

}  // namespace curlew::sql
