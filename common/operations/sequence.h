// Sequences in a schema: shared by the operations on them.
#ifndef CURLEW_COMMON_OPERATIONS_SEQUENCE_H_
#define CURLEW_COMMON_OPERATIONS_SEQUENCE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/sql/identifier.h"
#include "common/sql/sql_text.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

// A scope of one sequence.
v1::Scope SequenceScope(absl::string_view name);

// The sequence, or FAILED_PRECONDITION.
absl::StatusOr<v1::Sequence*> NamedSequence(v1::Schema* schema, const sql::TableName& name);

// A sequence of `type` ("bigint", "integer", "smallint") with PostgreSQL's defaults for what `settings` leave
// open. INVALID_ARGUMENT for another type.
absl::StatusOr<v1::Sequence> NewSequence(absl::string_view type, const v1::SequenceSettings& settings);

// Gives `sequence` what `settings` hold.
void ApplySettings(const v1::SequenceSettings& settings, v1::Sequence* sequence);

// INVALID_ARGUMENT where PostgreSQL would refuse the settings: a step of 0, limits that cross.
absl::Status CheckSequence(const v1::Sequence& sequence);

// Which settings SequenceClauses writes.
enum class Clauses { kAll, kWithoutLimits /* nor the start, which lies between them */ };

// Those of `sequence`'s values that `settings` hold, as clauses of CREATE and ALTER SEQUENCE, with a space
// before each.
sql::SqlText SequenceClauses(const v1::Sequence& sequence, const v1::SequenceSettings& settings,
                             Clauses which = Clauses::kAll);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_SEQUENCE_H_
