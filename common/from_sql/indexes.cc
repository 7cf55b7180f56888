#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/from_sql/families.h"
#include "common/from_sql/names.h"
#include "common/from_sql/text.h"

namespace curlew::from_sql {
namespace {

using pg_query::IndexStmt;
using pg_query::Node;
using sql::TableName;

absl::StatusOr<v1::CreateIndex> Read(const IndexStmt& statement, const TableName& table,
                                     const std::string& name) {
  v1::CreateIndex index;
  index.set_table(table.Quoted());
  index.set_name(name);
  if (!statement.table_space().empty())
    return absl::InvalidArgumentError("no operation chooses a tablespace");
  if (statement.access_method() != "btree") index.set_method(statement.access_method());
  index.set_unique(statement.unique());
  index.set_nulls_not_distinct(statement.nulls_not_distinct());
  ASSIGN_OR_RETURN(const std::vector<v1::IndexKey> keys, ReadKeys(statement.index_params()));
  bool plain = true;
  for (const v1::IndexKey& key : keys) {
    v1::IndexKey column_only;
    column_only.set_column(key.column());
    plain = plain && !key.column().empty() && key.SerializeAsString() == column_only.SerializeAsString();
  }
  for (const v1::IndexKey& key : keys) {
    if (plain) {
      index.add_columns(key.column());
    } else {
      *index.add_keys() = key;
    }
  }
  for (const Node& column : statement.index_including_params()) index.add_include(column.index_elem().name());
  if (statement.has_where_clause()) {
    const auto where = ExpressionText(statement.where_clause(), {table.name});
    if (!where.has_value())
      return absl::InvalidArgumentError("the predicate is more than a plan's expression");
    index.set_where(*where);
  }
  const auto options = ReadParameters(statement.options());
  if (!options.has_value()) return absl::InvalidArgumentError("a storage parameter has no plain value");
  index.mutable_options()->Assign(options->begin(), options->end());
  return index;
}

// The statement with CONCURRENTLY and with all names in full, which needs nothing set before it.
std::string Concurrently(const Node& node, const TableName& table, const std::string& name) {
  Node changed = node;
  IndexStmt* index = changed.mutable_index_stmt();
  index->set_concurrent(true);
  index->set_idxname(name);
  index->mutable_relation()->set_schemaname(table.schema);
  const auto text = Printed(changed);
  return text.value_or("");
}

}  // namespace

absl::StatusOr<std::vector<v1::IndexKey>> ReadKeys(const Nodes& params) {
  std::vector<v1::IndexKey> keys;
  for (const Node& node : params) {
    const pg_query::IndexElem& element = node.index_elem();
    v1::IndexKey& key = keys.emplace_back();
    key.set_column(element.name());
    if (element.has_expr()) {
      const auto text = ExpressionText(element.expr());
      if (!text.has_value()) {
        return absl::InvalidArgumentError("a key's expression is more than a plan's expression");
      }
      key.set_expression(*text);
    }
    if (!element.opclassopts().empty()) {
      return absl::InvalidArgumentError("parameters of an operator class are no operation's");
    }
    if (!element.collation().empty()) key.set_collation(Spelled(NameOf(element.collation())));
    if (!element.opclass().empty()) key.set_opclass(Spelled(NameOf(element.opclass())));
    key.set_descending(element.ordering() == pg_query::SORTBY_DESC);
    if (element.nulls_ordering() == pg_query::SORTBY_NULLS_FIRST) key.set_nulls(v1::NULLS_FIRST);
    if (element.nulls_ordering() == pg_query::SORTBY_NULLS_LAST) key.set_nulls(v1::NULLS_LAST);
  }
  return keys;
}

void CreateIndex(const Node& node, Sink* sink) {
  const IndexStmt& statement = node.index_stmt();
  Known& known = sink->known();
  const TableName table = known.Relation(statement.relation());
  const std::string name =
      !statement.idxname().empty()
          ? statement.idxname()
          : ChooseName(
                table.name,
                NameAddition(IndexColumnNames(statement.index_params(), statement.index_including_params())),
                "idx", [&](const std::string& n) { return known.RelationTaken(table.schema, n); });
  const TableName index{table.schema, name};
  if (statement.if_not_exists() && known.KindOf(index) != Kind::kUnknown) {
    sink->LeaveOut(absl::StrCat("IF NOT EXISTS: ", index.Quoted(), " is there"));
    return;
  }
  const Kind kind = known.KindOf(table);
  const std::string down = absl::StrCat("DROP INDEX ", index.Quoted());
  absl::StatusOr<v1::CreateIndex> read = Read(statement, table, name);
  if (!statement.relation().inh()) {
    read = absl::InvalidArgumentError("ONLY leaves the partitions out, and operations do not");
  }
  if (kind == Kind::kMaterializedView) {
    read = absl::InvalidArgumentError("create_index is for tables, and this is a materialised view");
  }
  Node named = node;
  named.mutable_index_stmt()->set_idxname(name);
  if (read.ok()) {
    v1::Operation operation;
    *operation.mutable_create_index() = *read;
    Piece& piece = sink->Operation(std::move(operation), named, RelationKey(table.Quoted()), down);
    if (statement.if_not_exists() && !known.exact()) {
      piece.notes.push_back("IF NOT EXISTS: taken not to be there");
    }
  } else {
    sink->Sql(named, std::string(read.status().message()), down);
  }
  sink->pieces().back().touches.insert(RelationKey(index.Quoted()));
  // Where it has to be SQL, it need not stop writers: unless the table is, or may be, partitioned.
  Piece& piece = sink->pieces().back();
  const bool may_be_concurrent =
      kind == Kind::kMaterializedView || kind == Kind::kTable || statement.concurrent();
  const std::string concurrent = may_be_concurrent ? Concurrently(named, table, name) : "";
  if (!concurrent.empty()) {
    piece.sql = concurrent;
    piece.down = absl::StrCat("DROP INDEX CONCURRENTLY ", index.Quoted());
  }
  known.MakeIndex(table, name);
}

void CreateStatistics(const Node& node, Sink* sink) {
  const pg_query::CreateStatsStmt& statement = node.create_stats_stmt();
  Known& known = sink->known();
  const bool one = statement.relations_size() == 1 && statement.relations(0).has_range_var();
  if (!one || statement.defnames().empty()) {
    sink->Sql(node, "create_statistics wants a name and one table");
    return;
  }
  const TableName table = known.Relation(statement.relations(0).range_var());
  TableName name = NameOf(statement.defnames());
  if (name.schema.empty()) name.schema = known.search_path().empty() ? "public" : known.search_path()[0];
  const std::string down = absl::StrCat("DROP STATISTICS ", name.Quoted());
  v1::Operation operation;
  v1::CreateStatistics* statistics = operation.mutable_create_statistics();
  statistics->set_table(table.Quoted());
  statistics->set_name(name.name);
  for (const std::string& kind : Strings(statement.stat_types())) statistics->add_kinds(kind);
  std::string why = name.schema == table.schema ? "" : "create_statistics makes them in the table's schema";
  for (const Node& part : statement.exprs()) {
    if (!part.stats_elem().name().empty()) {
      statistics->add_columns(part.stats_elem().name());
      continue;
    }
    const auto text = ExpressionText(part.stats_elem().expr(), {table.name});
    if (!text.has_value()) why = "an expression is more than a plan's expression";
    statistics->add_expressions(text.value_or(""));
  }
  if (why.empty()) {
    sink->Operation(std::move(operation), node, RelationKey(table.Quoted()), down);
  } else {
    sink->Sql(node, why, down);
  }
}

}  // namespace curlew::from_sql
