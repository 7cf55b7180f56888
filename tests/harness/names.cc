#include "tests/harness/names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/sql/identifier.h"

namespace curlew::testing {
namespace {

constexpr char kTwin[] = "twin.twin";

// Words that cannot be a bare column name, and words that can but mean something.
// clang-format off
constexpr const char* kReserved[] = {
    "select", "table", "order", "user", "from", "where", "check", "group", "column", "default", "to", "primary",
    "references", "end", "case", "desc", "limit", "offset", "union", "constraint", "all", "distinct", "any",
    "array", "both", "cast", "create", "do", "else", "except", "fetch", "for", "grant", "having", "in", "into",
    "not", "null", "on", "or", "then", "using", "when", "with", "old", "new", "value", "row", "time"};
// clang-format on

std::string Padded(absl::string_view token) {
  std::string name(token);
  if (name.size() % 2 == 0) name += "_";
  while (name.size() < 63) name += "é";  // two bytes
  return name.substr(0, 63);
}

}  // namespace

const std::vector<Spelling>& AllSpellings() {
  static const auto* const all = new std::vector<Spelling>{
      Spelling::kPlain,  Spelling::kSchema,  Spelling::kQuotes, Spelling::kUpper,
      Spelling::kSpaces, Spelling::kUnicode, Spelling::kLong,   Spelling::kReserved};
  return *all;
}

std::string SpellingName(Spelling spelling) {
  switch (spelling) {
    case Spelling::kPlain:
      return "plain";
    case Spelling::kSchema:
      return "schema";
    case Spelling::kQuotes:
      return "quotes";
    case Spelling::kUpper:
      return "upper";
    case Spelling::kSpaces:
      return "spaces";
    case Spelling::kUnicode:
      return "unicode";
    case Spelling::kLong:
      return "long";
    case Spelling::kReserved:
      return "reserved";
  }
  return "";
}

Names::Names(Spelling spelling, std::string role) : spelling_(spelling), role_(std::move(role)) {}

std::string Names::Spell(absl::string_view token) const {
  switch (spelling_) {
    case Spelling::kPlain:
    case Spelling::kSchema:
      return std::string(token);
    case Spelling::kQuotes:
      return absl::StrCat("Weird\"", token, "'s");
    case Spelling::kUpper:
      return absl::StrCat(absl::AsciiStrToUpper(token), "_Name");
    case Spelling::kSpaces:
      return absl::StrCat("the ", token, " of it");
    case Spelling::kUnicode:
      return absl::StrCat("größe_", token, "_表");
    case Spelling::kLong:
      return Padded(token);
    case Spelling::kReserved: {
      const size_t number = names_.size();
      const size_t words = sizeof kReserved / sizeof kReserved[0];
      return absl::StrCat(kReserved[number % words], number < words ? "" : absl::StrCat(" ", number / words));
    }
  }
  return "";
}

std::string Names::Schema() const {
  switch (spelling_) {
    case Spelling::kPlain:
    case Spelling::kUpper:
    case Spelling::kUnicode:
      return "public";
    case Spelling::kSchema:
    case Spelling::kSpaces:
      return "Other Schema";
    case Spelling::kQuotes:
      return "sche\"ma's";
    case Spelling::kLong:
      return Padded("s");
    case Spelling::kReserved:
      return "analyze";
  }
  return "";
}

std::string Names::Of(absl::string_view token) const {
  if (token == "s") return Schema();
  if (token == "role") return role_;
  absl::MutexLock lock(&mutex_);
  const auto known = names_.find(token);
  if (known != names_.end()) return known->second;
  return names_.emplace(std::string(token), Spell(token)).first->second;
}

// `token` is what stands between the braces.
std::optional<std::string> Names::Replacement(absl::string_view token, std::optional<int64_t> number) const {
  char form = ' ';
  if (!token.empty() && (token[0] == '=' || token[0] == '\'')) {
    form = token[0];
    token.remove_prefix(1);
  }
  bool qualified = false;
  if (token.size() > 2 && token.substr(0, 2) == "s.") {
    qualified = true;
    token.remove_prefix(2);
  }
  if (token.empty() || !absl::ascii_islower(token[0])) return std::nullopt;
  for (char c : token) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '_') return std::nullopt;
  }
  if (token == "twin") return kTwin;
  if (token == "r") return number.has_value() ? std::optional(absl::StrCat(*number)) : std::nullopt;
  const std::string name = Of(token);
  if (form == '=') return name;
  const std::string written = qualified      ? sql::TableName{Schema(), name}.Quoted()
                              : form == '\'' ? name
                                             : sql::Ident(name);
  return form == '\'' ? sql::Literal(written) : written;
}

std::string Names::Sql(absl::string_view text, std::optional<int64_t> number) const {
  std::string filled;
  while (!text.empty()) {
    const size_t open = text.find('{');
    const size_t close = open == absl::string_view::npos ? open : text.find('}', open);
    if (close == absl::string_view::npos) break;
    const auto replacement = Replacement(text.substr(open + 1, close - open - 1), number);
    absl::StrAppend(&filled, text.substr(0, open), replacement.value_or("{"));
    text.remove_prefix(replacement.has_value() ? close + 1 : open + 1);
  }
  absl::StrAppend(&filled, text);
  return filled;
}

std::string Names::Yaml(absl::string_view text) const {
  std::string filled;
  while (!text.empty()) {
    const size_t open = text.find('{');
    const size_t close = open == absl::string_view::npos ? open : text.find('}', open);
    if (close == absl::string_view::npos) break;
    const auto replacement = Replacement(text.substr(open + 1, close - open - 1), std::nullopt);
    absl::StrAppend(&filled, text.substr(0, open),
                    replacement.has_value() ? absl::StrReplaceAll(*replacement, {{"'", "''"}}) : "{");
    text.remove_prefix(replacement.has_value() ? close + 1 : open + 1);
  }
  absl::StrAppend(&filled, text);
  return filled;
}

}  // namespace curlew::testing
