// Why a text does not parse, with the place as a number. Of this folder alone.
#ifndef CURLEW_COMMON_SQL_PARSE_PROBLEM_H_
#define CURLEW_COMMON_SQL_PARSE_PROBLEM_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/sql/lexer.h"
#include "pg_query.pb.h"

namespace curlew::sql {

// What is wrong.
struct ParseProblem {
  enum class Kind { kSyntax, kTooLong } kind = Kind::kSyntax;
  std::string message;
  int offset = -1;  // byte; -1 for no place in particular
};

// Whether the parser could run out of stack or take too much memory.
std::optional<ParseProblem> TooBig(const Size& size);

// Fills `tree`. The text must hold no zero byte, and must not be TooBig. Thread-safe.
std::optional<ParseProblem> ParseUnchecked(absl::string_view text, pg_query::ParseResult* tree);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_PARSE_PROBLEM_H_
