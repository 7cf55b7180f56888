// The triggers that keep old and new in step. docs/dual-write.md publishes the truth table.
#ifndef CURLEW_COMMON_OPERATIONS_DUAL_WRITE_H_
#define CURLEW_COMMON_OPERATIONS_DUAL_WRITE_H_

#include <optional>
#include <string>

#include "common/operations/step_list.h"
#include "common/sql/expression.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

// How a pending row, one whose new column has not been filled, is told from others.
enum class Pending {
  kNull,    // the new column is NULL: right where NULL can mean nothing else, because it becomes NOT NULL
  kMarker,  // a boolean column says it; dropped at the end
};

// A column that is filled, and where `from` is set, kept in step with another one.
struct ColumnPair {
  const v1::Table* table = nullptr;  // before the plan; must outlive the object
  // The new column.
  std::string to;
  std::string to_type;       // as in SQL
  std::string to_collation;  // quoted; empty where it is the type's
  bool to_has_equality = true;
  Pending pending = Pending::kNull;
  sql::Expression up;  // over columns of the table
  // The old column and the way back; absent for a column that is only filled.
  const v1::Column* from = nullptr;
  std::optional<sql::Expression> down;

  // Names of Curlew's own: stable for table and column.
  std::string Marker() const;
  std::string Function() const;  // qualified
  std::string InsertTrigger() const;
  std::string UpdateTrigger() const;
};

// Whether `value` of `type` can be compared by IS DISTINCT FROM so that every change shows: true for types
// whose equal values are the same bytes.
bool EqualMeansSame(absl::string_view type, absl::string_view collation);

// ADD: the marker column's definition, or empty: "ADD COLUMN m boolean NOT NULL DEFAULT true".
sql::SqlText AddMarker(const ColumnPair& pair);

// SQL that drops triggers, function, the marker and the new column, all IF EXISTS: the undo of DUAL_WRITE.
std::vector<sql::SqlText> DropPair(const ColumnPair& pair);
// SQL that drops triggers and function only.
std::vector<sql::SqlText> DropTriggers(const ColumnPair& pair);

// Steps of DUAL_WRITE and BACKFILL: install the triggers, fill, analyse, verify.
void AppendPair(const ColumnPair& pair, StepList* steps);

// A trigger that gives `column` a value where an INSERT gives none; for columns that will be dropped.
struct InsertDefault {
  const v1::Table* table = nullptr;
  std::string column;
  sql::Expression value;
  std::string Function() const;
  std::string Trigger() const;
};
void AppendInsertDefault(const InsertDefault& fill, StepList* steps);
std::vector<sql::SqlText> DropTriggers(const InsertDefault& fill);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_DUAL_WRITE_H_
