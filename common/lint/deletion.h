// DROP and what goes with it, as PostgreSQL's dependency.c finds it. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_DELETION_H_
#define CURLEW_COMMON_LINT_DELETION_H_

#include <map>
#include <vector>

#include "absl/status/status.h"
#include "common/lint/session.h"

namespace curlew::lint {

enum class Behaviour { kRestrict, kCascade };

// Finds everything that depends on `objects`, with the locks that finding and dropping it takes, and removes
// it from the catalogue. Fails with 2BP01 where something else needs them and `behaviour` is kRestrict; the
// locks taken until then stay. Algorithm: performMultipleDeletions of src/backend/catalog/dependency.c.
absl::Status Delete(Effects& e, const std::vector<Address>& objects, Behaviour behaviour);

// What an object is called in a message: "view order_summary".
std::string Describe(const Effects& e, const Address& object);

// DROP ... of every kind.
absl::Status LintDrop(Effects& e, const pg_query::DropStmt& drop);
absl::Status LintDropOwned(Effects& e, const pg_query::DropOwnedStmt& drop);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_DELETION_H_
