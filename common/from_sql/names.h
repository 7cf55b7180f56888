// Names that PostgreSQL gives by itself, as PostgreSQL 15 chooses them (makeObjectName, ChooseRelationName,
// ChooseIndexName, ChooseConstraintName, ChooseForeignKeyConstraintNameAddition).
#ifndef CURLEW_COMMON_FROM_SQL_NAMES_H_
#define CURLEW_COMMON_FROM_SQL_NAMES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "pg_query.pb.h"

namespace curlew::from_sql {

// Whether a name is in use where the new one is to stand.
using IsTaken = std::function<bool(const std::string&)>;

// "name1_name2_label" in 63 bytes at most: the longer of the two names is cut, no character in two. `name2`
// may be empty.
std::string MakeObjectName(absl::string_view name1, absl::string_view name2, absl::string_view label);

// The same, with a number after the label where the name is taken: t_a_idx, t_a_idx1, ...
std::string ChooseName(absl::string_view name1, absl::string_view name2, absl::string_view label,
                       const IsTaken& taken);

// The middle of an index's or foreign key's name: columns joined by "_", as long as there is room.
std::string NameAddition(const std::vector<std::string>& columns);

// What an index calls its keys, INCLUDE columns too: the column, or what the expression is called, and a
// number after a name that comes again.
std::vector<std::string> IndexColumnNames(const google::protobuf::RepeatedPtrField<pg_query::Node>& keys,
                                          const google::protobuf::RepeatedPtrField<pg_query::Node>& include);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_NAMES_H_
