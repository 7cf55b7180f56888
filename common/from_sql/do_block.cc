#include "common/from_sql/do_block.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "common/from_sql/text.h"
#include "common/sql/parser.h"

namespace curlew::from_sql {
namespace {

// A statement of the block, by the words that it consists of.
struct Part {
  std::string text;
  std::vector<std::string> words;  // lower case

  bool Begins(absl::string_view word) const { return !words.empty() && words[0] == word; }
};

// The body cut at its semicolons.
std::optional<std::vector<Part>> Cut(const std::string& body) {
  const auto tokens = sql::Scan(body);
  if (!tokens.ok()) return std::nullopt;
  std::vector<Part> parts(1);
  int begin = -1;
  for (const sql::Token& token : *tokens) {
    if (token.comment) continue;
    const std::string word = absl::AsciiStrToLower(body.substr(token.start, token.end - token.start));
    if (word == ";") {
      parts.emplace_back();
      begin = -1;
      continue;
    }
    // BEGIN has no semicolon.
    if (word == "begin" && parts.back().words.empty()) {
      parts.back().words = {"begin"};
      parts.emplace_back();
      continue;
    }
    if (begin < 0) begin = token.start;
    parts.back().words.push_back(word);
    parts.back().text = body.substr(begin, token.end - begin);
  }
  if (parts.back().words.empty()) parts.pop_back();
  return parts;
}

bool IsNothing(const std::string& words) {
  return words == "null" || absl::StartsWith(words, "raise notice");
}

// "exception when duplicate_object then null".
bool PassesOver(const Part& part) {
  std::string words = absl::StrJoin(part.words, " ");
  for (const char* what : {"duplicate_object", "duplicate_table", "duplicate_column", "duplicate_schema"}) {
    const std::string start = absl::StrCat("exception when ", what, " then ");
    if (absl::StartsWith(words, start) && IsNothing(words.substr(start.size()))) return true;
  }
  return false;
}

}  // namespace

std::optional<PlainBlock> ReadPlainBlock(const pg_query::DoStmt& block) {
  std::string body;
  for (const pg_query::Node& arg : block.args()) {
    if (arg.def_elem().defname() == "as") body = ValueText(arg.def_elem().arg());
    if (arg.def_elem().defname() == "language" && ValueText(arg.def_elem().arg()) != "plpgsql")
      return std::nullopt;
  }
  const auto parts = Cut(body);
  if (!parts.has_value() || parts->size() < 3 || !parts->front().Begins("begin")) return std::nullopt;
  if (parts->back().words != std::vector<std::string>{"end"}) return std::nullopt;
  PlainBlock plain;
  for (size_t i = 1; i + 1 < parts->size(); ++i) {
    const Part& part = (*parts)[i];
    if (part.Begins("exception")) {
      if (!PassesOver(part) || i + 2 != parts->size()) return std::nullopt;
      plain.passes_over_duplicates = true;
      continue;
    }
    const auto tree = sql::Parse(part.text);
    if (!tree.ok() || tree->stmts_size() != 1) return std::nullopt;
    // In a block, these are PL/pgSQL's own, or have INTO, or give rows that must go somewhere.
    if (tree->stmts(0).stmt().has_execute_stmt() || tree->stmts(0).stmt().has_select_stmt())
      return std::nullopt;
    plain.statements.push_back(part.text);
  }
  // One that is passed over takes what came before it in the block back with it.
  if (plain.passes_over_duplicates && plain.statements.size() != 1) return std::nullopt;
  if (plain.statements.empty()) return std::nullopt;
  return plain;
}

}  // namespace curlew::from_sql
