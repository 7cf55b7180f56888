#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/from_sql/families.h"
#include "common/from_sql/footprint.h"
#include "common/from_sql/text.h"
#include "common/schema/schema.h"
#include "common/sql/object_definition.h"
#include "common/sql/parser.h"

namespace curlew::from_sql {
namespace {

using pg_query::Node;
using sql::TableName;

// What has to be there when the function is made, as far as the script touched it: all that the body of an
// SQL function names; of others the types of its variables.
Keys Needed(const std::string& language, const pg_query::CreateFunctionStmt& statement, Sink* sink) {
  Keys known;
  for (const Piece& piece : sink->pieces()) {
    for (const std::string& key : piece.touches) {
      if (language == "sql" || absl::StartsWith(key, "type ")) known.insert(key);
    }
  }
  Keys needed = NamedIn(sink->text(), known);
  for (const Node& option : statement.options()) {
    if (option.def_elem().defname() != "as") continue;
    for (const std::string& body : Strings(option.def_elem().arg().list().items())) {
      const Keys named = NamedIn(body, known);
      needed.insert(named.begin(), named.end());
    }
  }
  return needed;
}

// "CREATE TRIGGER" as "CREATE OR REPLACE TRIGGER".
std::string Replacing(absl::string_view text) {
  const auto tokens = sql::Scan(text);
  if (!tokens.ok()) return "";
  for (const sql::Token& token : *tokens) {
    if (token.comment) continue;
    return absl::StrCat(text.substr(0, token.end), " OR REPLACE", text.substr(token.end));
  }
  return "";
}

}  // namespace

void CreateFunction(const Node& node, Sink* sink) {
  const pg_query::CreateFunctionStmt& statement = node.create_function_stmt();
  Known& known = sink->known();
  const TableName name = known.Function(NameOf(statement.funcname()));
  const std::string key = FunctionKey(name.Quoted());
  const auto function = sql::ParseFunction(sink->text());
  const std::string signature = function.ok() ? function->signature : "";
  const bool is_there = function.ok() && schema::FindFunction(known.now(), signature) != nullptr;
  const bool is_new = !statement.replace() || (known.exact() && !is_there);
  const std::string down = is_new && function.ok()
                               ? absl::StrCat("DROP ", statement.is_procedure() ? "PROCEDURE " : "FUNCTION ",
                                              name.Quoted(), signature.substr(signature.find('(')))
                               : "";
  std::string why;
  if (!function.ok()) why = "its arguments have types that only the catalogue tells";
  if (!known.is_plain_path()) why = "names in it may mean other objects under another search_path";
  if (why.empty() && known.Made(key + " " + signature))
    why = "the plan makes the function; it is written once";
  std::string language = function.ok() ? function->language : "sql";
  if (statement.has_sql_body()) language = "sql";
  const Keys needed = Needed(language, statement, sink);
  v1::Operation operation;
  operation.mutable_create_function()->set_definition(std::string(sink->text()));
  Piece& piece =
      why.empty() ? sink->Operation(std::move(operation), node, key, down) : sink->Sql(node, why, down);
  piece.sql = PathPrefix(known) + std::string(sink->text());
  piece.touches.insert(needed.begin(), needed.end());
  piece.changes = {key};
  if (is_new && why.empty()) piece.last = v1::PHASE_ADD;
  known.Make(key);
  known.Make(key + " " + signature);
}

void CreateTrigger(const Node& node, Sink* sink) {
  const pg_query::CreateTrigStmt& statement = node.create_trig_stmt();
  Known& known = sink->known();
  const TableName table = known.Relation(statement.relation());
  const std::string key = RelationKey(table.Quoted());
  const auto trigger = sql::ParseTrigger(sink->text());
  std::string why, definition(sink->text());
  const Kind kind = known.KindOf(table);
  if (kind == Kind::kView || (trigger.ok() && trigger->instead_of)) why = "create_trigger is for tables";
  if (!trigger.ok()) why = "create_trigger cannot read it";
  if (!known.is_plain_path()) why = "names in it may mean other objects under another search_path";
  std::optional<size_t> dropped;
  for (size_t i = 0; i < sink->pieces().size() && !statement.isconstraint(); ++i) {
    const Piece& piece = sink->pieces()[i];
    if (piece.is_operation() && !piece.merged_into.has_value() && piece.operation->has_drop_trigger() &&
        piece.operation->drop_trigger().table() == table.Quoted() &&
        piece.operation->drop_trigger().name() == statement.trigname()) {
      dropped = i;
    }
  }
  // Dropped and made again: replaced, so that it is never missing.
  if (dropped.has_value() && !statement.replace()) definition = Replacing(sink->text());
  const std::string down =
      statement.replace() || dropped.has_value()
          ? ""
          : absl::StrCat("DROP TRIGGER ", sql::Ident(statement.trigname()), " ON ", table.Quoted());
  if (!why.empty()) {
    sink->Sql(node, why, down).sql = PathPrefix(known) + std::string(sink->text());
    return;
  }
  v1::Operation operation;
  operation.mutable_create_trigger()->set_table(table.Quoted());
  operation.mutable_create_trigger()->set_definition(definition);
  Piece& piece = sink->Operation(std::move(operation), node, key, down);
  piece.sql = std::string(sink->text());
  if (dropped.has_value()) sink->Merge(*dropped, static_cast<int>(sink->pieces().size()) - 1);
}

}  // namespace curlew::from_sql
