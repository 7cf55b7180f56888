// The catalogue of a live database as a Schema.
#ifndef CURLEW_COMMON_PG_INTROSPECT_H_
#define CURLEW_COMMON_PG_INTROSPECT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/pg/connection.h"
#include "curlew/v1/agent.pb.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::pg {

// Reads the catalogue in one REPEATABLE READ snapshot, in a number of queries that does not depend on how
// many tables there are. All user tables where `scope` names nothing at all; a scope that names only other
// kinds of objects reads no tables. What does not exist is left out; so are aggregates, schema curlew, system
// schemas, Curlew's own triggers and columns of dropped attributes. Everything is sorted as schema.proto
// says, so that equal catalogues give equal values. Errors as in error.h; INVALID_ARGUMENT for a name that is
// none (a function's is then just not there).
absl::StatusOr<v1::Schema> ReadSchema(Connection* connection, const v1::Scope& scope);

// The same for tables alone; for all where `tables` is empty.
absl::StatusOr<v1::Schema> ReadSchema(Connection* connection, const std::vector<std::string>& tables);

// Sizes of tables, partitions summed up; of all where `tables` is empty.
absl::StatusOr<std::vector<v1::TableSize>> ReadSizes(Connection* connection,
                                                     const std::vector<std::string>& tables);

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_INTROSPECT_H_
