#include "common/sql/script_piece.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"

namespace curlew::sql {
namespace {

using Kind = Lexeme::Kind;
constexpr size_t kNone = absl::string_view::npos;

bool Is(absl::string_view text, const Lexeme& token, absl::string_view word) {
  return token.kind == Kind::kWord &&
         absl::EqualsIgnoreCase(text.substr(token.begin, token.end - token.begin), word);
}

// Counts BEGIN ATOMIC ... END, in which CASE ... END may stand.
class Body {
 public:
  void Add(absl::string_view text, const Lexeme& token) {
    if (depth_ == 0) {
      if (after_begin_ && Is(text, token, "atomic")) depth_ = 1;
      after_begin_ = Is(text, token, "begin");
    } else if (Is(text, token, "case")) {
      ++depth_;
    } else if (Is(text, token, "end")) {
      --depth_;
    }
  }
  bool open() const { return depth_ > 0; }

 private:
  int depth_ = 0;
  bool after_begin_ = false;
};

// What a statement begins with; the second word, where one word alone says too little.
constexpr absl::string_view kBeginnings[][2] = {
    {"create", "table"},    {"create", "index"},    {"create", "unique"}, {"create", "view"},
    {"create", "type"},     {"create", "function"}, {"create", "or"},     {"create", "schema"},
    {"create", "sequence"}, {"create", "trigger"},  {"alter", "table"},   {"alter", "type"},
    {"alter", "index"},     {"alter", "view"},      {"drop", "table"},    {"drop", "index"},
    {"drop", "view"},       {"drop", "type"},       {"drop", "function"}, {"insert", "into"},
    {"delete", "from"},     {"comment", "on"},      {"truncate", ""},     {"commit", ""},
    {"rollback", ""},       {"update", ""},         {"drop", "trigger"},  {"vacuum", ""},
    {"analyze", ""},        {"reindex", ""},
};

bool BeginsStatement(absl::string_view text, size_t at) {
  const size_t line = text.substr(0, at).find_last_not_of(" \t\f");
  if (line != kNone && text[line] != '\n' && text[line] != '\r') return false;
  Lexer lexer(text, at);
  const auto first = lexer.Next();
  const auto second = lexer.Next();
  if (!first.has_value() || first->begin != at || !second.has_value()) return false;
  return std::any_of(std::begin(kBeginnings), std::end(kBeginnings), [&](const auto& words) {
    return Is(text, *first, words[0]) && (words[1].empty() || Is(text, *second, words[1]));
  });
}

bool Swallows(absl::string_view text, const Lexeme& token) {
  return (token.kind == Kind::kString || token.kind == Kind::kName) &&
         BehindSemicolonLine(text, token.begin, token.end) < token.end;
}

}  // namespace

ScriptPiece TakePiece(absl::string_view text, size_t begin) {
  ScriptPiece piece{.begin = begin, .end = begin};
  Lexer lexer(text, begin);
  Body body;
  int depth = 0;
  while (const auto token = lexer.Next()) {
    piece.next = piece.scanned = token->end;
    if (!token->closed) {
      piece.open = token;
      piece.end = token->end;
      return piece;
    }
    if (token->kind == Kind::kComment) {
      piece.comments.push_back(*token);
      continue;
    }
    if (token->kind == Kind::kBackslash) {
      PsqlCommand command = ReadPsqlCommand(text, token->begin);
      piece.next = piece.scanned = command.end;
      if (command.separates && depth == 0 && !body.open()) return piece;
      const bool ends = command.ends_statement;
      if (!command.separates) piece.commands.emplace_back(token->begin, std::move(command));
      if (ends) return piece;
      lexer.MoveTo(piece.next);
      continue;
    }
    if (token->kind == Kind::kSemicolon) {
      if (depth == 0 && !body.open()) return piece;
      if (!body.open()) piece.first_semicolon = std::min(piece.first_semicolon, token->begin);
    } else if (token->kind == Kind::kOpen) {
      ++depth;
    } else if (token->kind == Kind::kClose) {
      depth = std::max(0, depth - 1);
    } else if (depth == 0) {
      body.Add(text, *token);
    }
    if (!piece.swallowing.has_value() && Swallows(text, *token)) piece.swallowing = *token;
    piece.size.Add(*token, text);
    piece.end = token->end;
  }
  piece.next = piece.scanned = text.size();
  return piece;
}

size_t BehindSemicolonLine(absl::string_view text, size_t at, size_t end) {
  for (size_t line_end = text.find('\n', at); line_end < end; line_end = text.find('\n', line_end + 1)) {
    const size_t last = text.substr(at, line_end - at).find_last_not_of(" \t\r\f");
    if (last != kNone && text[at + last] == ';') return line_end + 1;
    at = line_end;
  }
  return end;
}

Recovery Recover(absl::string_view text, const ScriptPiece& piece, size_t at) {
  if (at > piece.begin && BeginsStatement(text, at)) return {.next = at};
  Lexer lexer(text, piece.begin);
  Body body;
  Lexeme last;
  while (const auto token = lexer.Next()) {
    if (token->begin >= piece.next) break;
    if (token->kind == Kind::kComment) continue;
    body.Add(text, *token);
    if (token->begin >= at && Swallows(text, last)) {
      return {.next = BehindSemicolonLine(text, last.begin, last.end), .swallowing = last};
    }
    last = token->begin < at ? *token : Lexeme{};
    if (token->kind == Kind::kSemicolon && token->begin >= at && !body.open()) return {.next = token->end};
  }
  return {.next = piece.next};
}

}  // namespace curlew::sql
