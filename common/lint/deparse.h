// Expressions of parse trees: as SQL, and what they name. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_DEPARSE_H_
#define CURLEW_COMMON_LINT_DEPARSE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "pg_query.pb.h"

namespace curlew::lint {

// The expression as SQL; "" where it cannot be written.
std::string DeparseExpression(const pg_query::Node& expression);

// The type as SQL writes it.
std::string TypeText(const pg_query::TypeName& type);

// `text`, an expression, as a tree; nothing where it does not parse.
std::optional<pg_query::Node> ParseExpression(absl::string_view text);

// The last parts of the columns that it names, each once, in order.
std::vector<std::string> ColumnsOf(const google::protobuf::Message& expression);

// The one column that it is, without parentheses, casts left alone; "" where it is something else.
std::string ColumnName(const pg_query::Node& expression);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_DEPARSE_H_
