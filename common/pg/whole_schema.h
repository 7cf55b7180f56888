// The whole catalogue, not only what a plan names.
#ifndef CURLEW_COMMON_PG_WHOLE_SCHEMA_H_
#define CURLEW_COMMON_PG_WHOLE_SCHEMA_H_

#include "absl/status/statusor.h"
#include "common/pg/connection.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::pg {

// A scope that names every table, view, function, type, sequence and extension of the database, without those
// of PostgreSQL, of Curlew and of extensions.
absl::StatusOr<v1::Scope> ScopeOfAll(Connection* connection);

// ReadSchema of that. Functions have the names that plans have for them: "public.f(integer, text)".
absl::StatusOr<v1::Schema> ReadWholeSchema(Connection* connection);

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_WHOLE_SCHEMA_H_
