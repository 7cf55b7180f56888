// What a statement does to a running database: locks, waits, rewrites, scans; and the hazards that follow.
#ifndef CURLEW_COMMON_LINT_LINT_H_
#define CURLEW_COMMON_LINT_LINT_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pg_query {
class Node;
}

namespace curlew::lint {

// PostgreSQL's table-level lock modes, weakest first, as src/include/storage/lockdefs.h numbers them.
enum class LockMode {
  kAccessShare = 1,
  kRowShare = 2,
  kRowExclusive = 3,
  kShareUpdateExclusive = 4,
  kShare = 5,
  kShareRowExclusive = 6,
  kExclusive = 7,
  kAccessExclusive = 8,
};

// PostgreSQL's own name, as pg_locks shows it: "AccessExclusiveLock".
absl::string_view LockName(LockMode mode);

// The strongest lock on one relation (table, index, view, sequence) that was there before its transaction.
struct RelationLock {
  std::string relation;  // as SQL writes it; the schema stands there unless it is public
  LockMode mode = LockMode::kAccessShare;
  bool held_before = false;  // whether an earlier statement of the same transaction took it
  friend bool operator==(const RelationLock&, const RelationLock&) = default;
};

enum class Severity { kNotice, kWarning, kError };
// "notice", "warning", "error".
absl::string_view SeverityName(Severity severity);

// Something that a person should know before the statement runs.
struct Hazard {
  // By name: "rewrites-table", "scans-under-lock", "blocks-writes", "unbatched-data", "breaks-applications",
  // "unknown-effect": those that a plan can acknowledge; and "fails" (PostgreSQL will refuse it),
  // "no-lock-timeout".
  std::string code;
  Severity severity = Severity::kWarning;
  std::string message;    // one or two sentences: what happens, to which relation, why
  std::string safe_sql;   // the way without it, as SQL; "" where there is none
  std::string operation;  // the same as an operation of a plan, in YAML; "" where there is none
  int offset = 0;         // byte of the statement's text that it is about
};

// What one statement does.
struct Report {
  std::vector<RelationLock> locks;  // that its transaction holds when it has run; sorted by relation
  bool blocks_reads = false;        // whether a SELECT of somebody else waits for it
  bool blocks_writes = false;       // whether an INSERT or UPDATE of somebody else does
  bool rewrites = false;            // whether a table is written anew
  bool scans = false;               // whether the whole of a table that has rows is read
  bool transactional = true;        // whether it can run in a transaction block
  std::vector<Hazard> hazards;      // gravest first
};

// Rows of a query over the catalogue: texts by the names of columns, "t" and "f" for truth.
using CatalogueRows = std::vector<std::map<std::string, std::string>>;

// EXPLAIN of a server: an outside view for data statements, whose plan only the server knows.
class Explainer {
 public:
  virtual ~Explainer() = default;
  // The plan of `statement` in EXPLAIN's JSON form. Any error: there is none, and the statement is judged by
  // its text.
  virtual absl::StatusOr<std::string> Explain(absl::string_view statement) = 0;
  // The rows of `query`, a SELECT over catalogues alone, as they are now; a few hundred at most. Nothing
  // where it reads anything else or cannot be told.
  virtual std::optional<CatalogueRows> Rows(absl::string_view query) = 0;
};

struct Catalogue;  // common/lint/catalogue.h

// Judges statements one after the other, and remembers what each leaves behind: tables that a script makes
// are nobody's yet, names that it drops are gone, a transaction holds its locks to its end. Pure unless an
// Explainer is given. Not thread-safe; one for each script.
class Linter {
 public:
  // Without a database: relations that the script does not make are taken to be tables with rows.
  Linter();
  // Against a database, as common/pg/read_catalogue.h reads it. `explainer` may be null, else it must outlive
  // the linter.
  Linter(Catalogue catalogue, Explainer* explainer);
  ~Linter();
  Linter(Linter&&) noexcept;
  Linter& operator=(Linter&&) noexcept;

  // Judges the next statement. `text` is what `tree` was parsed from.
  Report Lint(const pg_query::Node& tree, absl::string_view text);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_LINT_H_
