#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/from_sql/families.h"
#include "common/from_sql/footprint.h"
#include "common/from_sql/text.h"
#include "common/sql/expression.h"
#include "common/sql/parser.h"

namespace curlew::from_sql {
namespace {

using google::protobuf::Message;
using pg_query::Node;
using sql::Expression;
using sql::TableName;

// The value that a column has which the script adds, at this point of the script.
std::string ValueOf(const v1::AddColumn& add) {
  if (!add.up().empty()) return add.up();
  return add.default_().empty() ? "NULL" : add.default_();
}

struct Change {
  TableName table;
  std::vector<std::string> names;  // that may stand before its columns
  std::vector<v1::ColumnValue> sets;
  std::string where;
};

std::vector<std::string> NamesOf(const pg_query::RangeVar& relation) {
  if (relation.has_alias()) return {relation.alias().aliasname()};
  return {relation.relname()};
}

// Absent for what is more than one table's own columns.
std::optional<Change> ReadUpdate(const pg_query::UpdateStmt& update, const Known& known) {
  if (!update.from_clause().empty() || !update.returning_list().empty() || update.has_with_clause()) {
    return std::nullopt;
  }
  Change change;
  change.table = known.Relation(update.relation());
  change.names = NamesOf(update.relation());
  for (const Node& node : update.target_list()) {
    const pg_query::ResTarget& target = node.res_target();
    if (!target.indirection().empty() || target.val().has_multi_assign_ref()) return std::nullopt;
    const auto value = ExpressionText(target.val(), change.names);
    if (!value.has_value()) return std::nullopt;
    v1::ColumnValue& set = change.sets.emplace_back();
    set.set_column(target.name());
    set.set_value(*value);
  }
  if (update.has_where_clause()) {
    const auto where = ExpressionText(update.where_clause(), change.names);
    if (!where.has_value()) return std::nullopt;
    change.where = *where;
  }
  return change;
}

// `text` with the columns that the script adds replaced by what they hold; absent where that cannot be done.
std::optional<std::string> Resolve(const std::string& text, const TableName& table, Sink* sink) {
  const auto expression = Expression::Parse(text);
  if (!expression.ok()) return std::nullopt;
  std::map<std::string, Expression> by;
  for (const std::string& column : expression->columns()) {
    const Piece* adds = sink->AddsColumn(table, column);
    if (adds == nullptr) continue;
    const auto value = Expression::Parse(ValueOf(adds->operation->add_column()));
    // A value that is another one each time is not the one that the row got.
    if (!value.ok() || value->MayBeVolatile()) return std::nullopt;
    by.emplace(column, *value);
  }
  if (by.empty()) return text;
  const auto resolved = expression->Substitute(by);
  if (!resolved.ok()) return std::nullopt;
  return resolved->text();
}

// UPDATE of columns that the script adds: the values become those that rows get while they are added. False
// where it is not so; nothing is changed then.
bool FoldIntoColumns(const Change& change, const Node& node, Sink* sink) {
  std::vector<std::pair<size_t, std::string>> ups;
  for (const v1::ColumnValue& set : change.sets) {
    Piece* adds = sink->AddsColumn(change.table, set.column());
    if (adds == nullptr) return false;
    const size_t number = adds - sink->pieces().data();
    const std::string before = ValueOf(adds->operation->add_column());
    const auto value = Resolve(set.value(), change.table, sink);
    if (!value.has_value()) return false;
    std::string up = *value;
    const bool all = change.where.empty() ||
                     (change.where == absl::StrCat(sql::Ident(set.column()), " IS NULL") && before == "NULL");
    if (!all) {
      const auto where = Resolve(change.where, change.table, sink);
      if (!where.has_value()) return false;
      // Literals in a CASE are texts; an assignment would give them the column's type.
      up = absl::StrCat("CAST(CASE WHEN ", *where, " THEN ", up, " ELSE ", before, " END AS ",
                        adds->operation->add_column().type(), ")");
    }
    // NULL in all rows is what they have without it.
    if (up == "NULL") up.clear();
    ups.emplace_back(number, std::move(up));
  }
  v1::Operation operation;
  operation.mutable_backfill()->set_table(change.table.Quoted());
  operation.mutable_backfill()->mutable_set()->Assign(change.sets.begin(), change.sets.end());
  operation.mutable_backfill()->set_where(change.where);
  sink->Operation(std::move(operation), node, RelationKey(change.table.Quoted()));
  for (const auto& [number, up] : ups) {
    Piece& adds = sink->pieces()[number];
    if (!up.empty()) adds.operation->mutable_add_column()->set_up(up);
    std::tie(adds.first, adds.last) = PhasesOf(*adds.operation);
    sink->Merge(sink->pieces().size() - 1, static_cast<int>(number));
  }
  return true;
}

// A statement that changes rows and is no operation.
void Rows(const Node& node, const pg_query::RangeVar& relation, std::string why, Sink* sink) {
  Known& known = sink->known();
  const TableName table = known.Relation(relation);
  const std::string key = RelationKey(table.Quoted());
  Piece& piece = sink->Sql(node, std::move(why));
  piece.sql = PathPrefix(known) + std::string(sink->text());
  bool harmless = true;
  sql::Walk(node, [&](const Message& message) {
    if (message.GetDescriptor() == pg_query::FuncCall::descriptor()) {
      const auto& call = static_cast<const pg_query::FuncCall&>(message);
      const TableName name = known.Function(NameOf(call.funcname()));
      // Functions of users may change anything; a sequence's next value is no catalogue's business.
      harmless = harmless && (IsHarmlessFunction(call) || name.name == "nextval") &&
                 !known.Made(FunctionKey(name.Quoted())) && known.FunctionsNamed(name).empty();
    }
    return true;
  });
  // `*` gives other columns when more have been added.
  const bool star = Holds(node, pg_query::A_Star::descriptor());
  const bool lists = !node.has_insert_stmt() || !node.insert_stmt().cols().empty();
  piece.data_only = harmless && !star && (lists || known.Made(key));
  if (!harmless) piece.reaches_all = true;
  // The rows of a table that the script makes go with it.
  if (known.Made(key) && known.KindOf(table) == Kind::kTable) {
    piece.own_rows = true;
    piece.down = absl::StrCat("DELETE FROM ", table.Quoted());
  }
}

}  // namespace

void Update(const Node& node, Sink* sink) {
  const pg_query::UpdateStmt& statement = node.update_stmt();
  const auto change = ReadUpdate(statement, sink->known());
  if (!change.has_value()) {
    return Rows(node, statement.relation(), "backfill takes values from the row itself alone", sink);
  }
  const std::string key = RelationKey(change->table.Quoted());
  if (sink->known().Made(key)) {
    return Rows(node, statement.relation(), "the table is made by the plan: its few rows are changed at once",
                sink);
  }
  // It is computed for a look at the rows before anything, and for rows as long as the plan runs.
  for (const std::string& touched : Footprint(node, sink->known())) {
    if (absl::StartsWith(touched, "function ") && sink->known().Made(touched)) {
      return Rows(node, statement.relation(), "it calls a function that the plan makes", sink);
    }
  }
  if (FoldIntoColumns(*change, node, sink)) return;
  v1::Operation operation;
  operation.mutable_backfill()->set_table(change->table.Quoted());
  operation.mutable_backfill()->mutable_set()->Assign(change->sets.begin(), change->sets.end());
  operation.mutable_backfill()->set_where(change->where);
  Piece& piece = sink->Operation(std::move(operation), node, key);
  piece.data_only = true;
  piece.sql = PathPrefix(sink->known()) + std::string(sink->text());
}

void Delete(const Node& node, Sink* sink) {
  const pg_query::DeleteStmt& statement = node.delete_stmt();
  Known& known = sink->known();
  const TableName table = known.Relation(statement.relation());
  const bool plain =
      statement.using_clause().empty() && statement.returning_list().empty() && !statement.has_with_clause();
  std::optional<std::string> where = "true";
  if (statement.has_where_clause())
    where = ExpressionText(statement.where_clause(), NamesOf(statement.relation()));
  if (!plain || !where.has_value() || known.Made(RelationKey(table.Quoted()))) {
    return Rows(node, statement.relation(), "purge looks at the row itself alone, in a table that is there",
                sink);
  }
  v1::Operation operation;
  operation.mutable_purge()->set_table(table.Quoted());
  operation.mutable_purge()->set_where(*where);
  Piece& piece = sink->Operation(std::move(operation), node, RelationKey(table.Quoted()));
  piece.data_only = true;
  piece.sql = PathPrefix(known) + std::string(sink->text());
}

void OtherData(const Node& node, Sink* sink) {
  if (node.has_insert_stmt()) {
    return Rows(node, node.insert_stmt().relation(), "no operation inserts rows", sink);
  }
  if (node.has_merge_stmt()) {
    return Rows(node, node.merge_stmt().relation(), "MERGE is no operation's", sink);
  }
  sink->Sql(node, "no operation empties a table").data_only = true;
}

void Select(const Node& node, Sink* sink) {
  const pg_query::SelectStmt& select = node.select_stmt();
  bool writes = false, harmless = true, sets = false;
  sql::Walk(node, [&](const Message& message) {
    const auto* d = message.GetDescriptor();
    writes = writes || d == pg_query::InsertStmt::descriptor() || d == pg_query::UpdateStmt::descriptor() ||
             d == pg_query::DeleteStmt::descriptor() || d == pg_query::IntoClause::descriptor();
    if (d == pg_query::FuncCall::descriptor()) {
      const auto& call = static_cast<const pg_query::FuncCall&>(message);
      const std::string name = NameOf(call.funcname()).name;
      sets = sets || name == "setval" || name == "nextval";
      harmless = harmless && (IsHarmlessFunction(call) || name == "setval" || name == "nextval");
    }
    return true;
  });
  if (!writes && harmless && !sets && select.locking_clause().empty()) {
    sink->LeaveOut("a query changes nothing");
    return;
  }
  Piece& piece = sink->Sql(node, writes ? "WITH that writes, or INTO, is no operation's"
                                 : sets ? "no operation sets a sequence's value"
                                        : "what its functions do, the text does not tell");
  piece.sql = PathPrefix(sink->known()) + std::string(sink->text());
  piece.reaches_all = !harmless;
  if (sets && harmless && !writes) piece.data_only = true;
  if (select.has_into_clause()) {
    sink->known().MakeRelation(sink->known().Relation(select.into_clause().rel()), Kind::kTable);
  }
}

}  // namespace curlew::from_sql
