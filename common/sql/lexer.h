// PostgreSQL's lexical rules, token by token, for texts of any size. Of this folder alone.
#ifndef CURLEW_COMMON_SQL_LEXER_H_
#define CURLEW_COMMON_SQL_LEXER_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"

namespace curlew::sql {

// A token or comment: bytes [begin, end).
struct Lexeme {
  enum class Kind {
    kWord,  // keyword, name without quotes
    kName,  // "name"
    kString,
    kDollarString,
    kComment,
    kOpen,   // ( [
    kClose,  // ) ]
    kComma,
    kSemicolon,
    kBackslash,  // psql's: SQL has none
    kOther,      // number, operator, any other sign
  };
  Kind kind = Kind::kOther;
  size_t begin = 0;
  size_t end = 0;
  bool closed = true;  // whether the quote or comment has its end
};

// Cuts a text into tokens where PostgreSQL's own scanner (src/backend/parser/scan.l, with
// standard_conforming_strings on) does, or finer: a sign of several characters may be cut. pg_query_scan
// keeps all tokens in memory and gives up at the first open quote; this does neither. Not thread-safe.
class Lexer {
 public:
  // `text` must outlive the lexer, which begins at byte `at`.
  Lexer(absl::string_view text, size_t at) : text_(text), at_(at) {}
  // The next token; none at the end.
  std::optional<Lexeme> Next();
  // Goes on at byte `at`.
  void MoveTo(size_t at) { at_ = at; }

 private:
  enum class Escapes { kDoubled, kBackslash, kNone };  // '' in all but kNone
  char Peek(size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool TakeString(Escapes escapes);
  bool TakeQuotedName();
  bool TakeBlockComment();
  bool TakeDollarString();

  absl::string_view text_;
  size_t at_;
};

// Whether a word, or a name without quotes, may begin with that byte, or go on with it.
bool BeginsWord(char c);
bool InWord(char c);

// How big a statement is, counted while its tokens pass by.
class Size {
 public:
  void Add(const Lexeme& token, absl::string_view text);
  size_t tokens() const { return tokens_; }
  // No part of the parse tree lies deeper than that many tokens: what lies between commas, semicolons, AND
  // and OR, and between WHEN, THEN and ELSE of a CASE, is as deep as it is long at most; lists of such parts
  // are flat.
  size_t Depth() const;

 private:
  // What stands in parentheses or in CASE ... END.
  struct Level {
    bool is_case = false;
    size_t run = 0;    // tokens since the last separator
    size_t inner = 0;  // the deepest level in it
    size_t best = 0;   // the deepest part before it
    size_t Deepest() const;
  };
  void Open(bool is_case);
  void Close();

  size_t tokens_ = 0;
  bool after_dot_ = false;
  std::vector<Level> levels_ = std::vector<Level>(1);
};

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_LEXER_H_
