// PostgreSQL's own parser (libpg_query, the grammar of PostgreSQL 15), with typed parse trees.
#ifndef CURLEW_COMMON_SQL_PARSER_H_
#define CURLEW_COMMON_SQL_PARSER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pg_query.pb.h"

namespace curlew::sql {

// A lexical token: [start, end) are byte offsets.
struct Token {
  int start = 0;
  int end = 0;
  bool comment = false;
  bool reserved = false;  // a reserved keyword, not quoted
};

// The parse tree of `text`. INVALID_ARGUMENT with the parser's message and "at line L, column C"; so for a
// text of more than 1,000,000 words and signs, or nested deeper than 2,000 of them, which the parser might
// not survive. Thread-safe.
absl::StatusOr<pg_query::ParseResult> Parse(absl::string_view text);

// The tokens of `text`. INVALID_ARGUMENT where it cannot be read, for example an open quote.
absl::StatusOr<std::vector<Token>> Scan(absl::string_view text);

// What PL/pgSQL makes of a DO statement or a CREATE FUNCTION, as libpg_query's JSON. INVALID_ARGUMENT where
// it does not compile. Thread-safe.
absl::StatusOr<std::string> ParsePlpgsql(absl::string_view definition);

// The tree as SQL.
absl::StatusOr<std::string> Deparse(const pg_query::ParseResult& tree);

// Whether `name` is a keyword that cannot stand as a column or table name without quotes.
bool IsKeyword(absl::string_view name);

// The identifier that a token stands for: unquoted, or folded to lower case.
std::string TokenName(absl::string_view token);

// Whether a type is PostgreSQL's own by its name, or an array of one: no domain, enum or composite of a user.
bool IsBuiltInType(const pg_query::TypeName& type);

// Calls `visit` for each message that `message` holds itself, in the order of its fields.
void ForEachChild(const google::protobuf::Message& message,
                  const std::function<void(const google::protobuf::Message&)>& visit);

// Calls `visit` for each message of the tree, parents first; goes below a message only where `visit` returns
// true.
void Walk(const google::protobuf::Message& tree,
          const std::function<bool(const google::protobuf::Message&)>& visit);

// The same for a tree that is changed on the way.
void WalkMutable(google::protobuf::Message* tree,
                 const std::function<bool(google::protobuf::Message*)>& visit);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_PARSER_H_
