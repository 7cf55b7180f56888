#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/from_sql/families.h"
#include "common/from_sql/text.h"
#include "common/sql/parser.h"
#include "common/sql/query.h"

namespace curlew::from_sql {
namespace {

using pg_query::Node;
using sql::TableName;

// What stands after the first AS outside of parentheses, without what follows the query: WITH ... CHECK
// OPTION, WITH DATA.
std::string QueryText(absl::string_view statement, bool has_check_option) {
  const auto tokens = sql::Scan(statement);
  if (!tokens.ok()) return "";
  int depth = 0;
  size_t begin = 0, end = statement.size(), with = 0;
  for (const sql::Token& token : *tokens) {
    const absl::string_view word = statement.substr(token.start, token.end - token.start);
    if (word == "(") ++depth;
    if (word == ")") --depth;
    if (depth != 0 || token.comment) continue;
    const std::string lower = absl::AsciiStrToLower(word);
    if (lower == "as" && begin == 0) begin = token.end;
    if (lower == "with" && begin > 0) with = token.start;
    if (lower == "data" && with > 0 && static_cast<size_t>(token.end) == statement.size()) end = with;
  }
  if (has_check_option) end = with;
  if (begin == 0) return "";
  return std::string(absl::StripAsciiWhitespace(statement.substr(begin, end - begin)));
}

// The piece that drops the view earlier in the script.
std::optional<size_t> DropBefore(const TableName& view, Sink* sink) {
  for (size_t i = sink->pieces().size(); i-- > 0;) {
    const Piece& piece = sink->pieces()[i];
    if (!piece.merged_into.has_value() && piece.operation.has_value() && piece.operation->has_drop_view() &&
        piece.operation->drop_view().view() == view.Quoted()) {
      return i;
    }
  }
  return std::nullopt;
}

// A view that comes again must not be missing until a later stage: it is made where the old one goes.
void MakeAgain(size_t drop, const Node& node, Sink* sink) {
  const bool at_once = drop + 1 == sink->pieces().size();
  const Piece before = sink->pieces()[drop];
  Piece& piece =
      sink->Sql(node, at_once ? "the view goes and comes again in one transaction"
                              : "the view is made again at once when what it hangs on has changed; "
                                "create_view would wait for a later stage");
  piece.sql = PathPrefix(sink->known()) + std::string(sink->text());
  piece.changes = {RelationKey(before.operation->drop_view().view())};
  if (!at_once) return;
  piece.sql = absl::StrCat(before.sql, ";\n", sink->text());
  piece.touches.insert(before.touches.begin(), before.touches.end());
  sink->Merge(drop, static_cast<int>(sink->pieces().size()) - 1);
}

}  // namespace

void CreateView(const Node& node, Sink* sink) {
  const pg_query::ViewStmt& statement = node.view_stmt();
  Known& known = sink->known();
  const TableName name = known.Relation(statement.view());
  const std::string key = RelationKey(name.Quoted());
  const bool has_check = statement.with_check_option() == pg_query::LOCAL_CHECK_OPTION ||
                         statement.with_check_option() == pg_query::CASCADED_CHECK_OPTION;
  // What it was before, only the database tells.
  const bool is_new = !statement.replace() || (known.exact() && known.KindOf(name) == Kind::kUnknown);
  const std::string down = is_new ? absl::StrCat("DROP VIEW ", name.Quoted()) : "";
  v1::Operation operation;
  v1::CreateView* view = operation.mutable_create_view();
  view->set_view(name.Quoted());
  view->set_query(QueryText(sink->text(), has_check));
  std::string why;
  if (!statement.aliases().empty()) why = "names of columns before the query are no operation's";
  if (statement.view().relpersistence() != "p") why = "a temporary view is no operation's";
  if (!known.is_plain_path()) why = "its query may mean other tables under another search_path";
  const auto options = ReadParameters(statement.options());
  if (!options.has_value()) why = "an option has no plain value";
  if (options.has_value()) view->mutable_options()->Assign(options->begin(), options->end());
  if (has_check) {
    v1::Parameter* option = view->add_options();
    option->set_name("check_option");
    option->set_value(statement.with_check_option() == pg_query::LOCAL_CHECK_OPTION ? "local" : "cascaded");
  }
  const auto query = sql::ParseQuery(view->query());
  if (why.empty() && !query.ok()) why = "its query is none that create_view takes";
  const auto dropped = DropBefore(name, sink);
  if (dropped.has_value()) {
    MakeAgain(*dropped, node, sink);
  } else if (known.Made(key) && statement.replace()) {
    sink->Sql(node, "the plan makes the view; its query is written once");
  } else if (!why.empty()) {
    Piece& piece = sink->Sql(node, why, down);
    piece.sql = PathPrefix(known) + std::string(sink->text());
    piece.changes = {key};
  } else {
    sink->Operation(std::move(operation), node, key, down).sql = std::string(sink->text());
  }
  known.MakeRelation(name, Kind::kView);
}

void CreateTableAs(const Node& node, Sink* sink) {
  const pg_query::CreateTableAsStmt& statement = node.create_table_as_stmt();
  Known& known = sink->known();
  const TableName name = known.Relation(statement.into().rel());
  const bool is_view = statement.objtype() == pg_query::OBJECT_MATVIEW;
  if (statement.if_not_exists() && known.KindOf(name) != Kind::kUnknown) {
    sink->LeaveOut(absl::StrCat("IF NOT EXISTS: ", name.Quoted(), " is there"));
    return;
  }
  const std::string down = absl::StrCat("DROP ", is_view ? "MATERIALIZED VIEW " : "TABLE ", name.Quoted());
  std::string why;
  const pg_query::IntoClause& into = statement.into();
  if (!is_view) why = "CREATE TABLE AS takes columns and rows from a query";
  if (!into.col_names().empty() || !into.options().empty() || into.skip_data() ||
      !into.table_space_name().empty() || !into.access_method().empty()) {
    why = "create_materialized_view takes a name and a query, and fills it";
  }
  if (is_view && !known.is_plain_path()) why = "its query may mean other tables under another search_path";
  v1::Operation operation;
  operation.mutable_create_materialized_view()->set_view(name.Quoted());
  operation.mutable_create_materialized_view()->set_query(QueryText(sink->text(), false));
  if (is_view && why.empty() && !sql::ParseQuery(QueryText(sink->text(), false)).ok()) {
    why = "its query is none that create_materialized_view takes";
  }
  if (why.empty()) {
    sink->Operation(std::move(operation), node, RelationKey(name.Quoted()), down).sql =
        std::string(sink->text());
  } else {
    Piece& piece = sink->Sql(node, why, down);
    piece.sql = PathPrefix(known) + std::string(sink->text());
    // What it reads stays as it is.
    piece.changes = {RelationKey(name.Quoted())};
  }
  known.MakeRelation(name, is_view ? Kind::kMaterializedView : Kind::kTable);
}

}  // namespace curlew::from_sql
