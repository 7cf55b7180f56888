// What ATTACH PARTITION and CREATE TABLE ... PARTITION OF share. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_PARTITION_H_
#define CURLEW_COMMON_LINT_PARTITION_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/lint/bounds.h"
#include "common/lint/session.h"

namespace curlew::lint {

// The names of the columns of a partition key; "" for an expression.
std::vector<std::string> KeyColumns(const Relation& partitioned);

// The default partition is locked and, unless its constraints exclude the bound, read.
void LockOverParts(Effects& e, Oid parent, const Bound& bound);

// Fails where another partition has rows of the bound, as far as that can be told.
absl::Status CheckOverlap(Effects& e, Oid parent, const Bound& bound, absl::string_view name);

// Whether a partition's index can be the part of `wanted`, an index of its parent.
bool ServesParent(const Catalogue& c, const Relation& own, const Relation& wanted);

// The part gets an index for each of the parent's, its own where one fits.
absl::Status EnsureIndexes(Effects& e, Oid parent, Oid part);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_PARTITION_H_
