#include "common/sql/scan.h"

#include <algorithm>
#include <initializer_list>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/sql/parser.h"

namespace curlew::sql {
namespace {

using Names = std::initializer_list<absl::string_view>;

// Most statements name none of them: a look at the bytes spares the scanner.
bool MayMention(absl::string_view query, Names names) {
  const std::string folded = absl::AsciiStrToLower(query);
  return std::all_of(names.begin(), names.end(), [&](absl::string_view name) {
    return absl::StrContains(folded, absl::AsciiStrToLower(name.substr(0, name.find('"'))));
  });
}

// Whether all of them stand there as identifiers, wherever.
bool Mentions(absl::string_view query, Names names) {
  if (!MayMention(query, names)) return false;
  const auto tokens = Scan(query);
  if (!tokens.ok()) return true;
  const auto is_there = [&](absl::string_view name) {
    return std::any_of(tokens->begin(), tokens->end(), [&](const Token& token) {
      return !token.comment && !token.reserved &&
             TokenName(query.substr(token.start, token.end - token.start)) == name;
    });
  };
  return std::all_of(names.begin(), names.end(), is_there);
}

}  // namespace

bool MentionsColumn(absl::string_view query, absl::string_view table, absl::string_view column) {
  return Mentions(query, {table, column});
}

bool MentionsTable(absl::string_view query, absl::string_view table) { return Mentions(query, {table}); }

}  // namespace curlew::sql
