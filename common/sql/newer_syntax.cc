#include "common/sql/newer_syntax.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/sql/lexer.h"

namespace curlew::sql {
namespace {

// The words that the parser stumbles over; those before and the statement's first, where they count.
struct Newer {
  absl::string_view at;      // the word, or two, at the place
  absl::string_view before;  // the word before it; "" for any
  absl::string_view first;   // the statement's first word; "" for any
  absl::string_view what;
  int version;
};
constexpr Newer kNewer[] = {
    {"virtual", ")", "", "virtual generated columns", 18},
    {"not null", "", "alter", "NOT NULL constraints with a name", 18},
    {"not null", "", "create", "NOT NULL constraints with a name", 18},
    {"not valid", "null", "alter", "NOT NULL ... NOT VALID", 18},
    {"enforced", "", "", "constraints that are ENFORCED or not", 18},
    {"not enforced", "", "", "constraints that are ENFORCED or not", 18},
    {"without overlaps", "", "", "WITHOUT OVERLAPS", 18},
    {"period", ",", "", "foreign keys over a PERIOD", 18},
    {"with", "returning", "", "RETURNING with OLD and NEW", 18},
    {"expression", "set", "alter", "SET EXPRESSION", 17},
    {"returning", "", "merge", "MERGE ... RETURNING", 17},
    {"returning", "", "with", "MERGE ... RETURNING", 17},
    {"by source", "", "", "WHEN NOT MATCHED BY SOURCE", 17},
    {"by target", "", "", "WHEN NOT MATCHED BY TARGET", 17},
    {"json", "is", "", "IS JSON", 16},
    {"json", "not", "", "IS NOT JSON", 16},
    {"storage", "", "create", "STORAGE in CREATE TABLE", 16},
    {"( select", "from", "", "a subquery in FROM without a name", 16},
    {"( values", "from", "", "VALUES in FROM without a name", 16},
    {"columns", "", "", "JSON_TABLE", 17},
};

// The tokens around byte `at`.
struct Around {
  std::string first, before, word, next;
};

Around Look(absl::string_view text, size_t at) {
  Around around;
  Lexer lexer(text, 0);
  while (const auto token = lexer.Next()) {
    if (token->kind == Lexeme::Kind::kComment) continue;
    std::string word =
        absl::AsciiStrToLower(text.substr(token->begin, std::min<size_t>(token->end - token->begin, 40)));
    if (around.first.empty()) around.first = word;
    if (token->end <= at) {
      around.before = std::move(word);
    } else if (around.word.empty()) {
      around.word = std::move(word);
    } else {
      around.next = std::move(word);
      break;
    }
  }
  return around;
}

}  // namespace

std::string NewerSyntaxAt(absl::string_view statement, size_t at) {
  const Around around = Look(statement, at);
  for (const Newer& newer : kNewer) {
    if (newer.at != around.word && newer.at != absl::StrCat(around.word, " ", around.next)) continue;
    if (!newer.before.empty() && newer.before != around.before) continue;
    if (!newer.first.empty() && newer.first != around.first) continue;
    return absl::StrCat(newer.what, " (PostgreSQL ", newer.version, ")");
  }
  const bool number = !around.word.empty() && absl::ascii_isdigit(static_cast<unsigned char>(around.word[0]));
  if (number && !around.next.empty() &&
      absl::string_view("xob_").find(around.next[0]) != absl::string_view::npos) {
    return "numbers such as 0x1F and 1_000 (PostgreSQL 16)";
  }
  return "";
}

}  // namespace curlew::sql
