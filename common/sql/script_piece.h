// Where one statement of a script ends, told by its tokens. Of this folder alone.
#ifndef CURLEW_COMMON_SQL_SCRIPT_PIECE_H_
#define CURLEW_COMMON_SQL_SCRIPT_PIECE_H_

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/sql/lexer.h"
#include "common/sql/psql.h"

namespace curlew::sql {

// A statement as its tokens tell, not parsed.
struct ScriptPiece {
  size_t begin = 0;
  size_t end = 0;      // behind its last token; the semicolon is not in it
  size_t next = 0;     // where reading goes on
  size_t scanned = 0;  // how far its tokens were looked at
  Size size;
  std::vector<Lexeme> comments;                          // in it
  std::vector<std::pair<size_t, PsqlCommand>> commands;  // in it or at its end, by their byte
  std::optional<Lexeme> open;                            // the quote or comment that never ends
  std::optional<Lexeme> swallowing;                      // the first string with a semicolon at a line end
  size_t first_semicolon = absl::string_view::npos;      // in it, between parentheses
};

// Reads the statement that begins at byte `begin`, as psql does: to a semicolon outside parentheses and
// BEGIN ATOMIC ... END, to a command such as \g, or to the end.
ScriptPiece TakePiece(absl::string_view text, size_t begin);

// Where reading goes on after a mistake.
struct Recovery {
  size_t next = 0;
  // The string that has probably no end of its own: it goes on behind a semicolon at a line's end.
  std::optional<Lexeme> swallowing;
};

// Where to read on in a piece that the parser gave up at byte `at` of `text`: behind the next semicolon, even
// between parentheses; in a string that ends just before and swallowed a semicolon at a line's end; or at a
// word that begins a statement of its own, if it is the first of its line. At most piece.next.
Recovery Recover(absl::string_view text, const ScriptPiece& piece, size_t at);

// Behind the first line that ends in a semicolon, from byte `at` to `end`; `end` where there is none.
size_t BehindSemicolonLine(absl::string_view text, size_t at, size_t end);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_SCRIPT_PIECE_H_
