// What lint says of one statement of a file.
#ifndef CURLEW_COMMON_LINT_FINDING_H_
#define CURLEW_COMMON_LINT_FINDING_H_

#include <map>
#include <string>

#include "common/lint/lint.h"
#include "common/sql/script.h"

namespace curlew::lint {

// A statement with its report; also a piece that could not be read, and a comment that is wrong. A value.
struct Finding {
  enum class Kind { kStatement, kUnread, kComment } kind = Kind::kStatement;
  std::string file;       // as it was named; "-" is the standard input
  std::string statement;  // as it is written, without semicolon
  sql::Place place;       // where it begins in the file
  int indent = 0;         // columns that stand before its later lines in the file, in YAML
  Report report;
  std::map<std::string, std::string> allowed;  // hazard -> the reason that its author gave
};

// Where in the file a hazard of `finding` is.
sql::Place PlaceOf(const Finding& finding, const Hazard& hazard);

// The line and column of what is told: of the statement, or of the mistake in it.
sql::Place PlaceOf(const Finding& finding);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_FINDING_H_
