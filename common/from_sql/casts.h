// Casts between types: what a type's change needs for its way back. Of this folder alone.
#ifndef CURLEW_COMMON_FROM_SQL_CASTS_H_
#define CURLEW_COMMON_FROM_SQL_CASTS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "curlew/v1/plan.pb.h"

namespace curlew::from_sql {

// Whether PostgreSQL has an explicit cast between the two, as far as their names tell. True for types of
// users, about which nothing is known, only where the other is a text.
bool HasCast(absl::string_view from, absl::string_view to);

// The expression that brings the value of before back, for `change` of a column of type `from` ("" where that
// is not known); empty where a plain cast does, or none can be told. Of "column::text::new" it is
// "column::text::old", which works between any two types that have the same words.
std::string WayBack(absl::string_view column, absl::string_view from, const v1::ChangeType& change);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_CASTS_H_
