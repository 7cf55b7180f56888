// Reads what is no table. Of this folder alone: introspect.h is for others.
#ifndef CURLEW_COMMON_PG_INTROSPECT_OBJECTS_H_
#define CURLEW_COMMON_PG_INTROSPECT_OBJECTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/pg/connection.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::pg {

// Adds the views, functions, domains, sequences and extensions that `scope` names to `schema`, as ReadSchema
// says, and returns the OIDs of the enum types that it names. `transaction` is set up as kSettings says. Asks
// nothing about kinds that the scope does not name.
absl::StatusOr<std::vector<std::string>> ReadObjects(Transaction* transaction, const v1::Scope& scope,
                                                     v1::Schema* schema);

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_INTROSPECT_OBJECTS_H_
