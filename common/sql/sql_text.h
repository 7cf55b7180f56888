// SQL about a user's objects, built so that no text can slip in unquoted.
#ifndef CURLEW_COMMON_SQL_SQL_TEXT_H_
#define CURLEW_COMMON_SQL_SQL_TEXT_H_

#include <initializer_list>
#include <string>

#include "absl/strings/string_view.h"
#include "common/sql/identifier.h"

namespace curlew::sql {

class SqlText;

// A piece of SQL: a literal of the source code, or an SqlText. A std::string does not convert.
class SqlPiece {
 public:
  template <size_t N>
  consteval SqlPiece(const char (&literal)[N]) : text_(literal, N - 1) {}  // NOLINT: implicit on purpose
  SqlPiece(const SqlText& text);                                           // NOLINT: implicit on purpose
  absl::string_view text() const { return text_; }

 private:
  absl::string_view text_;
};

// SQL made of literals, identifiers, quoted strings, and what the parser has read.
class SqlText {
 public:
  SqlText() = default;
  SqlText(std::initializer_list<SqlPiece> pieces) { Append(pieces); }

  // A name, quoted where needed.
  static SqlText Name(absl::string_view name) { return SqlText(Ident(name)); }
  static SqlText Name(const TableName& table) { return SqlText(table.Quoted()); }
  static SqlText Name(absl::string_view schema, absl::string_view name) {
    return SqlText(TableName{std::string(schema), std::string(name)}.Quoted());
  }
  // A string literal.
  static SqlText String(absl::string_view text) { return SqlText(Literal(text)); }
  // Names, quoted and separated by commas.
  template <typename Names>
  static SqlText NameList(const Names& names) {
    SqlText list;
    for (const auto& name : names) {
      if (!list.text_.empty()) list.text_ += ", ";
      list.text_ += Ident(name);
    }
    return list;
  }
  // Text that PostgreSQL's parser has read, or that came from the catalogue. For this folder's parsers and
  // for definitions of pg_get_*def only.
  static SqlText Verified(std::string text) { return SqlText(std::move(text)); }

  SqlText& Append(std::initializer_list<SqlPiece> pieces) {
    for (const SqlPiece& piece : pieces) text_.append(piece.text().data(), piece.text().size());
    return *this;
  }
  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }

 private:
  explicit SqlText(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

inline SqlPiece::SqlPiece(const SqlText& text) : text_(text.str()) {}

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_SQL_TEXT_H_
