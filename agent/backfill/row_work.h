// What a walk does to the rows of a part.
#ifndef CURLEW_AGENT_BACKFILL_ROW_WORK_H_
#define CURLEW_AGENT_BACKFILL_ROW_WORK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/attempt/acting_role.h"
#include "agent/attempt/run_context.h"
#include "agent/backfill/walker.h"
#include "agent/journal/fenced_transaction.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// What to do when rows are locked by others.
enum class RowLocks {
  kWait,  // as long as the transaction's lock_timeout
  kSkip,  // pass over them, and say so
};

// What became of a part.
struct Written {
  int64_t rows = 0;
  // Rows were passed over because others hold them: the whole part comes back, and does nothing twice.
  bool locked = false;
  // The same, where only these rows may come back.
  std::vector<Place> skipped;
};

// One kind of work. Const methods are thread-safe: several workers share the object, each with a connection
// of its own. Errors as in common/pg/error.h.
class RowWork {
 public:
  virtual ~RowWork() = default;

  // Qualified, quoted name of the table, and an SQL list for search_path.
  virtual const std::string& table() const = 0;
  virtual const std::string& search_path() const = 0;
  // SQL that is run first in each transaction.
  virtual std::string Setup() const = 0;
  // Whether rows may come, or come to match, behind the walk, so that heaps which hold some are walked again.
  virtual bool WalksAgain() const { return false; }
  // Boolean expression over t: rows on which there is something to do; "" for all.
  virtual const std::string& pending() const = 0;
  // Columns of the unique key by which rows are walked, quoted; empty for whichever fits.
  virtual std::vector<std::string> key() const { return {}; }
  // Other tables that the work may look at or write, qualified and quoted.
  virtual std::vector<std::string> others() const { return {}; }
  // Whether it names something in schema curlew (a sequence that numbers rows), where the owner may not look.
  virtual bool names_curlew() const = 0;
  // Columns that are written, quoted; empty where no row of the table is updated in place.
  virtual std::vector<std::string> updated_columns() const { return {}; }

  // Does the work on the rows of `leaf` for which `condition` (over t) holds. `walker` is the walk's.
  virtual absl::StatusOr<Written> Write(FencedTransaction& transaction, const Leaf& leaf,
                                        const Walker& walker, const std::string& condition,
                                        RowLocks locks) const = 0;
  // Leaves the row for which `condition` holds as it is, for good. FAILED_PRECONDITION where that cannot be.
  virtual absl::Status Accept(FencedTransaction& transaction, const Leaf& leaf,
                              const std::string& condition) const = 0;
  // Which part of the work fails on that row, for people: "its expression (up: ...)". Looked for in
  // transactions that are rolled back. `verb` becomes "filled", "deleted" and the like.
  virtual absl::StatusOr<std::string> Culprit(pg::Connection* connection, const Leaf& leaf,
                                              const std::string& condition, std::string* verb) const = 0;
};

// As which role `work` writes rows of `leaf` (acting_role.h).
absl::StatusOr<std::string> RoleForRows(const ActingRoles& roles, pg::Connection* connection,
                                        const RowWork& work, const Leaf& leaf);
// What comes first in a transaction that writes rows: the work's Setup, as the agent's own role, then `role`.
absl::Status BeginWrites(FencedTransaction& transaction, const ActingRoles& roles, const RowWork& work,
                         const std::string& role);
// After the rows, before the journal: the agent's own role again.
absl::Status EndWrites(FencedTransaction& transaction, const ActingRoles& roles, const std::string& role);

// Fills, changes or deletes rows as `action` says. It must outlive the object.
class DmlWork : public RowWork {
 public:
  // `table_oid` is that of action.table(); `settings` are the plan's.
  DmlWork(const v1::Backfill& action, const v1::BackfillSettings& settings, uint32_t table_oid);

  const std::string& table() const override { return action_.table(); }
  const std::string& search_path() const override { return action_.search_path(); }
  std::string Setup() const override { return setup_; }
  bool WalksAgain() const override { return action_.deletes(); }
  const std::string& pending() const override { return action_.pending(); }
  bool names_curlew() const override;
  std::vector<std::string> updated_columns() const override;
  absl::StatusOr<Written> Write(FencedTransaction& transaction, const Leaf& leaf, const Walker& walker,
                                const std::string& condition, RowLocks locks) const override;
  absl::Status Accept(FencedTransaction& transaction, const Leaf& leaf,
                      const std::string& condition) const override;
  absl::StatusOr<std::string> Culprit(pg::Connection* connection, const Leaf& leaf,
                                      const std::string& condition, std::string* verb) const override;

 private:
  // The column that says that a row is pending; "" where there is none.
  std::string Marker() const;

  const v1::Backfill& action_;
  // The setting by which our triggers know the walk's own writes.
  std::string setup_;
  std::string assignments_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKFILL_ROW_WORK_H_
