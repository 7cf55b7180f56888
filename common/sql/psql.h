// Commands of psql in scripts. Of this folder alone.
#ifndef CURLEW_COMMON_SQL_PSQL_H_
#define CURLEW_COMMON_SQL_PSQL_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace curlew::sql {

// A command of psql, or what stands for one.
struct PsqlCommand {
  size_t end = 0;               // the byte behind it
  bool ends_statement = false;  // whether it sends what stands before it, as \g does
  bool separates = false;       // "\;", a semicolon to us
  bool data_follows = false;    // \copy ... from stdin
  bool harmless = false;        // whether it does nothing to a database
  std::string message;
};

// Reads the command at byte `at` of `text`, which is a backslash outside quotes.
PsqlCommand ReadPsqlCommand(absl::string_view text, size_t at);

// The variable of psql at byte `at`, ":name", ":'name'" or ":\"name\""; "" for none.
absl::string_view PsqlVariableAt(absl::string_view text, size_t at);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_PSQL_H_
