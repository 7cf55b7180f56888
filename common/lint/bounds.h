// Bounds of partitions, as far as their texts tell. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_BOUNDS_H_
#define CURLEW_COMMON_LINT_BOUNDS_H_

#include <optional>
#include <string>
#include <vector>

#include "common/lint/session.h"

namespace curlew::lint {

// FOR VALUES ... of one partition.
struct Bound {
  char strategy = 0;  // 'r', 'l', 'h'; 'd' for DEFAULT
  // Of a range: one text for each key, "" for MINVALUE and MAXVALUE. Of a list: the values; NULL is absent.
  std::vector<std::string> from, to, values;
  bool with_null = false;
};

// The bound of a statement, and one as pg_get_expr prints it; nothing where it does not parse.
Bound BoundOf(const pg_query::PartitionBoundSpec& spec);
std::optional<Bound> ParseBound(const std::string& text);

// Whether both have a value in common; false where it cannot be told.
bool Overlap(const Bound& a, const Bound& b);

// Whether a row with this value of the key, as text, is within the bound of a key of one column; nothing
// where the texts do not tell.
std::optional<bool> Contains(const Bound& bound, const std::string& value);

// Whether the table's NOT NULLs and validated CHECKs prove that all its rows are within the bound, for the
// columns of the key by name.
bool ProvesBound(const Effects& e, const Relation& table, const Bound& bound,
                 const std::vector<std::string>& keys);

// Whether they prove that none is.
bool ExcludesBound(const Effects& e, const Relation& table, const Bound& bound,
                   const std::vector<std::string>& keys);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_BOUNDS_H_
