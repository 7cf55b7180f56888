// What a statement is about: by that an agent finds whose rights it is run with.
#ifndef CURLEW_COMMON_SQL_SUBJECT_H_
#define CURLEW_COMMON_SQL_SUBJECT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/sql/identifier.h"

namespace curlew::sql {

// What one statement changes or makes. Names without a schema are read as those of schema public.
struct Subject {
  enum class Kind {
    // Neither of the others: it drops, renames or comments what is no table, grants, asks, or is a DO block.
    kOther,
    // It changes, indexes or writes a relation (table, view, sequence, index, composite type) that exists.
    kRelation,
    // It makes a relation or a type.
    kNewRelation,
    // It makes a function, procedure or aggregate, or replaces it.
    kNewRoutine,
  };
  Kind kind = Kind::kOther;
  // The relation, type or routine; empty for kOther.
  TableName name;
  // Relations that it names besides. Of a new table those that it is a partition of, inherits from, or is
  // made like; of a new view those that it reads.
  std::vector<TableName> others;
  // Whether it names something in schema curlew.
  bool names_curlew = false;
};

// INVALID_ARGUMENT where it is not one statement that PostgreSQL 15's grammar knows. Thread-safe.
absl::StatusOr<Subject> SubjectOf(absl::string_view statement);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_SUBJECT_H_
