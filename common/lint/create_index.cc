#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/alter_table.h"
#include "common/lint/coercion.h"
#include "common/lint/deparse.h"
#include "common/lint/partition.h"
#include "common/lint/statements.h"
#include "common/sql/parser.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

// The statement with CONCURRENTLY, and a name by which the index can be found again.
std::string Concurrently(const pg_query::IndexStmt& index, const std::string& name) {
  pg_query::ParseResult tree;
  auto* copy = tree.add_stmts()->mutable_stmt()->mutable_index_stmt();
  *copy = index;
  copy->set_concurrent(true);
  copy->set_idxname(name);
  const auto text = sql::Deparse(tree);
  return text.ok() ? absl::StrCat(*text, ";  -- not in a transaction") : "";
}

// Whether there is such an access method, and an operator class of it for each column.
absl::Status CheckMethod(const Effects& e, const pg_query::IndexStmt& index, const Relation& table) {
  const Catalogue& c = e.catalogue;
  if (!c.complete) return absl::OkStatus();
  const std::string name = index.access_method().empty() ? "btree" : index.access_method();
  Oid method = 0;
  for (const auto& [oid, m] : c.methods) {
    if (m.name == name) method = oid;
  }
  if (method == 0) return Effects::Fail("42704", absl::StrCat("access method \"", name, "\" does not exist"));
  for (const Node& node : index.index_params()) {
    const auto& key = node.index_elem();
    const Column* column = table.Find(key.name());
    if (column == nullptr || column->type == 0 || key.opclass_size() > 0) continue;
    if (DefaultOpclass(c, column->type, method) == 0)
      return Effects::Fail("42704",
                           absl::StrCat("the type of ", key.name(),
                                        " has no default operator class for access method \"", name, "\""));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LintCreateIndex(Effects& e, const pg_query::IndexStmt& index) {
  Catalogue& c = e.catalogue;
  const LockMode mode = index.concurrent() ? LockMode::kShareUpdateExclusive : LockMode::kShare;
  if (index.concurrent()) e.transactional = false;
  ASSIGN_OR_RETURN(Relation * found, NeedRelation(e, index.relation()));
  const Oid table = found->oid;
  e.Lock(table, mode);
  const bool below = index.relation().inh() && found->kind == 'p';
  const std::vector<Oid> parts = below ? c.AllInheritors(table) : std::vector<Oid>{table};
  e.Lock(parts, mode);
  const Relation& r = *c.relation(table);
  if (r.kind != 'r' && r.kind != 'p' && r.kind != 'm' && !r.assumed)
    return e.Fail("42809", absl::StrCat("cannot create index on relation \"", r.name, "\""));
  if (index.concurrent() && r.kind == 'p')
    return e.Fail("0A000",
                  absl::StrCat("cannot create index on partitioned table \"", r.name, "\" concurrently"));
  if (!index.idxname().empty() && c.relation_by_name.count({r.schema, index.idxname()}) > 0) {
    if (index.if_not_exists()) return absl::OkStatus();
    return e.Fail("42P07", absl::StrCat("relation \"", index.idxname(), "\" already exists"));
  }
  std::vector<std::string> columns;
  std::vector<const Node*> expressions;
  for (const auto* list : {&index.index_params(), &index.index_including_params()}) {
    for (const Node& element : *list) {
      const auto& key = element.index_elem();
      columns.push_back(key.name());
      if (key.name().empty()) expressions.push_back(&key.expr());
      if (!key.name().empty() && !r.assumed && r.Find(key.name()) == nullptr && !r.columns.empty())
        return e.Fail("42703", absl::StrCat("column \"", key.name(), "\" does not exist"));
    }
  }
  RETURN_IF_ERROR(CheckMethod(e, index, r));
  for (const Node* expression : expressions) {
    if (c.complete && IsMutable(e, *expression))
      return e.Fail("42P17", "functions in index expression must be marked IMMUTABLE");
  }
  if (index.has_where_clause() && c.complete && IsMutable(e, index.where_clause()))
    return e.Fail("42P17", "functions in index predicate must be marked IMMUTABLE");
  if (r.kind == 'p' && index.unique()) {
    for (int key : r.key_columns) {
      const Column* column = r.ByNumber(key);
      if (column != nullptr && std::count(columns.begin(), columns.end(), column->name) == 0)
        return e.Fail("0A000",
                      "unique constraint on partitioned table must include all partitioning columns");
    }
  }
  const std::string name = !index.idxname().empty() ? index.idxname() : ChooseName(e, r, columns, "idx");
  const Oid made = NewIndex(e, r, name, index.unique(), false, columns);
  Relation& added = *c.relation(made);
  added.index.key_count = index.index_params_size();
  for (const auto& [oid, method] : c.methods) {
    if (method.name == (index.access_method().empty() ? "btree" : index.access_method()))
      added.index.method = added.method = oid;
  }
  if (index.has_where_clause()) added.index.predicate = DeparseExpression(index.where_clause());
  for (const Node* expression : expressions)
    absl::StrAppend(&added.index.expressions, DeparseExpression(*expression));
  for (Oid part : parts) {
    const std::string table_name = e.Name(part);
    const std::vector<Oid> own = part == table ? std::vector<Oid>() : c.Indexes(part);
    const auto match = std::find_if(own.begin(), own.end(), [&](Oid candidate) {
      return ServesParent(c, *c.relation(candidate), *c.relation(made));
    });
    if (match != own.end()) {
      e.Lock(*match, mode);
      c.relation(*match)->partition = true;
      continue;
    }
    e.BuildIndex(part, absl::StrCat("the index ", name, " is built over all rows of ", table_name),
                 index.concurrent() || c.relation(table)->kind == 'p' ? "" : Concurrently(index, name));
  }
  std::vector<std::string> used;
  if (index.has_where_clause()) used = ColumnsOf(index.where_clause());
  for (const Node* expression : expressions) {
    for (std::string& column : ColumnsOf(*expression)) used.push_back(std::move(column));
  }
  for (const std::string& column : used) {
    if (const Column* own = r.Find(column); own != nullptr)
      c.Depend({kPgClass, made, 0}, {kPgClass, table, own->number}, 'a');
  }
  return absl::OkStatus();
}

}  // namespace curlew::lint
