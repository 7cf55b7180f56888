// Enum types and domains in a schema: shared by the operations on them.
#ifndef CURLEW_COMMON_OPERATIONS_NAMED_TYPE_H_
#define CURLEW_COMMON_OPERATIONS_NAMED_TYPE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/sql/expression.h"
#include "common/sql/identifier.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

// A scope of one type.
v1::Scope TypeScope(absl::string_view name);

// INVALID_ARGUMENT unless PostgreSQL takes it as a value of an enum type: 1 to 63 bytes.
absl::Status CheckEnumValue(absl::string_view value);

// The enum type, or the domain, of that name. FAILED_PRECONDITION where it is not there or is another kind of
// type.
absl::StatusOr<v1::EnumType*> NamedEnum(v1::Schema* schema, const sql::TableName& name);
absl::StatusOr<v1::Domain*> NamedDomain(v1::Schema* schema, const sql::TableName& name);

bool HasLabel(const v1::EnumType& type, absl::string_view label);
// "'a', 'b'", for messages.
std::string Labels(const v1::EnumType& type);

// Reads the expression of a domain's CHECK. INVALID_ARGUMENT where it names anything but VALUE.
absl::StatusOr<sql::Expression> ParseDomainCheck(absl::string_view expression);

// Adds a CHECK to `domain`, valid, as the catalogue will show it. FAILED_PRECONDITION where the name is
// taken.
absl::Status AddDomainCheck(absl::string_view name, const sql::Expression& expression, v1::Domain* domain);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_NAMED_TYPE_H_
