// Comments by which authors accept a hazard: -- curlew:allow rewrites-table the table is empty
#ifndef CURLEW_COMMON_LINT_ALLOW_H_
#define CURLEW_COMMON_LINT_ALLOW_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace curlew::lint {

// What such a comment says.
struct Allow {
  enum class Scope {
    kStatement,  // curlew:allow: the statement that it stands in or behind, or that follows
    kFile,       // curlew:allow-file: all that follow
  } scope = Scope::kStatement;
  std::vector<std::string> hazards;  // as written
  std::string reason;                // may be "", which allows nothing
};

// Reads a comment with its "--" or "/* */". None for any other comment.
std::optional<Allow> ParseAllow(absl::string_view comment);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_ALLOW_H_
