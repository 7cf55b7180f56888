// What a change of a value's type costs. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_COERCION_H_
#define CURLEW_COMMON_LINT_COERCION_H_

#include "common/lint/catalogue.h"
#include "common/lint/session.h"

namespace curlew::lint {

// How a value comes from one type to another: not at all, without touching its bytes, or by a function.
enum class Coercion { kImpossible, kSameBytes, kComputed };

// Judges a conversion in the context of an assignment ('a') or of a written cast ('e'), lengths included. A
// type that is not known (0) counts as kComputed. Algorithm: coerce_to_target_type of parse_coerce.c, with
// the support functions that see through lengths that only grow; timestamp and timestamptz are the same bytes
// in a session whose time zone is UTC.
Coercion Coerce(const Session& session, TypeUse from, TypeUse to, char context);

// The element type of an array; 0 for what is none.
Oid ElementOf(const Catalogue& c, Oid type);

// The operator class that an index of a method gets for a type by itself; 0 where there is none.
Oid DefaultOpclass(const Catalogue& c, Oid type, Oid method);

// Whether the operator class takes any array, enum or range.
bool IsPolymorphic(const Catalogue& c, Oid opclass);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_COERCION_H_
