#include <algorithm>

#include "common/lint/alter_table.h"
#include "common/lint/deparse.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

bool IsNullConstant(const Node& node) {
  if (node.has_type_cast()) return IsNullConstant(node.type_cast().arg());
  return node.has_a_const() && node.a_const().isnull();
}

// clause_is_strict_for's part that matters: whether the clause is the column itself or a strict function of
// it.
class Proof {
 public:
  explicit Proof(absl::string_view column) : column_(column) {}

  // Whether "clause is true or NULL" (what a CHECK says) proves that the column is not NULL. As
  // predicate_implied_by(..., weak = true) refutes: a clause that gives NULL for a NULL column proves
  // nothing.
  bool Implies(const Node& clause) const {
    switch (clause.node_case()) {
      case Node::kNullTest:
        if (clause.null_test().nulltesttype() != pg_query::IS_NOT_NULL) return false;
        // Of a row, each field.
        if (clause.null_test().arg().has_row_expr()) {
          const auto& fields = clause.null_test().arg().row_expr().args();
          return std::any_of(fields.begin(), fields.end(),
                             [this](const Node& n) { return ColumnName(n) == column_; });
        }
        return ColumnName(clause.null_test().arg()) == column_;
      case Node::kBoolExpr: {
        const auto& args = clause.bool_expr().args();
        if (clause.bool_expr().boolop() == pg_query::AND_EXPR)
          return std::any_of(args.begin(), args.end(), [this](const Node& n) { return Implies(n); });
        if (clause.bool_expr().boolop() == pg_query::OR_EXPR)
          return std::all_of(args.begin(), args.end(), [this](const Node& n) { return Implies(n); });
        return args.size() == 1 && Refutes(args[0]);
      }
      case Node::kAExpr:
        // IS DISTINCT FROM NULL becomes IS NOT NULL.
        if (clause.a_expr().kind() == pg_query::AEXPR_DISTINCT) {
          return (ColumnName(clause.a_expr().lexpr()) == column_ &&
                  IsNullConstant(clause.a_expr().rexpr())) ||
                 (ColumnName(clause.a_expr().rexpr()) == column_ && IsNullConstant(clause.a_expr().lexpr()));
        }
        return Compared(clause.a_expr(), true);
      default:
        return false;
    }
  }

 private:
  // `test = true`, `test <> false` and the like are the test itself.
  bool Compared(const pg_query::A_Expr& expression, bool implied) const {
    if (expression.kind() != pg_query::AEXPR_OP) return false;
    const std::string op = NameParts(expression.name()).second;
    if (op != "=" && op != "<>") return false;
    for (const auto& [test, constant] : {std::pair(&expression.lexpr(), &expression.rexpr()),
                                         std::pair(&expression.rexpr(), &expression.lexpr())}) {
      const std::string value = ConstantText(*constant);
      if (value != "true" && value != "false") continue;
      const bool positive = (value == "true") == (op == "=");
      return positive == implied ? Implies(*test) : Refutes(*test);
    }
    return false;
  }

  // Whether NOT clause does: the planner pushes NOT down.
  bool Refutes(const Node& clause) const {
    if (clause.has_null_test())
      return clause.null_test().nulltesttype() == pg_query::IS_NULL &&
             ColumnName(clause.null_test().arg()) == column_;
    if (clause.has_bool_expr()) {
      const auto& args = clause.bool_expr().args();
      if (clause.bool_expr().boolop() == pg_query::NOT_EXPR) return args.size() == 1 && Implies(args[0]);
      if (clause.bool_expr().boolop() == pg_query::OR_EXPR)
        return std::any_of(args.begin(), args.end(), [this](const Node& n) { return Refutes(n); });
      return std::all_of(args.begin(), args.end(), [this](const Node& n) { return Refutes(n); });
    }
    if (clause.has_a_expr() && clause.a_expr().kind() == pg_query::AEXPR_NOT_DISTINCT) {
      return (ColumnName(clause.a_expr().lexpr()) == column_ && IsNullConstant(clause.a_expr().rexpr())) ||
             (ColumnName(clause.a_expr().rexpr()) == column_ && IsNullConstant(clause.a_expr().lexpr()));
    }
    return false;
  }

  const absl::string_view column_;
};

}  // namespace

bool ProvesNotNull(const Effects&, const Relation&, absl::string_view check, absl::string_view column) {
  const auto tree = ParseExpression(check);
  return tree.has_value() && Proof(column).Implies(*tree);
}

bool SomeCheckProvesNotNull(const Effects& e, const Relation& table, absl::string_view column) {
  // All validated CHECKs together, as PostgreSQL takes them: one of them is enough.
  for (const auto& [oid, check] : e.catalogue.constraints) {
    if (check.table == table.oid && check.kind == 'c' && check.validated &&
        ProvesNotNull(e, table, check.expression, column))
      return true;
  }
  return false;
}

}  // namespace curlew::lint
