// Columns that a plan makes, as the catalogue will show them.
#ifndef CURLEW_COMMON_OPERATIONS_NEW_COLUMN_H_
#define CURLEW_COMMON_OPERATIONS_NEW_COLUMN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/operations/operation.h"
#include "common/sql/expression.h"
#include "common/sql/sql_text.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

// A column without anything but name, type and collation, as a plan writes them. INVALID_ARGUMENT where the
// type or the collation is none, or is serial.
absl::StatusOr<v1::Column> MakeColumn(absl::string_view name, absl::string_view type,
                                      absl::string_view collation);

// OK unless columns of `type` cannot be identity columns.
absl::Status CheckIdentityType(absl::string_view type);
// "GENERATED ALWAYS AS IDENTITY".
sql::SqlText IdentityClause(v1::Identity identity);
// "always" or "by default", as the schema writes it; empty where there is none.
std::string IdentityName(v1::Identity identity);

// OK unless `generated` cannot be the expression of a generated column of `table`: it names generated columns
// or columns that are not there.
absl::Status CheckGenerated(const v1::Table& table, const sql::Expression& generated);
// Notes at the columns that `generated` names that `column` depends on them.
void AddGeneratedDependents(const sql::Expression& generated, absl::string_view column, v1::Table* table);

// OK where the column is one whose default can be set or dropped: identity and generated columns have none.
absl::Status CheckHasDefaults(const v1::Table& table, const v1::Column& column);

// Whether the column is not there any more, or another one has taken its place, after the stage.
bool LeavesInStage(const CompileContext& context, const sql::TableName& table, absl::string_view column);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_NEW_COLUMN_H_
