// The way round that ORMs take to change the values of an enum type. Of this folder alone.
#ifndef CURLEW_COMMON_FROM_SQL_ENUM_DANCE_H_
#define CURLEW_COMMON_FROM_SQL_ENUM_DANCE_H_

#include <vector>

#include "common/from_sql/piece.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::from_sql {

// Finds, in the pieces of a whole script, the four steps by which a type `mood` gets other values:
//   CREATE TYPE mood_new; columns -> mood_new; mood RENAME TO mood_old; mood_new RENAME TO mood; DROP
//   mood_old mood RENAME TO mood_old; CREATE TYPE mood; columns -> mood; DROP mood_old
// and makes operations of them: add_enum_value where values were only added to those that `schema` (which may
// be nullptr) has; else create_enum, change_type, drop_type, and one `sql` that gives the new type its name.
// The pieces of a dance form a group.
void ReadEnumDances(const v1::Schema* schema, std::vector<Piece>* pieces);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_ENUM_DANCE_H_
