// What INSERT, UPDATE and DELETE do to a table beside its own lock. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_WRITE_H_
#define CURLEW_COMMON_LINT_WRITE_H_

#include "absl/status/status.h"
#include "common/lint/session.h"

namespace curlew::lint {

// Fails where the write names columns that the table lacks, or gives values to ones that compute their own.
absl::Status CheckColumns(Effects& e, const pg_query::Node& node, Oid target);

// Sequences of defaults, the other side of foreign keys, triggers, rows that foreign keys wait for.
absl::Status LintWrite(Effects& e, const pg_query::Node& node, const Relation& target);

// An INSERT into a partitioned table locks the partitions that its rows go to. Fails where there is none.
absl::Status LockRoutes(Effects& e, const pg_query::InsertStmt& insert, Oid target);

// Whether an UPDATE may move rows to other partitions.
bool ChangesKey(const pg_query::Node& node, const Relation& partitioned);

// Whether a foreign key references the table.
bool IsReferenced(const Effects& e, Oid table);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_WRITE_H_
