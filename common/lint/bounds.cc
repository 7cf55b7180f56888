#include "common/lint/bounds.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/lint/alter_table.h"
#include "common/lint/deparse.h"
#include "common/sql/parser.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

std::string Datum(const Node& node) {
  if (node.has_column_ref()) return "";  // MINVALUE, MAXVALUE
  return ConstantText(node);
}

// -1, 0, 1; nothing where the texts do not tell: numbers by value, others by bytes where dates and times are
// written alike.
std::optional<int> Compare(const std::string& a, const std::string& b) {
  double x = 0, y = 0;
  if (absl::SimpleAtod(a, &x) && absl::SimpleAtod(b, &y)) return x < y ? -1 : x > y ? 1 : 0;
  if (a == b) return 0;
  const size_t common = std::min(a.size(), b.size());
  if (common >= 10 && a[4] == '-' && b[4] == '-' && a[7] == '-' && b[7] == '-') return a < b ? -1 : 1;
  return std::nullopt;
}

// One conjunct of a CHECK: column, operator, constant.
struct Fact {
  std::string column, op;
  std::vector<std::string> values;
};

void Facts(const Node& clause, std::vector<Fact>* facts) {
  if (clause.has_bool_expr() && clause.bool_expr().boolop() == pg_query::AND_EXPR) {
    for (const Node& arg : clause.bool_expr().args()) Facts(arg, facts);
    return;
  }
  if (!clause.has_a_expr()) return;
  const auto& expression = clause.a_expr();
  const std::string op = NameParts(expression.name()).second;
  const std::string left = ColumnName(expression.lexpr());
  if (left.empty()) return;
  Fact fact{left, op, {}};
  if (expression.kind() == pg_query::AEXPR_OP) {
    fact.values = {ConstantText(expression.rexpr())};
  } else if (expression.kind() == pg_query::AEXPR_IN) {
    for (const Node& item : expression.rexpr().list().items()) fact.values.push_back(ConstantText(item));
  } else if (expression.kind() == pg_query::AEXPR_OP_ANY) {
    const Node* array = &expression.rexpr();
    while (array->has_type_cast()) array = &array->type_cast().arg();
    for (const Node& item : array->a_array_expr().elements()) fact.values.push_back(ConstantText(item));
  } else if (expression.kind() == pg_query::AEXPR_BETWEEN && expression.rexpr().list().items_size() == 2) {
    facts->push_back({left, ">=", {ConstantText(expression.rexpr().list().items(0))}});
    facts->push_back({left, "<=", {ConstantText(expression.rexpr().list().items(1))}});
    return;
  } else {
    return;
  }
  if (!fact.values.empty()) facts->push_back(std::move(fact));
}

std::vector<Fact> FactsOf(const Effects& e, const Relation& table) {
  std::vector<Fact> facts;
  for (const auto& [oid, check] : e.catalogue.constraints) {
    if (check.table != table.oid || check.kind != 'c' || !check.validated) continue;
    if (const auto tree = ParseExpression(check.expression)) Facts(*tree, &facts);
  }
  return facts;
}

bool AtLeast(const std::vector<Fact>& facts, const std::string& column, const std::string& bound) {
  return std::any_of(facts.begin(), facts.end(), [&](const Fact& f) {
    if (f.column != column || f.values.size() != 1 || (f.op != ">=" && f.op != ">" && f.op != "="))
      return false;
    const auto order = Compare(f.values[0], bound);
    return order.has_value() && *order >= 0;
  });
}

// Whether all rows are below `bound`.
bool Below(const std::vector<Fact>& facts, const std::string& column, const std::string& bound) {
  return std::any_of(facts.begin(), facts.end(), [&](const Fact& f) {
    if (f.column != column || f.values.size() != 1) return false;
    const auto order = Compare(f.values[0], bound);
    if (!order.has_value()) return false;
    return f.op == "<" ? *order <= 0 : (f.op == "<=" || f.op == "=") && *order < 0;
  });
}

}  // namespace

Bound BoundOf(const pg_query::PartitionBoundSpec& spec) {
  Bound bound;
  if (spec.is_default()) {
    bound.strategy = 'd';
    return bound;
  }
  bound.strategy = spec.strategy().empty() ? 0 : spec.strategy()[0];
  for (const Node& datum : spec.lowerdatums()) bound.from.push_back(Datum(datum));
  for (const Node& datum : spec.upperdatums()) bound.to.push_back(Datum(datum));
  for (const Node& datum : spec.listdatums()) {
    if (datum.has_a_const() && datum.a_const().isnull()) {
      bound.with_null = true;
    } else {
      bound.values.push_back(Datum(datum));
    }
  }
  return bound;
}

