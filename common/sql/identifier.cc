#include "common/sql/identifier.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/hash.h"
#include "common/base/status_macros.h"
#include "common/sql/parser.h"

namespace curlew::sql {
namespace {

constexpr size_t kMaxNameBytes = 63;

bool LooksPlain(absl::string_view name) {
  if (name.empty() || !(absl::ascii_islower(name[0]) || name[0] == '_')) return false;
  for (char c : name) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '_') return false;
  }
  return true;
}

// Reads the dot-separated parts of a name.
absl::StatusOr<std::vector<std::string>> Parts(absl::string_view text) {
  auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", text, "\" is not a name: ", what,
        "; write name or schema.name, in double quotes where it has upper case or odd characters"));
  };
  std::vector<std::string> parts;
  size_t i = 0;
  while (true) {
    std::string part;
    if (i < text.size() && text[i] == '"') {
      for (++i;; ++i) {
        if (i >= text.size()) return error("a double quote is not closed");
        if (text[i] != '"') {
          part.push_back(text[i]);
        } else if (i + 1 < text.size() && text[i + 1] == '"') {
          part.push_back('"');
          ++i;
        } else {
          ++i;
          break;
        }
      }
    } else {
      auto allowed = [&](char c) {
        return absl::ascii_isalpha(c) || c == '_' || (c & 0x80) ||
               (!part.empty() && (absl::ascii_isdigit(c) || c == '$'));
      };
      while (i < text.size() && allowed(text[i])) part.push_back(absl::ascii_tolower(text[i++]));
    }
    if (part.empty()) return error("a part of it is empty or starts with a character that needs quotes");
    if (part.size() > kMaxNameBytes) return error("a part of it is longer than PostgreSQL's 63 bytes");
    if (part.find('\0') != std::string::npos) return error("it holds a NUL byte");
    parts.push_back(std::move(part));
    if (i == text.size()) return parts;
    if (text[i] != '.') return error("an unexpected character follows a part");
    ++i;
  }
}

}  // namespace

std::string Ident(absl::string_view name) {
  if (name.empty()) return "";
  if (LooksPlain(name) && !IsKeyword(name)) return std::string(name);
  return absl::StrCat("\"", absl::StrReplaceAll(name, {{"\"", "\"\""}}), "\"");
}

std::string Literal(absl::string_view text) {
  std::string escaped = absl::StrReplaceAll(text, {{"'", "''"}, {"\\", "\\\\"}});
  return absl::StrCat(text.find('\\') == absl::string_view::npos ? "'" : "E'", escaped, "'");
}

absl::StatusOr<std::string> ParseIdent(absl::string_view text) {
  ASSIGN_OR_RETURN(std::vector<std::string> parts, Parts(text));
  if (parts.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" has several parts; one name is wanted"));
  }
  return parts[0];
}

std::string TableName::Quoted() const { return absl::StrCat(Ident(schema), ".", Ident(name)); }

absl::StatusOr<TableName> ParseTableName(absl::string_view text) {
  ASSIGN_OR_RETURN(std::vector<std::string> parts, Parts(text));
  if (parts.size() > 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" has more than two parts; write name or schema.name"));
  }
  if (parts.size() == 1) return TableName{"public", parts[0]};
  return TableName{parts[0], parts[1]};
}

std::string HashedName(absl::string_view prefix, std::initializer_list<absl::string_view> parts) {
  std::string all;
  for (absl::string_view part : parts) absl::StrAppend(&all, part.size(), ":", part);
  return absl::StrCat(prefix, base::Sha256Hex(all).substr(0, 12));
}

}  // namespace curlew::sql
