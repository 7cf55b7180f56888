#include "common/sql/psql.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/sql/lexer.h"

namespace curlew::sql {
namespace {

// Commands that change what the database does, or hide it: what they do here.
struct Effect {
  absl::string_view names;
  absl::string_view what;
};
constexpr Effect kEffects[] = {
    {"copy",
     "reads or writes a file or the data that follow; what it writes is not judged. Write COPY or INSERT"},
    {"i include ir include_relative", "reads another file; give that file to curlew as well"},
    {"c connect",
     "goes to another database; what follows is judged as if it were the same. Split the file there"},
    {"if elif else endif", "chooses by a condition; both ways are read, one after the other"},
    {"gexec", "runs the answer of a query as SQL, which nobody can judge before"},
    {"!", "runs a command of the shell, which is not judged"},
    {"watch", "runs the statement again and again"},
    {"lo_import lo_export lo_unlink", "works on a large object, which is not judged"},
    {"r reset", "throws away the text before it, which is read here all the same"},
    {"e edit ef ev", "opens an editor"},
};
constexpr absl::string_view kEndStatement = "g gx gset gexec gdesc crosstabview watch";

bool IsIn(absl::string_view name, absl::string_view names) {
  const std::vector<absl::string_view> list = absl::StrSplit(names, ' ');
  return std::find(list.begin(), list.end(), name) != list.end();
}

// Arguments go to the line's end, or to "\\".
size_t EndOf(absl::string_view text, size_t at, absl::string_view name) {
  const size_t line_end = std::min(text.find_first_of("\r\n", at), text.size());
  if (IsIn(name, "copy ! ef ev sf sv h help")) return line_end;
  for (bool quoted = false; at + 1 < line_end; ++at) {
    if (text[at] == '\'') quoted = !quoted;
    if (!quoted && text.substr(at, 2) == "\\\\") return at + 2;
    if (quoted && text[at] == '\\') ++at;
  }
  return line_end;
}

}  // namespace

PsqlCommand ReadPsqlCommand(absl::string_view text, size_t at) {
  PsqlCommand command;
  size_t end = at + 1;
  if (end < text.size() && text[end] == ';') return {.end = end + 1, .separates = true};
  if (end < text.size() && text[end] == '!') {
    ++end;
  } else {
    while (end < text.size() &&
           (absl::ascii_isalpha(static_cast<unsigned char>(text[end])) || text[end] == '_'))
      ++end;
  }
  const absl::string_view name = text.substr(at + 1, end - at - 1);
  command.end = EndOf(text, end, name);
  command.ends_statement = IsIn(name, kEndStatement);
  if (name.empty()) {
    command.message = absl::StartsWith(text.substr(at), "\\.")
                          ? "\\. ends data of COPY, but no COPY ... FROM STDIN stands before it; take it out"
                          : "a backslash, of which SQL has none outside quotes; take it out";
    return command;
  }
  for (const Effect& effect : kEffects) {
    if (!IsIn(name, effect.names)) continue;
    command.message = absl::StrCat("\\", name, " is a command of psql: it ", effect.what);
    if (name != "copy") return command;
    const std::string line = absl::AsciiStrToLower(text.substr(at, command.end - at));
    const size_t from = line.rfind(" from ");
    command.data_follows =
        from != std::string::npos &&
        absl::StartsWith(absl::StripLeadingAsciiWhitespace(line.substr(from + 6)), "stdin");
    return command;
  }
  command.harmless = true;
  command.message =
      absl::StrCat("\\", name,
                   " is a command of psql and no SQL; it is passed over, as it changes nothing in a "
                   "database. Run the file with psql, or take it out");
  return command;
}

absl::string_view PsqlVariableAt(absl::string_view text, size_t at) {
  if (at + 1 >= text.size() || text[at] != ':') return "";
  size_t end = at + 1;
  const char quote = text[end] == '\'' || text[end] == '"' ? text[end] : '\0';
  if (quote != '\0') ++end;
  const size_t name = end;
  while (end < text.size() && InWord(text[end]) && text[end] != '$') ++end;
  if (end == name || (quote != '\0' && (end >= text.size() || text[end] != quote))) return "";
  return text.substr(at, end + (quote != '\0' ? 1 : 0) - at);
}

}  // namespace curlew::sql
