// Syntax of PostgreSQL after 15. Of this folder alone.
#ifndef CURLEW_COMMON_SQL_NEWER_SYNTAX_H_
#define CURLEW_COMMON_SQL_NEWER_SYNTAX_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace curlew::sql {

// What newer syntax the statement seems to use, where the parser gave up at byte `at`: "virtual generated
// columns (PostgreSQL 18)"; "" where none is recognised. Looks at a few words only.
std::string NewerSyntaxAt(absl::string_view statement, size_t at);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_NEWER_SYNTAX_H_
