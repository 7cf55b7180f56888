// Queries that people write over the catalogue: IF NOT EXISTS (SELECT FROM information_schema...).
#ifndef CURLEW_COMMON_SQL_CATALOGUE_QUERY_H_
#define CURLEW_COMMON_SQL_CATALOGUE_QUERY_H_

#include "absl/strings/string_view.h"

namespace curlew::sql {

// Whether `query`, one SELECT, reads nothing but pg_catalog and information_schema and calls
// nothing but harmless functions of PostgreSQL's own: it may be asked of any server. False where it does not
// parse. Thread-safe.
bool ReadsCataloguesAlone(absl::string_view query);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_CATALOGUE_QUERY_H_
