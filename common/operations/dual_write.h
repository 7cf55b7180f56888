// The trigger function that keeps the columns of one table in step, and the steps around it.
// docs/dual-write.md publishes the truth table.
#ifndef CURLEW_COMMON_OPERATIONS_DUAL_WRITE_H_
#define CURLEW_COMMON_OPERATIONS_DUAL_WRITE_H_

#include <optional>
#include <string>
#include <vector>

#include "common/operations/step_list.h"
#include "common/operations/table_work.h"

namespace curlew::operations {

// Whether `value` of `type` can be compared by IS DISTINCT FROM so that every change shows: true for types
// whose equal values are the same bytes.
bool EqualMeansSame(absl::string_view type, absl::string_view collation);

// Dual write and backfill of one table. Names of Curlew's own are stable for the table. Immutable but for
// the work that it refers to.
class DualWrite {
 public:
  // `work` must outlive the object.
  explicit DualWrite(const TableWork& work);

  // Whether there is anything to keep in step, to fill or to give a value to.
  bool Needed() const;
  // The boolean column that says that a row is still pending; empty where NULL in a new column says it.
  const std::string& marker() const { return marker_; }
  // "ADD COLUMN m boolean NOT NULL DEFAULT true", or empty.
  sql::SqlText AddMarker() const;

  // Sequences that move with each statement that writes the old, or the new, shape: qualified, quoted names.
  // Empty where nothing is kept in step.
  std::string OldCounter() const;
  std::string NewCounter() const;

  // SQL that drops triggers, functions and counters, all IF EXISTS.
  std::vector<sql::SqlText> DropTriggers() const;

  // Steps of DUAL_WRITE: the triggers; the undo drops them together with the new columns.
  void AppendInstall(StepList* steps) const;
  // Steps of BACKFILL: fill, analyse, verify. Nothing without links.
  void AppendBackfill(StepList* steps) const;
  // The step of DROP that ends it all in one transaction: without its triggers a pair would part, without its
  // column a trigger would fail. Nothing where there is nothing to end.
  void AppendFinish(StepList* steps) const;

 private:
  sql::SqlText PendingOf(absl::string_view row) const;
  sql::SqlText LinkBody(const Link& link, int number) const;
  sql::SqlText Body() const;
  sql::SqlText UpdateWhen() const;
  // What fills the rows that are pending.
  v1::Backfill Fill() const;
  void AppendVerify(StepList* steps) const;
  bool Counts() const;
  // Whether columns are numbered and nothing else is done.
  bool OnlyNumbers() const;
  std::vector<const NewColumn*> Numbered() const;
  std::string HashOf(const NewColumn& column) const;

  const TableWork& work_;
  const std::string hash_;
  std::string marker_;
};

// The triggers' parts that do not depend on what they compute; also for changes in place.

// `place` := expression, for the value of `column`, with an error that names column, row and expression.
// `which` is the field of the plan that it comes from.
sql::SqlText Assign(const v1::Table& table, const sql::SqlText& place, absl::string_view column,
                    const sql::Expression& expression, const char* which);
sql::SqlText CreateTriggerFunction(absl::string_view function, const v1::Table& table,
                                   const sql::SqlText& body);
// A BEFORE ROW trigger; `when` may be empty.
sql::SqlText CreateRowTrigger(absl::string_view trigger, const char* event, const sql::TableName& table,
                              const sql::SqlText& when, absl::string_view function);
// Makes `step` a look at every row of the table, of which `description` says that none is pending; what is
// left is filled by `fill`. Further checks may be added to the scan, which belongs to the step.
v1::RowScan* SetRowScan(const v1::Table& table, const std::string& description, const v1::Backfill& fill,
                        v1::Step* step);
// The step after rows of the table were walked: statistics, and VACUUM where it is bloated.
void AppendAnalyzeAfterWalk(const v1::Table& table, v1::Phase phase, StepList* steps);
// Preflight: no table inherits from a plain `table`, whose triggers would not see the rows of its children.
void AppendNoChildrenPreflight(const v1::Table& table, StepList* steps);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_DUAL_WRITE_H_
