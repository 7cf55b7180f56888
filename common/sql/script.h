// SQL scripts as files hold them: many statements, commands of psql, data of COPY, errors in the middle.
#ifndef CURLEW_COMMON_SQL_SCRIPT_H_
#define CURLEW_COMMON_SQL_SCRIPT_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "pg_query.pb.h"

namespace curlew::sql {

// A place in a script: bytes from its start, and lines and columns from 1. Columns count characters.
struct Place {
  size_t offset = 0;
  int line = 1;
  int column = 1;
  friend bool operator==(const Place&, const Place&) = default;
};

// The place of byte `offset` of a text, of which `from` is a place before it.
Place PlaceAt(absl::string_view text, size_t offset, Place from = {});

// One statement that has been read.
struct ScriptStatement {
  absl::string_view text;  // as it is written, without semicolon, and white space and comments around it
  Place place;             // where the text begins
  pg_query::Node tree;     // its locations are byte offsets into `text`
};

// A comment, between statements or in one.
struct ScriptComment {
  absl::string_view text;  // with "--" or "/* */"
  Place place;
  int end_line = 1;         // the line that it ends in
  bool after_code = false;  // whether something else stands before it in its line
};

// A piece that could not be read as SQL. What comes after it is read again.
struct ScriptError {
  enum class Kind {
    kSyntax,
    kNewerSyntax,  // of a PostgreSQL newer than 15, or so it seems
    kTooLong,      // more than 1,000,000 words and signs, or nested more than 2,000 deep
    kEncoding,     // the bytes are no UTF-8; the text has been read as well as can be
    kPsql,         // a command or variable of psql: what it does cannot be known
    kPsqlDisplay,  // a command of psql that does nothing to a database
  };
  Kind kind = Kind::kSyntax;
  std::string message;     // what is wrong and what to do; without the place
  absl::string_view text;  // the piece; may be ""
  Place place;             // where it is wrong
  Place begin;             // where the piece begins
};

// Receives what a script holds, in its order. Comments of a statement come before it.
struct ScriptVisitor {
  std::function<void(const ScriptStatement&)> statement;
  std::function<void(const ScriptComment&)> comment;
  std::function<void(const ScriptError&)> error;
};

// A file's bytes as UTF-8. Lines and columns of characters stay the same.
struct ScriptText {
  std::string text;  // "" for what is no text
  std::optional<ScriptError> error;
};

// Takes a byte-order mark off; UTF-16 is told by its mark or its zeros; single bytes that are no UTF-8 are
// read as Latin-1. `error` says what it was, where it was no UTF-8.
ScriptText DecodeScript(absl::string_view bytes);

// Reads a script of any bytes (what is no UTF-8 goes through DecodeScript first). The pieces point into
// `text`, or into a copy of it, and live until their call is over. Never fails as a whole, takes time in
// proportion to the text and memory for one statement at a time. Data after COPY ... FROM STDIN is passed
// over up to its "\.". `text` may be cut by statements that are not closed: reading goes on behind the next
// semicolon, or the line end after one. Thread-safe.
void ReadScript(absl::string_view text, const ScriptVisitor& visitor);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_SCRIPT_H_
