#include "common/sql/one_statement.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace curlew::sql {

absl::StatusOr<OneStatement> ParseOneStatement(absl::string_view text, absl::string_view what) {
  // First the whole of it, so that an error tells the place in the author's text.
  ASSIGN_OR_RETURN(const pg_query::ParseResult tree, Parse(text));
  if (tree.stmts_size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(tree.stmts_size() == 0 ? "no statement" : absl::StrCat(tree.stmts_size(), " statements"),
                     " where exactly one stands, a ", what, "; give each an operation of its own"));
  }
  ASSIGN_OR_RETURN(const std::vector<Token> tokens, Scan(text));
  int start = -1, end = 0;
  for (const Token& token : tokens) {
    if (token.comment || text.substr(token.start, token.end - token.start) == ";") continue;
    if (start < 0) start = token.start;
    end = std::max(end, token.end);
  }
  OneStatement one;
  one.text = std::string(text.substr(start, end - start));
  // Again, so that places in the tree are places in the text without what stood around it. A semicolon within
  // the statement (BEGIN ATOMIC) is one of its words.
  ASSIGN_OR_RETURN(pg_query::ParseResult inner, Parse(one.text));
  if (inner.stmts_size() != 1) return absl::InvalidArgumentError(absl::StrCat("not one ", what));
  one.stmt = inner.stmts(0).stmt();
  ASSIGN_OR_RETURN(one.tokens, Scan(one.text));
  one.tokens.erase(
      std::remove_if(one.tokens.begin(), one.tokens.end(), [](const Token& t) { return t.comment; }),
      one.tokens.end());
  return one;
}

}  // namespace curlew::sql
