#include "common/sql/scan.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/sql/parser.h"

namespace curlew::sql {

bool MentionsColumn(absl::string_view query, absl::string_view table, absl::string_view column) {
  // Most statements name neither: a look at the bytes spares the scanner.
  const std::string folded = absl::AsciiStrToLower(query);
  auto holds = [&](absl::string_view name) {
    return absl::StrContains(folded, absl::AsciiStrToLower(name.substr(0, name.find('"'))));
  };
  if (!holds(table) || !holds(column)) return false;
  auto tokens = Scan(query);
  if (!tokens.ok()) return true;
  bool has_table = false, has_column = false;
  for (const Token& token : *tokens) {
    if (token.comment || token.reserved) continue;
    const std::string name = TokenName(query.substr(token.start, token.end - token.start));
    has_table |= name == table;
    has_column |= name == column;
  }
  return has_table && has_column;
}

}  // namespace curlew::sql
