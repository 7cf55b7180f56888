// The SQL files of this folder, compiled into the binaries.
#ifndef CURLEW_MIGRATIONS_EMBEDDED_H_
#define CURLEW_MIGRATIONS_EMBEDDED_H_

#include <string_view>
#include <vector>

namespace curlew::migrations {

// One file: its path below migrations/ ("agent/0001_journal.up.sql") and its text. Both live as long as the
// program.
struct EmbeddedFile {
  std::string_view path;
  std::string_view text;
};

// All embedded files, sorted by path. Thread-safe.
std::vector<EmbeddedFile> Embedded();

}  // namespace curlew::migrations

#endif  // CURLEW_MIGRATIONS_EMBEDDED_H_
