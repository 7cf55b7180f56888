#include "agent/backup/pg_dump.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "agent/backup/child_process.h"
#include "common/base/error_detail.h"
#include "common/base/hash.h"
#include "common/base/status_macros.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

namespace fs = std::filesystem;

constexpr char kDebian[] = "/usr/lib/postgresql";

// "pg_dump (PostgreSQL) 15.5 (Debian ...)".
std::optional<int> MajorOf(absl::string_view said) {
  if (!absl::StartsWith(said, "pg_dump ")) return std::nullopt;
  for (absl::string_view word : absl::StrSplit(said, ' ', absl::SkipWhitespace())) {
    int major = 0;
    if (absl::ascii_isdigit(static_cast<unsigned char>(word[0])) &&
        absl::SimpleAtoi(word.substr(0, word.find_first_not_of("0123456789")), &major)) {
      return major;
    }
  }
  return std::nullopt;
}

absl::StatusOr<PgDumpProgram> Ask(const std::string& path, const CancelToken& cancel) {
  ASSIGN_OR_RETURN(const ChildResult said, RunChild({.argv = {path, "--version"},
                                                     .environment = ChildEnvironment(PgVariables::kLeftOut),
                                                     .timeout = absl::Seconds(10)},
                                                    cancel));
  const std::optional<int> major = said.exit_code == 0 ? MajorOf(said.output) : std::nullopt;
  if (major.has_value()) return PgDumpProgram{path, *major};
  return absl::FailedPreconditionError(absl::StrCat(path, " does not tell its version: ", said.LastWords()));
}

std::set<std::string> Candidates() {
  std::set<std::string> paths;
  const char* path = std::getenv("PATH");
  for (absl::string_view folder : absl::StrSplit(path == nullptr ? "" : path, ':', absl::SkipEmpty())) {
    // A relative folder would be another one for each folder that the agent is started in.
    if (folder[0] == '/') paths.insert(absl::StrCat(folder, "/pg_dump"));
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(kDebian, error)) {
    paths.insert((entry.path() / "bin/pg_dump").string());
  }
  std::erase_if(paths, [](const std::string& file) { return access(file.c_str(), X_OK) != 0; });
  return paths;
}

absl::Status None(const std::string& what) {
  return base::WithDetail(absl::FailedPreconditionError(what), base::kHint,
                          "install the client programs of PostgreSQL in the server's version beside the "
                          "agent, or name one in its "
                          "configuration (backups: pg_dump: /PATH; docs/backups.md)");
}

// Letters, digits, dots and dashes; where anything else was replaced, or the name is none for a file, with a
// hash, so that no two names meet.
std::string FileName(const std::string& name) {
  std::string safe;
  for (const char c : name) {
    const bool plain = absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
    safe += plain ? c : '_';
  }
  if (safe == name && !safe.empty() && safe[0] != '.' && safe.size() <= 100) return safe;
  return absl::StrCat("_", safe.substr(0, 80), "-", base::Sha256Hex(name).substr(0, 12));
}

}  // namespace

absl::StatusOr<PgDumpProgram> FindPgDump(const BackupConfig& config, int server_major,
                                         const CancelToken& cancel) {
  if (!config.pg_dump.empty()) {
    const absl::StatusOr<PgDumpProgram> program = Ask(config.pg_dump, cancel);
    RETURN_IF_ERROR(cancel.Check());
    if (!program.ok()) return None(std::string(program.status().message()));
    if (program->major >= server_major) return program;
    return None(absl::StrCat(config.pg_dump, " is of version ", program->major, ", the server of version ",
                             server_major, ": an older pg_dump does not read a newer server"));
  }
  std::optional<PgDumpProgram> best;
  std::string seen;
  for (const std::string& path : Candidates()) {
    const absl::StatusOr<PgDumpProgram> program = Ask(path, cancel);
    RETURN_IF_ERROR(cancel.Check());
    if (!program.ok()) continue;
    absl::StrAppend(&seen, seen.empty() ? "" : ", ", path, " (", program->major, ")");
    // The server's own version goes before newer ones: its dumps are read by its pg_restore.
    if (program->major >= server_major && (!best.has_value() || program->major < best->major))
      best = *program;
  }
  if (best.has_value()) return *best;
  return None(absl::StrCat("there is no pg_dump of version ", server_major,
                           " or newer on the agent's machine", seen.empty() ? "" : "; there is ", seen));
}

absl::StatusOr<std::vector<std::string>> PgDumpArguments(const PgDumpProgram& program,
                                                         const std::vector<std::string>& tables,
                                                         const std::string& file) {
  // A table that is not there is an error; and who holds a strong lock is not waited for for ever.
  std::vector<std::string> arguments = {
      program.path,     "--format=custom",           "--no-password",
      "--strict-names", "--lock-wait-timeout=60000", absl::StrCat("--file=", file)};
  for (const std::string& table : tables) {
    ASSIGN_OR_RETURN(const sql::TableName name, sql::ParseTableName(table));
    const auto quoted = [](const std::string& part) {
      return absl::StrCat("\"", absl::StrReplaceAll(part, {{"\"", "\"\""}}), "\"");
    };
    // Within quotation marks no character of a pattern counts.
    arguments.push_back(absl::StrCat("--table=", quoted(name.schema), ".", quoted(name.name)));
  }
  return arguments;
}

std::string DumpPath(const std::string& directory, const std::string& target, const std::string& run,
                     const std::string& step, int attempt) {
  const std::vector<std::string> parts = absl::StrSplit(run, '/');
  const bool usual = parts.size() == 4 && parts[0] == "rollouts" && parts[2] == "runs";
  return absl::StrCat(directory, "/", FileName(target), "/", FileName(usual ? parts[1] : run), "-",
                      FileName(step), "-", attempt, ".dump");
}

std::string ShellQuoted(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](const char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("-_./:=,+@%").find(c) != absl::string_view::npos;
  });
  return plain ? word : absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

}  // namespace curlew::agent
