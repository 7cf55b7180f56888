// One statement, and its words. Of this folder alone.
#ifndef CURLEW_COMMON_SQL_ONE_STATEMENT_H_
#define CURLEW_COMMON_SQL_ONE_STATEMENT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/sql/parser.h"

namespace curlew::sql {

// A statement with its tokens; their places are those in `text`.
struct OneStatement {
  std::string text;  // without semicolon, and white space and comments around it
  pg_query::Node stmt;
  std::vector<Token> tokens;  // without comments

  // The text of a token.
  absl::string_view Word(const Token& token) const {
    return absl::string_view(text).substr(token.start, token.end - token.start);
  }
};

// Reads `text`, which has to be one statement. INVALID_ARGUMENT, naming `what` is wanted, where there are
// none or several.
absl::StatusOr<OneStatement> ParseOneStatement(absl::string_view text, absl::string_view what);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_ONE_STATEMENT_H_
