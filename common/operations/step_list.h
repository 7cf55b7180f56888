// The steps that an operation compiles to.
#ifndef CURLEW_COMMON_OPERATIONS_STEP_LIST_H_
#define CURLEW_COMMON_OPERATIONS_STEP_LIST_H_

#include <deque>
#include <string>
#include <vector>

#include "common/operations/table_work.h"
#include "common/sql/sql_text.h"
#include "curlew/v1/step.pb.h"

namespace curlew::operations {

// Lock modes that steps take, by PostgreSQL's names.
inline constexpr char kAccessExclusive[] = "AccessExclusiveLock";
inline constexpr char kShareRowExclusive[] = "ShareRowExclusiveLock";
inline constexpr char kShare[] = "ShareLock";
inline constexpr char kShareUpdateExclusive[] = "ShareUpdateExclusiveLock";
inline constexpr char kRowExclusive[] = "RowExclusiveLock";
inline constexpr char kRowShare[] = "RowShareLock";
inline constexpr char kAccessShare[] = "AccessShareLock";

// Collects steps, warnings and shapes in the order in which operations give them; the compiler puts them in
// order of phases. Not thread-safe.
class StepList {
 public:
  // Adds a step. The pointer lives as long as the list is not added to.
  v1::Step* Add(v1::Phase phase, std::string title);
  // Adds a step of DROP that comes after the finishing transactions of all tables of the stage.
  v1::Step* AddLast(std::string title);
  // Adds a step that looks at data before anything is changed.
  v1::Step* AddPreflight(std::string title);
  void Warn(std::string warning) { warnings_.push_back(std::move(warning)); }
  // What must not be used any more before DROP, or before a rollback; "" for `column` means the table, or
  // view, as a whole.
  void OldShape(const sql::TableName& table, absl::string_view column) {
    old_shape_.push_back({table, std::string(column)});
  }
  void NewShape(const sql::TableName& table, absl::string_view column) {
    new_shape_.push_back({table, std::string(column)});
  }

  // What the operation wants of the dual write, backfill and finishing transaction of `table` (as it is
  // before the stage); made empty at the first call. The pointer lives as long as the list.
  TableWork* Work(const v1::Table& table);

  struct Use {
    sql::TableName table;
    std::string column;
  };
  std::vector<v1::Step>& steps() { return steps_; }
  std::vector<v1::Step>& last_steps() { return last_steps_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  const std::vector<Use>& old_shape() const { return old_shape_; }
  const std::vector<Use>& new_shape() const { return new_shape_; }
  const std::deque<TableWork>& works() const { return works_; }

 private:
  std::vector<v1::Step> steps_, last_steps_;
  std::vector<std::string> warnings_;
  std::vector<Use> old_shape_, new_shape_;
  std::deque<TableWork> works_;  // by table, in the order of the first call
};

// Fills `action` with transactional statements.
void SetSql(v1::Action* action, const std::vector<sql::SqlText>& statements);

// Notes that `step` takes `mode` on `table`.
void AddLock(v1::Step* step, const sql::TableName& table, const char* mode);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_STEP_LIST_H_
