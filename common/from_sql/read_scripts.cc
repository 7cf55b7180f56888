#include "common/from_sql/read_scripts.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/from_sql/footprint.h"
#include "common/sql/parser.h"
#include "common/sql/script.h"

namespace curlew::from_sql {
namespace {

using pg_query::Node;

// What a statement makes that only its session sees; "" where it does not.
std::string Temporary(const Node& node) {
  const pg_query::RangeVar* made = nullptr;
  if (node.has_create_stmt()) made = &node.create_stmt().relation();
  if (node.has_create_table_as_stmt()) made = &node.create_table_as_stmt().into().rel();
  if (node.has_view_stmt()) made = &node.view_stmt().view();
  if (node.has_select_stmt() && node.select_stmt().has_into_clause())
    made = &node.select_stmt().into_clause().rel();
  return made != nullptr && made->relpersistence() == "t" ? made->relname() : "";
}

// Whether nothing lasts of a statement but rows.
bool ChangesRowsOnly(const Node& node, const std::set<std::string>& temporary) {
  if (node.has_insert_stmt() || node.has_update_stmt() || node.has_delete_stmt()) return true;
  if (!Temporary(node).empty()) return true;
  if (node.has_index_stmt()) return temporary.count(node.index_stmt().relation().relname()) > 0;
  if (!node.has_drop_stmt()) return false;
  for (const Node& object : node.drop_stmt().objects()) {
    const auto& parts = object.list().items();
    if (parts.empty() || temporary.count(parts[parts.size() - 1].string().sval()) == 0) return false;
  }
  return true;
}

// By its tokens, so that the body of a function or a DO block counts too.
bool Mentions(const std::string& text, const std::string& name) {
  return text.find(name) != std::string::npos;
}

// Puts together what a temporary table connects.
std::vector<Statement> InSessions(std::vector<Statement> statements) {
  std::vector<Statement> joined;
  for (size_t i = 0; i < statements.size(); ++i) {
    size_t last = i;
    for (size_t j = i; j <= last && j < statements.size(); ++j) {
      const std::string name = Temporary(statements[j].tree);
      if (name.empty()) continue;
      for (size_t k = last + 1; k < statements.size(); ++k) {
        if (statements[k].file == statements[i].file && Mentions(statements[k].text, name)) last = k;
      }
    }
    Statement statement = statements[i];
    if (!Temporary(statement.tree).empty()) {
      statement.in_one_session = true;
      statement.changes_rows_only = true;
      std::set<std::string> temporary = {Temporary(statement.tree)};
      for (size_t j = i + 1; j <= last; ++j) {
        if (statements[j].tree.has_transaction_stmt() || statements[j].tree.has_variable_set_stmt()) continue;
        absl::StrAppend(&statement.text, ";\n", statements[j].text);
        statement.others.push_back(statements[j].tree);
        if (!Temporary(statements[j].tree).empty()) temporary.insert(Temporary(statements[j].tree));
        statement.changes_rows_only &= ChangesRowsOnly(statements[j].tree, temporary);
      }
      i = last;
    }
    joined.push_back(std::move(statement));
  }
  return joined;
}

}  // namespace

Keys Statement::Touches(const Known& known) const {
  Keys keys = Footprint(tree, known);
  for (const Node& other : others) {
    const Keys more = Footprint(other, known);
    keys.insert(more.begin(), more.end());
  }
  return keys;
}

absl::StatusOr<std::vector<Statement>> ReadScripts(const std::vector<Script>& scripts) {
  std::vector<Statement> statements;
  std::vector<std::string> errors;
  constexpr size_t kMostErrors = 20;
  for (const Script& script : scripts) {
    auto fail = [&](const sql::ScriptError& error) {
      if (errors.size() > kMostErrors) return;
      errors.push_back(errors.size() == kMostErrors ? "and more"
                                                    : absl::StrCat(script.file, ":", error.place.line, ":",
                                                                   error.place.column, ": ", error.message));
    };
    const sql::ScriptText text = sql::DecodeScript(script.text);
    if (text.error.has_value()) {
      fail(*text.error);
      continue;
    }
    sql::ReadScript(text.text, {.statement =
                                    [&](const sql::ScriptStatement& read) {
                                      Statement& statement = statements.emplace_back();
                                      statement.file = script.file;
                                      statement.line = read.place.line;
                                      statement.column = read.place.column;
                                      statement.text = std::string(read.text);
                                      statement.tree = read.tree;
                                    },
                                .comment = [](const sql::ScriptComment&) {},
                                .error = fail});
  }
  if (!errors.empty()) return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
  return InSessions(std::move(statements));
}

}  // namespace curlew::from_sql
