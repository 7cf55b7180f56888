// What a libpq connection string says, without connecting.
#ifndef CURLEW_COMMON_PG_CONNINFO_H_
#define CURLEW_COMMON_PG_CONNINFO_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace curlew::pg {

// `conninfo` (a libpq connection string or URI) with those of `settings` (keyword and value) that it does not
// give itself. INVALID_ARGUMENT where libpq cannot read it; no message holds any of its text.
absl::StatusOr<std::string> WithDefaults(const std::string& conninfo,
                                         const std::vector<std::pair<std::string, std::string>>& settings);

// For people and logs: "postgresql://user@host:port/database", made of these parts alone, so that it holds no
// password wherever in `conninfo` one stands. Parts that are not given are left out; several hosts stand with
// commas; a socket's folder stands as "?host=". Errors as above.
absl::StatusOr<std::string> PublicName(const std::string& conninfo);

// What `conninfo` says, as environment variables of libpq (PGHOST, PGPASSWORD, ...), for a program that is to
// connect in the same way: command lines are read by everybody. Settings for which libpq has no variable
// (keepalives) are left out. Errors as above.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> Environment(const std::string& conninfo);

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_CONNINFO_H_
