#include "common/lint/query_plan.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/lint/deparse.h"
#include "common/sql/parser.h"

namespace curlew::lint {
namespace {

using google::protobuf::Message;
using google::protobuf::Value;
using pg_query::Node;

std::string TextOf(const google::protobuf::Struct& object, const char* key) {
  const auto it = object.fields().find(key);
  return it == object.fields().end() ? "" : it->second.string_value();
}

void ReadPlan(Effects& e, const google::protobuf::Struct& node, bool limited, QueryPlan* plan) {
  const std::string type = TextOf(node, "Node Type");
  if (const Relation* r = e.catalogue.FindRelation(TextOf(node, "Schema"), TextOf(node, "Relation Name"))) {
    plan->read.insert(r->oid);
    const bool whole = type == "Seq Scan" || ((type == "Index Only Scan" || type == "Index Scan") &&
                                              node.fields().count("Index Cond") == 0);
    if (whole && !limited) plan->scanned.insert(r->oid);
  }
  if (const auto it = node.fields().find("Target Tables"); it != node.fields().end()) {
    for (const Value& target : it->second.list_value().values()) {
      const Relation* r = e.catalogue.FindRelation(TextOf(target.struct_value(), "Schema"),
                                                   TextOf(target.struct_value(), "Relation Name"));
      if (r != nullptr) plan->read.insert(r->oid);
    }
  }
  // What sorts or gathers reads all of it, whatever stands above.
  const bool gathers = type == "Sort" || type == "Aggregate" || type == "Hash" ||
                       type == "Incremental Sort" || type == "ModifyTable" || type == "Materialize";
  const bool below = (limited || type == "Limit") && !gathers;
  const auto it = node.fields().find("Plans");
  if (it == node.fields().end()) return;
  for (const Value& child : it->second.list_value().values()) {
    // A subquery of one value, EXISTS, stops at its first row.
    const bool first = TextOf(child.struct_value(), "Parent Relationship") == "InitPlan";
    ReadPlan(e, child.struct_value(), below || first, plan);
  }
}

bool ByServer(Effects& e, const Node& node, const std::map<Oid, LockMode>& named, QueryPlan* plan) {
  if (e.session.explainer == nullptr) return false;
  for (const auto& [oid, mode] : named) {
    if (e.IsNew(oid)) return false;
  }
  pg_query::ParseResult tree;
  *tree.add_stmts()->mutable_stmt() = node;
  const auto statement = sql::Deparse(tree);
  if (!statement.ok()) return false;
  const auto json = e.session.explainer->Explain(*statement);
  Value value;
  if (!json.ok() || !google::protobuf::util::JsonStringToMessage(*json, &value).ok()) return false;
  for (const Value& item : value.list_value().values()) {
    const auto it = item.struct_value().fields().find("Plan");
    if (it != item.struct_value().fields().end()) ReadPlan(e, it->second.struct_value(), false, plan);
  }
  return true;
}

// Whether some condition of the clause is one on the first column of an index of the table.
bool UsesIndex(const Effects& e, const Node& where, const Relation& table) {
  bool found = false;
  sql::Walk(where, [&](const Message& m) {
    if (m.GetDescriptor() == pg_query::SubLink::descriptor()) return false;
    if (m.GetDescriptor() == pg_query::BoolExpr::descriptor())
      return static_cast<const pg_query::BoolExpr&>(m).boolop() == pg_query::AND_EXPR;
    if (m.GetDescriptor() != pg_query::A_Expr::descriptor()) return true;
    const auto& expression = static_cast<const pg_query::A_Expr&>(m);
    const std::string op = NameParts(expression.name()).second;
    if (op == "<>" || expression.kind() == pg_query::AEXPR_DISTINCT) return false;
    std::string column = ColumnName(expression.lexpr());
    if (column.empty()) column = ColumnName(expression.rexpr());
    const Column* own = table.Find(column);
    if (own == nullptr) return false;
    for (Oid index : e.catalogue.Indexes(table.oid)) {
      const IndexPart& part = e.catalogue.relation(index)->index;
      found |= part.predicate.empty() && !part.columns.empty() && part.columns[0] == own->number;
    }
    return false;
  });
  // Without a catalogue: a primary key is called id.
  if (table.assumed && !found) {
    for (const std::string& column : ColumnsOf(where)) found |= column == "id";
  }
  return found;
}

const Node* WhereOf(const Node& node) {
  if (node.has_select_stmt() && node.select_stmt().has_where_clause())
    return &node.select_stmt().where_clause();
  if (node.has_update_stmt() && node.update_stmt().has_where_clause())
    return &node.update_stmt().where_clause();
  if (node.has_delete_stmt() && node.delete_stmt().has_where_clause())
    return &node.delete_stmt().where_clause();
  return nullptr;
}

}  // namespace

QueryPlan PlanOf(Effects& e, const Node& node, const std::map<Oid, LockMode>& named) {
  QueryPlan plan;
  plan.by_server = ByServer(e, node, named, &plan);
  if (plan.by_server) return plan;
  const Node* where = WhereOf(node);
  const bool limited = node.has_select_stmt() && node.select_stmt().has_limit_count() &&
                       node.select_stmt().sort_clause().empty() && node.select_stmt().group_clause().empty();
  if (limited) return plan;
  for (const auto& [oid, mode] : named) {
    const Relation& r = *e.catalogue.relation(oid);
    if (node.has_insert_stmt() && mode == LockMode::kRowExclusive) continue;
    for (Oid part : r.kind == 'p' ? e.catalogue.AllInheritors(oid) : std::vector<Oid>{oid}) {
      const Relation& own = *e.catalogue.relation(part);
      if (own.kind != 'r' && own.kind != 'm') continue;
      if (where == nullptr || !UsesIndex(e, *where, own)) plan.scanned.insert(part);
    }
  }
  return plan;
}

}  // namespace curlew::lint
