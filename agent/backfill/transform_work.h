// Rows of a table, read in batches and written by a statement of a plan's author.
#ifndef CURLEW_AGENT_BACKFILL_TRANSFORM_WORK_H_
#define CURLEW_AGENT_BACKFILL_TRANSFORM_WORK_H_

#include <memory>
#include <string>
#include <vector>

#include "agent/backfill/row_work.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// Runs action.statement() over rows as `batch`. For walks by key only: there is no sign on a row that it was
// written, so each must be met once.
//
// A batch locks its rows, passing over those that others hold; then looks, by a later snapshot, which rows of
// the part it does not hold; then runs the statement over exactly those that it holds. So when it commits
// each row that the look saw was either written, or is put aside by its key. What comes into the part after
// the look comes behind the walk; so does a row under a new key, which is a new row.
//
// Rows are those that were read, not what the statement made of them.
class TransformWork : public RowWork {
 public:
  // Reads what `batch` looks like now: the columns in the order of the table, whatever that of its partitions
  // is. `action` must outlive the object. NOT_FOUND; INVALID_ARGUMENT where the statement is none that a
  // batch can be given to.
  static absl::StatusOr<std::unique_ptr<TransformWork>> Make(pg::Connection* connection,
                                                             const v1::TransformRows& action);

  const std::string& table() const override { return action_.table(); }
  const std::string& search_path() const override { return action_.search_path(); }
  std::string Setup() const override;
  const std::string& pending() const override { return action_.condition(); }
  std::vector<std::string> key() const override { return {action_.key().begin(), action_.key().end()}; }
  std::vector<std::string> others() const override;
  bool names_curlew() const override;
  // Never waits for a row of the table, whatever `locks` says. Does nothing where it gets none, or too many
  // are held by others to be put aside one by one.
  absl::StatusOr<Written> Write(FencedTransaction& transaction, const Leaf& leaf, const Walker& walker,
                                const std::string& condition, RowLocks locks) const override;
  // Nothing needs to be done: the row is not written.
  absl::Status Accept(FencedTransaction&, const Leaf&, const std::string&) const override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> Culprit(pg::Connection* connection, const Leaf& leaf,
                                      const std::string& condition, std::string* verb) const override;

 private:
  TransformWork(const v1::TransformRows& action, std::vector<std::string> columns, std::string row_lock);
  // SQL: the statement over the rows at places `array` of `leaf`.
  std::string Statement(const Leaf& leaf, const std::string& array) const;

  const v1::TransformRows& action_;
  std::string columns_;   // "t.a, t.b"
  std::string row_lock_;  // what the statement may do to a row of `batch`
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKFILL_TRANSFORM_WORK_H_
