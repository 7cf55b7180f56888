// Indexes: what their definitions say, what stands on them, and the steps that build them.
#ifndef CURLEW_COMMON_OPERATIONS_INDEX_STEPS_H_
#define CURLEW_COMMON_OPERATIONS_INDEX_STEPS_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/operations/step_list.h"
#include "common/sql/expression.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

struct CompileContext;

// The access method that a plan means; btree where it names none.
std::string MethodOf(absl::string_view method);

// What the definition of an index says.
struct IndexShape {
  std::vector<std::string> keys;  // columns, in order; "" for an expression
  std::vector<std::string> include;
  sql::SqlText options;  // " WITH (fillfactor = '70')", or empty
  bool unique = false;
  bool partial = false;
  bool nulls_not_distinct = false;

  // Whether it says of exactly these columns, in any order, that no two rows share them: unique, over these
  // columns as they are, for all rows.
  bool MakesUnique(const std::set<std::string>& columns) const;
};

// Reads `definition` (of pg_get_indexdef, or CREATE INDEX as an operation writes it). INTERNAL where it
// cannot be read.
absl::StatusOr<IndexShape> ReadIndex(absl::string_view definition);

// The index, or FAILED_PRECONDITION naming the indexes that there are.
absl::StatusOr<const v1::Index*> NamedIndex(const v1::Table& table, absl::string_view name);

// NeedsLaterStage unless the index is there, and the same, before the stage: until the stage is over, another
// one has its name or there is none.
absl::Status CheckIndexStands(const CompileContext& context, const v1::Table& table, const v1::Index& index);

// OK unless `name` belongs, before the stage, to a relation that the snapshot knows in the schema of `table`:
// names of indexes are shared with tables, views and sequences there. NeedsLaterStage otherwise. What the
// snapshot does not know is left to AppendIndexNamePreflight.
absl::Status CheckRelationNameIsFree(const CompileContext& context, const v1::Table& table,
                                     absl::string_view name);

// Whether rows of a partitioned `table` can be kept unique over `columns`: PostgreSQL keeps them so partition
// by partition, so that the columns have to hold those of the partition key. FAILED_PRECONDITION where not.
// OK for other tables.
absl::Status CheckHoldsPartitionKey(const v1::Table& table, absl::string_view object,
                                    const std::vector<std::string>& columns);

// For an index that goes, with `object` as its name for messages: FAILED_PRECONDITION where a foreign key, or
// the replica identity, stands on it. Where another index makes the same columns unique, only the catalogue
// knows on which of both a foreign key stands: then a preflight asks.
absl::Status CheckIndexMayGo(const CompileContext& context, const v1::Table& table, const v1::Index& index,
                             absl::string_view object, StepList* steps);

// Gives the index another name, in its definition and in the table's replica identity too. INTERNAL where the
// definition cannot be read.
absl::Status RenameIndexIn(v1::Table* table, const std::string& from, const std::string& to);

// A step that renames an index, and the constraint that it belongs to; only the index is locked. The undo
// renames it back where it was renamed.
void AppendIndexRename(const v1::Table& table, const std::string& from, const std::string& to,
                       std::string title, StepList* steps);

// Preflight: nothing in the table's schema has the name of an index that the plan builds. It may stand on any
// table, so that the snapshot does not tell; the undo would drop it.
void AppendIndexNamePreflight(const v1::Table& table, absl::string_view name, StepList* steps);

// Preflight: the server knows NULLS NOT DISTINCT.
void AppendNullsNotDistinctPreflight(const v1::Table& table, absl::string_view name, StepList* steps);

// Preflights for an index of a partitioned table: no partition is a foreign table, and, where `unique_over`
// is given, it holds the partition keys of partitions that are partitioned again. Nothing for other tables.
void AppendPartitionedIndexPreflights(const v1::Table& table, absl::string_view name,
                                      const std::optional<std::vector<std::string>>& unique_over,
                                      StepList* steps);

// What a unique index keeps apart.
struct UniqueKeys {
  struct Key {
    sql::Expression value;
    std::string collation;  // as SQL; empty where it is the value's own
  };
  std::vector<Key> keys;
  std::optional<sql::Expression> predicate;  // absent for all rows
  bool nulls_not_distinct = false;
};

// Preflight: no two rows will have the same values in the keys, as far as the predicate holds; NULLs collide
// only where the index says so. Nothing where there are no rows to look at. `table` is as before the
// operation.
absl::Status AppendUniquePreflight(const CompileContext& context, const v1::Table& table,
                                   absl::string_view name, const UniqueKeys& keys, StepList* steps);
// The same for columns.
absl::Status AppendUniquePreflight(const CompileContext& context, const v1::Table& table,
                                   absl::string_view name, const std::vector<std::string>& columns,
                                   const std::optional<sql::Expression>& predicate, StepList* steps);

// A step that builds an index by `create` (CREATE [UNIQUE] INDEX CONCURRENTLY ... ON ...), of a partitioned
// table partition by partition; the undo drops it.
v1::Step* AppendIndex(const v1::Table& table, absl::string_view name, const sql::SqlText& create,
                      v1::Phase phase, StepList* steps);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_INDEX_STEPS_H_
