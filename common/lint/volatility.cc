#include <optional>

#include "absl/strings/str_cat.h"
#include "common/lint/alter_table.h"
#include "common/lint/deparse.h"
#include "common/sql/parser.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

// Three-valued truth of a constant.
enum class Known { kTrue, kFalse, kNull, kUnknown };

Known TruthOf(const Node& node) {
  if (node.has_a_const()) {
    if (node.a_const().isnull()) return Known::kNull;
    if (node.a_const().has_boolval())
      return node.a_const().boolval().boolval() ? Known::kTrue : Known::kFalse;
  }
  if (node.has_type_cast() && node.type_cast().arg().has_a_const()) {
    const std::string text = ConstantText(node);
    if (text == "t" || text == "true") return Known::kTrue;
    if (text == "f" || text == "false") return Known::kFalse;
  }
  if (node.has_bool_expr()) {
    const auto& b = node.bool_expr();
    if (b.boolop() == pg_query::NOT_EXPR && b.args_size() == 1) {
      const Known inner = TruthOf(b.args(0));
      return inner == Known::kTrue ? Known::kFalse : inner == Known::kFalse ? Known::kTrue : inner;
    }
    bool all_true = true, all_false = true;
    for (const Node& arg : b.args()) {
      const Known truth = TruthOf(arg);
      if (b.boolop() == pg_query::AND_EXPR && truth == Known::kFalse) return Known::kFalse;
      if (b.boolop() == pg_query::OR_EXPR && truth == Known::kTrue) return Known::kTrue;
      all_true &= truth == Known::kTrue;
      all_false &= truth == Known::kFalse;
    }
    if (b.boolop() == pg_query::AND_EXPR && all_true) return Known::kTrue;
    if (b.boolop() == pg_query::OR_EXPR && all_false) return Known::kFalse;
  }
  return Known::kUnknown;
}

bool IsConstant(const Node& node) {
  if (node.has_a_const()) return true;
  return node.has_type_cast() && IsConstant(node.type_cast().arg());
}
bool IsNull(const Node& node) {
  if (node.has_a_const()) return node.a_const().isnull();
  return node.has_type_cast() && IsNull(node.type_cast().arg());
}

class Finder {
 public:
  // `strict` also finds what is only stable.
  Finder(const Effects& e, bool strict, std::string* what) : e_(e), strict_(strict), what_(*what) {}

  bool Volatile(const Node& node) {
    switch (node.node_case()) {
      case Node::kFuncCall:
        return Call(node.func_call());
      case Node::kCaseExpr:
        return Case(node.case_expr());
      case Node::kCoalesceExpr:
        // Evaluated up to the first constant that is not NULL.
        for (const Node& arg : node.coalesce_expr().args()) {
          if (IsConstant(arg) && !IsNull(arg)) return false;
          if (Volatile(arg)) return true;
        }
        return false;
      case Node::kBoolExpr:
        if (TruthOf(node) != Known::kUnknown) return false;
        break;
      default:
        break;
    }
    return Below(node);
  }

 private:
  bool Below(const google::protobuf::Message& message) {
    bool found = false;
    sql::ForEachChild(message, [&](const google::protobuf::Message& child) {
      if (found) return;
      found = child.GetDescriptor() == Node::descriptor() ? Volatile(static_cast<const Node&>(child))
                                                          : Below(child);
    });
    return found;
  }

  bool Call(const pg_query::FuncCall& call) {
    for (const Node& arg : call.args()) {
      if (Volatile(arg)) return true;
    }
    const Function* f = FindFunction(e_.session, call.funcname(), call.args_size());
    if (f != nullptr && f->language == "sql" && !f->body.empty()) {
      if (const std::optional<bool> inlined = Inlined(*f)) return *inlined;
    }
    if (f != nullptr && (strict_ ? f->volatility == 'i' : f->volatility != 'v')) return false;
    const auto [schema, name] = NameParts(call.funcname());
    what_ = absl::StrCat(name, "()");
    return true;
  }

  // A function in SQL that is one expression is taken for that expression.
  std::optional<bool> Inlined(const Function& f) {
    const auto tree = sql::Parse(f.body);
    if (!tree.ok() || tree->stmts_size() != 1 || !tree->stmts(0).stmt().has_select_stmt())
      return std::nullopt;
    const auto& select = tree->stmts(0).stmt().select_stmt();
    if (select.target_list_size() != 1 || select.from_clause_size() > 0 || select.has_where_clause() ||
        select.has_limit_count() || select.values_lists_size() > 0)
      return std::nullopt;
    return Volatile(select.target_list(0).res_target().val());
  }

  bool Case(const pg_query::CaseExpr& expression) {
    if (expression.has_arg()) return Below(expression);
    for (const Node& when : expression.args()) {
      const Known truth = TruthOf(when.case_when().expr());
      if (truth == Known::kFalse || truth == Known::kNull) continue;
      if (truth == Known::kTrue) return Volatile(when.case_when().result());
      if (Volatile(when.case_when().expr()) || Volatile(when.case_when().result())) return true;
    }
    return expression.has_defresult() && Volatile(expression.defresult());
  }

  const Effects& e_;
  const bool strict_;
  std::string& what_;
};

}  // namespace

bool IsVolatile(const Effects& e, const Node& expression, std::string* what) {
  return Finder(e, false, what).Volatile(expression);
}

bool IsMutable(const Effects& e, const Node& expression) {
  std::string what;
  return Finder(e, true, &what).Volatile(expression);
}

}  // namespace curlew::lint
