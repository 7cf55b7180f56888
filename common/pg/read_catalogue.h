// Reads what lint wants to know of a database.
#ifndef CURLEW_COMMON_PG_READ_CATALOGUE_H_
#define CURLEW_COMMON_PG_READ_CATALOGUE_H_

#include "absl/status/statusor.h"
#include "common/lint/catalogue.h"
#include "common/pg/connection.h"

namespace curlew::pg {

// The whole catalogue, in one READ ONLY snapshot. No user's table is read; each is locked for the instant in
// which the size of its file is asked for (ACCESS SHARE), and where somebody holds one exclusively the size
// that ANALYZE noted is taken for all. Any role may; sizes and definitions of what it has no rights on are
// there too. Statuses as in error.h.
absl::StatusOr<lint::Catalogue> ReadCatalogue(Connection* connection);

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_READ_CATALOGUE_H_
