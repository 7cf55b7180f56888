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

// Reads the catalogue in one REPEATABLE READ snapshot, in a fixed number of queries however many tables there
// are. `tables` are names as plans write them ("contacts", "crm.contacts", quoted where needed; schema public
// by default); empty for all user tables. A table that does not exist is left out. Schema curlew, system
// schemas, Curlew's own triggers and columns of dropped attributes are left out. Everything is sorted as
// schema.proto says, so that equal catalogues give equal values. Errors as in error.h.
absl::StatusOr<v1::Schema> ReadSchema(Connection* connection, const std::vector<std::string>& tables);

// Sizes of the same tables, partitions summed up.
absl::StatusOr<std::vector<v1::TableSize>> ReadSizes(Connection* connection,
                                                     const std::vector<std::string>& tables);

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_INTROSPECT_H_
