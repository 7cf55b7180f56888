// Names and literals as SQL text, safely.
#ifndef CURLEW_COMMON_SQL_IDENTIFIER_H_
#define CURLEW_COMMON_SQL_IDENTIFIER_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace curlew::sql {

// `name` as an SQL identifier: quoted where it has to be (upper case, odd characters, keywords). "" gives "".
std::string Ident(absl::string_view name);

// `text` as an SQL string literal, in E'' form where it holds a backslash.
std::string Literal(absl::string_view text);

// A name as SQL writes it, read back: unquoted parts folded to lower case. INVALID_ARGUMENT for what is no
// single identifier of 1 to 63 bytes.
absl::StatusOr<std::string> ParseIdent(absl::string_view text);

// The name of a table, its parts unquoted.
struct TableName {
  std::string schema;
  std::string name;

  // Qualified and quoted: public.contacts, crm."Weird""Name".
  std::string Quoted() const;
  friend bool operator==(const TableName&, const TableName&) = default;
  friend auto operator<=>(const TableName&, const TableName&) = default;
};

// Reads "name" or "schema.name", quoted as in SQL where needed; the schema is public where none stands there.
// INVALID_ARGUMENT with what is wrong.
absl::StatusOr<TableName> ParseTableName(absl::string_view text);

// A name of Curlew's own that is stable for `parts` and fits PostgreSQL's 63 bytes: `prefix` and the first 12
// hexadecimal digits of a hash of the parts.
std::string HashedName(absl::string_view prefix, std::initializer_list<absl::string_view> parts);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_IDENTIFIER_H_
