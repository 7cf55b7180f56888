// A statement's lines with marks under places.
#ifndef CURLEW_CLI_LINT_SNIPPET_H_
#define CURLEW_CLI_LINT_SNIPPET_H_

#include <string>
#include <vector>

#include "cli/text.h"
#include "common/lint/finding.h"

namespace curlew::cli {

// The first lines of a statement and those that its hazards are in, with their numbers, and a caret under
// each place. Lines that are too long for `width` columns show the part around the first caret.
std::string LintSnippet(const lint::Finding& finding, int width, const Style& style);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_LINT_SNIPPET_H_
