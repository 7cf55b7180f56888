// What hangs on a column, and may not go with it unseen.
#ifndef CURLEW_COMMON_OPERATIONS_DEPENDENTS_H_
#define CURLEW_COMMON_OPERATIONS_DEPENDENTS_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/operations/step_list.h"
#include "curlew/v1/schema.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::operations {

// Whether a repeated field of names holds `name`.
template <typename Names>
bool Holds(const Names& names, absl::string_view name) {
  for (const auto& n : names) {
    if (n == name) return true;
  }
  return false;
}

// What an operation does with a primary key on the column.
enum class PrimaryKey { kRefused, kCarried };

// FAILED_PRECONDITION, naming the first one, where something stands on the column that no operation can carry
// or drop: the partition key, the primary key, replica identity, triggers, policies, publication lists,
// foreign keys of others, views, functions, generated columns.
absl::Status CheckNothingFixed(const v1::Table& table, const v1::Column& column,
                               PrimaryKey primary_key = PrimaryKey::kRefused);

// OK where every name in `discard` is an index, constraint or statistics object that uses the column.
absl::Status CheckDiscard(const v1::Table& table, const v1::Column& column,
                          const std::set<std::string>& discard);

// For a column that is dropped: CheckNothingFixed, and objects over several columns only go where `discard`
// names them.
absl::Status CheckDropped(const v1::Table& table, const v1::Column& column,
                          const std::set<std::string>& discard);

// Preflight for a column that is dropped: nothing stands on it in a partition alone, where the snapshot of
// the table does not tell. It would go unseen, or keep the column from going.
void AppendPartitionsPreflight(const v1::Table& table, absl::string_view column, StepList* steps);

// For columns that go while others take their values: every object on one of them has to stand in `discard`,
// and everything in `discard` on one of them.
absl::Status CheckAllDiscarded(const v1::Table& table, const std::vector<const v1::Column*>& columns,
                               const std::set<std::string>& discard);

// Takes the column out of `table`, with everything that PostgreSQL drops along with it.
void RemoveColumn(v1::Table* table, absl::string_view column);

// Dropping a foreign key locks the table that it references, too: notes those of the column in `work`.
void AppendReferencedLocks(const v1::Table& table, absl::string_view column, TableWork* work);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_DEPENDENTS_H_
