// The sequence of an identity column, which PostgreSQL cannot move to another column.
#ifndef CURLEW_COMMON_OPERATIONS_CARRY_IDENTITY_H_
#define CURLEW_COMMON_OPERATIONS_CARRY_IDENTITY_H_

#include <string>

#include "common/sql/sql_text.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

// A DO statement with this body.
sql::SqlText DoBlock(const sql::SqlText& body);

// Whether a sequence can give values of the type.
bool IsSequenceType(absl::string_view type);

// A statement that makes `to`, which is NOT NULL, an identity column like `from`, with a sequence that goes
// on where the old one is, under its name, with its settings and grants. To be run while the table is locked
// and before `from` is dropped.
sql::SqlText MoveIdentity(const v1::Table& table, const v1::Column& from, absl::string_view to);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_CARRY_IDENTITY_H_
