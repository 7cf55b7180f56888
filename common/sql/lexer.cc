#include "common/sql/lexer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace curlew::sql {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
bool IsLineEnd(char c) { return c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Where the text goes on after a string that ends at `at`: strings with a line end between them are one, to
// libpg_query if no comment stands there.
size_t Continuation(absl::string_view text, size_t at) {
  bool line_end = false;
  while (at < text.size()) {
    if (text[at] == '\'') return line_end ? at + 1 : absl::string_view::npos;
    if (!IsSpace(text[at])) break;
    line_end |= IsLineEnd(text[at]);
    ++at;
  }
  return absl::string_view::npos;
}

}  // namespace

bool BeginsWord(char c) {
  return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80) != 0;
}
bool InWord(char c) { return BeginsWord(c) || IsDigit(c) || c == '$'; }

bool Lexer::TakeString(Escapes escapes) {
  while (at_ < text_.size()) {
    const char c = text_[at_++];
    if (c == '\\' && escapes == Escapes::kBackslash) {
      ++at_;
    } else if (c == '\'') {
      if (Peek(0) == '\'' && escapes != Escapes::kNone) {
        ++at_;
        continue;
      }
      const size_t next = Continuation(text_, at_);
      if (next == absl::string_view::npos) return true;
      at_ = next;
    }
  }
  at_ = text_.size();
  return false;
}

bool Lexer::TakeQuotedName() {
  while ((at_ = text_.find('"', at_)) != absl::string_view::npos) {
    ++at_;
    if (Peek(0) != '"') return true;
    ++at_;
  }
  at_ = text_.size();
  return false;
}

bool Lexer::TakeBlockComment() {
  at_ += 2;
  for (int depth = 1; at_ < text_.size();) {
    if (Peek(0) == '/' && Peek(1) == '*') {
      ++depth;
      at_ += 2;
    } else if (Peek(0) == '*' && Peek(1) == '/') {
      at_ += 2;
      if (--depth == 0) return true;
    } else {
      ++at_;
    }
  }
  return false;
}

// At "$". False where none begins here.
bool Lexer::TakeDollarString() {
  size_t tag = at_ + 1;
  if (tag < text_.size() && BeginsWord(text_[tag])) {
    while (tag < text_.size() && InWord(text_[tag]) && text_[tag] != '$') ++tag;
  }
  if (tag >= text_.size() || text_[tag] != '$') return false;
  const absl::string_view quote = text_.substr(at_, tag + 1 - at_);
  const size_t end = text_.find(quote, tag + 1);
  at_ = end == absl::string_view::npos ? absl::string_view::npos : end + quote.size();
  return true;
}

std::optional<Lexeme> Lexer::Next() {
  while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  if (at_ >= text_.size()) return std::nullopt;
  Lexeme lexeme;
  lexeme.begin = at_;
  const char c = text_[at_];
  const char folded = absl::ascii_tolower(static_cast<unsigned char>(c));
  using Kind = Lexeme::Kind;
  const auto string_after = [&](size_t prefix, Escapes escapes) {
    at_ += prefix;
    lexeme.kind = Kind::kString;
    lexeme.closed = TakeString(escapes);
  };
  if (c == '-' && Peek(1) == '-') {
    at_ = std::min(text_.find_first_of("\r\n", at_), text_.size());
    lexeme.kind = Kind::kComment;
  } else if (c == '/' && Peek(1) == '*') {
    lexeme.kind = Kind::kComment;
    lexeme.closed = TakeBlockComment();
  } else if (c == '\'') {
    string_after(1, Escapes::kDoubled);
  } else if (folded == 'e' && Peek(1) == '\'') {
    string_after(2, Escapes::kBackslash);
  } else if ((folded == 'b' || folded == 'x') && Peek(1) == '\'') {
    string_after(2, Escapes::kNone);
  } else if (folded == 'u' && Peek(1) == '&' && Peek(2) == '\'') {
    string_after(3, Escapes::kDoubled);
  } else if (c == '"' || (folded == 'u' && Peek(1) == '&' && Peek(2) == '"')) {
    at_ += c == '"' ? 1 : 3;
    lexeme.kind = Kind::kName;
    lexeme.closed = TakeQuotedName();
  } else if (BeginsWord(c)) {
    while (at_ < text_.size() && InWord(text_[at_])) ++at_;
    lexeme.kind = Kind::kWord;
  } else if (c == '$' && TakeDollarString()) {
    lexeme.kind = Kind::kDollarString;
    lexeme.closed = at_ != absl::string_view::npos;
    at_ = std::min(at_, text_.size());
  } else if (IsDigit(c) || ((c == '$' || c == '.') && IsDigit(Peek(1)))) {
    do ++at_;
    while (IsDigit(Peek(0)));
    if (c != '$' && c != '.' && Peek(0) == '.' && Peek(1) != '.') {
      do ++at_;
      while (IsDigit(Peek(0)));
    }
  } else if ((c == ':' && (Peek(1) == ':' || Peek(1) == '=')) || (c == '.' && Peek(1) == '.')) {
    at_ += 2;
  } else {
    ++at_;
    lexeme.kind = c == '(' || c == '['   ? Kind::kOpen
                  : c == ')' || c == ']' ? Kind::kClose
                  : c == ','             ? Kind::kComma
                  : c == ';'             ? Kind::kSemicolon
                  : c == '\\'            ? Kind::kBackslash
                                         : Kind::kOther;
  }
  lexeme.end = at_;
  return lexeme;
}

size_t Size::Level::Deepest() const { return std::max(best, run + inner); }

void Size::Open(bool is_case) {
  ++levels_.back().run;
  levels_.push_back({.is_case = is_case});
}

void Size::Close() {
  const size_t depth = levels_.back().Deepest();
  levels_.pop_back();
  ++levels_.back().run;
  levels_.back().inner = std::max(levels_.back().inner, depth);
}

void Size::Add(const Lexeme& token, absl::string_view text) {
  using Kind = Lexeme::Kind;
  if (token.kind == Kind::kComment) return;
  ++tokens_;
  const absl::string_view word = text.substr(token.begin, token.end - token.begin);
  const auto is = [&](absl::string_view name) {
    return token.kind == Kind::kWord && absl::EqualsIgnoreCase(word, name);
  };
  Level& level = levels_.back();
  const bool separates = token.kind == Kind::kComma || token.kind == Kind::kSemicolon || is("and") ||
                         is("or") || (level.is_case && (is("when") || is("then") || is("else")));
  if (token.kind == Kind::kOpen || is("case")) {
    Open(token.kind == Kind::kWord);
  } else if (token.kind == Kind::kClose) {
    // A CASE without END does not outlive its parentheses.
    while (levels_.back().is_case) Close();
    if (levels_.size() > 1) Close();
  } else if (level.is_case && is("end") && !after_dot_) {
    Close();
  } else if (separates) {
    level = {.is_case = level.is_case, .best = level.Deepest()};
  } else {
    ++level.run;
  }
  after_dot_ = word == ".";
}

size_t Size::Depth() const {
  size_t depth = 0;
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    Level open = *level;
    open.inner = std::max(open.inner, depth);
    depth = open.Deepest();
  }
  return depth;
}

}  // namespace curlew::sql
