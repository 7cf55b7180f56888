// What a statement names, and so may depend on or change. Of this folder alone.
#ifndef CURLEW_COMMON_FROM_SQL_FOOTPRINT_H_
#define CURLEW_COMMON_FROM_SQL_FOOTPRINT_H_

#include "absl/strings/string_view.h"
#include "common/from_sql/known.h"
#include "common/from_sql/piece.h"

namespace curlew::from_sql {

// The objects that a tree names: relations, types and functions that are not PostgreSQL's own, schemas.
Keys Footprint(const google::protobuf::Message& tree, const Known& known);

// Of `known_keys`, those whose names stand in a text: a body of a function. By names alone, so rather too
// many.
Keys NamedIn(absl::string_view text, const Keys& known_keys);

// Whether it is a function of PostgreSQL's own, or of a common extension, that changes nothing. What it does
// not know may change anything.
bool IsHarmlessFunction(const pg_query::FuncCall& call);

// Whether `name` is a type of PostgreSQL's own.
bool IsBuiltInType(absl::string_view name);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_FOOTPRINT_H_