std::optional<Bound> ParseBound(const std::string& text) {
  auto tree = sql::Parse(absl::StrCat("ALTER TABLE a ATTACH PARTITION b ", text));
  if (!tree.ok()) return std::nullopt;
  return BoundOf(
      tree->stmts(0).stmt().alter_table_stmt().cmds(0).alter_table_cmd().def().partition_cmd().bound());
}

bool Overlap(const Bound& a, const Bound& b) {
  if (a.strategy == 'd' || b.strategy == 'd') return a.strategy == b.strategy;
  if (a.strategy != b.strategy) return false;
  if (a.strategy == 'l') {
    return std::any_of(a.values.begin(), a.values.end(), [&](const std::string& v) {
      return std::count(b.values.begin(), b.values.end(), v) > 0;
    });
  }
  if (a.strategy != 'r' || a.from.empty() || b.from.empty() || a.to.empty() || b.to.empty()) return false;
  const auto before = [](const std::string& from, const std::string& to) {
    if (from.empty() || to.empty()) return true;
    const auto order = Compare(from, to);
    return order.has_value() && *order < 0;
  };
  return a.from.size() == 1 && before(a.from[0], b.to[0]) && before(b.from[0], a.to[0]);
}

std::optional<bool> Contains(const Bound& bound, const std::string& value) {
  if (bound.strategy == 'l') return std::count(bound.values.begin(), bound.values.end(), value) > 0;
  if (bound.strategy != 'r' || bound.from.size() != 1 || bound.to.size() != 1) return std::nullopt;
  const std::optional<int> from = bound.from[0].empty() ? 1 : Compare(value, bound.from[0]);
  const std::optional<int> to = bound.to[0].empty() ? -1 : Compare(value, bound.to[0]);
  if (!from.has_value() || !to.has_value()) return std::nullopt;
  return *from >= 0 && *to < 0;
}

bool ProvesBound(const Effects& e, const Relation& table, const Bound& bound,
                 const std::vector<std::string>& keys) {
  if (keys.empty() || keys[0].empty() || (bound.strategy != 'r' && bound.strategy != 'l')) return false;
  const std::vector<Fact> facts = FactsOf(e, table);
  const Column* column = table.Find(keys[0]);
  const bool not_null = column != nullptr && (column->not_null || SomeCheckProvesNotNull(e, table, keys[0]));
  if (bound.strategy == 'l') {
    if (!not_null && !bound.with_null) return false;
    return std::any_of(facts.begin(), facts.end(), [&](const Fact& f) {
      return f.column == keys[0] && f.op == "=" &&
             std::all_of(f.values.begin(), f.values.end(), [&](const std::string& v) {
               return std::count(bound.values.begin(), bound.values.end(), v) > 0;
             });
    });
  }
  if (!not_null || bound.from.size() != 1 || bound.to.size() != 1) return false;
  return (bound.from[0].empty() || AtLeast(facts, keys[0], bound.from[0])) &&
         (bound.to[0].empty() || Below(facts, keys[0], bound.to[0]));
}

bool ExcludesBound(const Effects& e, const Relation& table, const Bound& bound,
                   const std::vector<std::string>& keys) {
  if (keys.empty() || keys[0].empty()) return false;
  const std::vector<Fact> facts = FactsOf(e, table);
  if (bound.strategy == 'r' && bound.from.size() == 1 && bound.to.size() == 1) {
    return (!bound.from[0].empty() && Below(facts, keys[0], bound.from[0])) ||
           (!bound.to[0].empty() && AtLeast(facts, keys[0], bound.to[0]));
  }
  if (bound.strategy == 'l') {
    return std::all_of(bound.values.begin(), bound.values.end(), [&](const std::string& v) {
      return std::any_of(facts.begin(), facts.end(), [&](const Fact& f) {
        if (f.column != keys[0]) return false;
        if (f.op == "<>") return f.values.size() == 1 && f.values[0] == v;
        return f.op == "=" && std::count(f.values.begin(), f.values.end(), v) == 0;
      });
    });
  }
  return false;
}

}  // namespace curlew::lint
