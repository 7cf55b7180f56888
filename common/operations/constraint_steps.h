// Constraints: how they come into force without a scan under a strong lock, and what is looked at before.
#ifndef CURLEW_COMMON_OPERATIONS_CONSTRAINT_STEPS_H_
#define CURLEW_COMMON_OPERATIONS_CONSTRAINT_STEPS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/operations/step_list.h"
#include "common/sql/expression.h"
#include "common/sql/identifier.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

struct CompileContext;

// " DEFERRABLE INITIALLY DEFERRED" and the like, as pg_get_constraintdef writes it; empty for the default.
sql::SqlText DeferralClause(v1::Deferral deferral);

// Whether the check of the constraint may wait for the end of the transaction, so that no foreign key can
// stand on it.
bool IsDeferrable(const v1::Constraint& constraint);

// The constraint, or FAILED_PRECONDITION naming the constraints that there are.
absl::StatusOr<const v1::Constraint*> NamedConstraint(const v1::Table& table, absl::string_view name);

// NeedsLaterStage unless the constraint is there, and the same, before the stage.
absl::Status CheckConstraintStands(const CompileContext& context, const v1::Table& table,
                                   const v1::Constraint& constraint);

// `expression` over the columns that exist now: a column that the stage adds is put in as what fills it, or
// as NULL of its type where nothing does. `table` is as before the operation.
absl::StatusOr<sql::Expression> ProjectOrNull(const CompileContext& context, const v1::Table& table,
                                              const sql::Expression& expression);

// Preflight: no partition of `table` has a constraint of that name of its own, which would be taken for the
// plan's. Nothing for tables without partitions.
void AppendConstraintNamePreflight(const v1::Table& table, absl::string_view name, StepList* steps);

// Preflight: every row satisfies the CHECK. Nothing where there are no rows to look at. `hint` says what to
// do where one does not.
absl::Status AppendCheckPreflight(const CompileContext& context, const v1::Table& table,
                                  absl::string_view name, const sql::Expression& expression,
                                  absl::string_view hint, StepList* steps);

// A foreign key.
struct ForeignKey {
  std::string name;
  std::vector<std::string> columns;
  sql::TableName referenced;
  std::vector<std::string> referenced_columns;
  // All that follows the constraint's name, as pg_get_constraintdef writes it of a valid one.
  sql::SqlText definition;
};

// Preflight: every row whose columns are all given refers to a row. Nothing where a table that the stage
// creates, or a column that nothing fills, leaves nothing to look at. Match::kFull: a row may not leave some
// of several columns NULL either.
enum class Match { kSimple, kFull };
absl::Status AppendOrphanPreflight(const CompileContext& context, const v1::Table& table,
                                   const ForeignKey& key, Match match, absl::string_view hint,
                                   StepList* steps);

// Steps that add a foreign key: NOT VALID, then validated; of a partitioned table, where PostgreSQL 15 has no
// NOT VALID ones, partition by partition, until the parent's takes them over without a scan.
void AppendForeignKey(const v1::Table& table, const ForeignKey& key, StepList* steps);

// Steps that add a UNIQUE constraint `name` over an index built concurrently by `create_index`; on a
// partitioned table one step that builds both partition by partition.
void AppendUnique(const v1::Table& table, absl::string_view name, const sql::SqlText& create_index,
                  v1::Deferral deferral, StepList* steps);
void AppendUnique(const v1::Table& table, absl::string_view name, const sql::SqlText& create_index,
                  StepList* steps);

// A step that adds a constraint NOT VALID by `add`, and the same with one that validates it.
void AppendNotValid(const v1::Table& table, absl::string_view name, const sql::SqlText& add, StepList* steps);
void AppendValidated(const v1::Table& table, absl::string_view name, const sql::SqlText& add,
                     StepList* steps);

// The step that validates a constraint that stands.
v1::Step* AppendValidate(const v1::Table& table, absl::string_view name, StepList* steps);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_CONSTRAINT_STEPS_H_
