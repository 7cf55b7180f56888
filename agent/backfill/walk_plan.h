// How each heap of a table is walked.
#ifndef CURLEW_AGENT_BACKFILL_WALK_PLAN_H_
#define CURLEW_AGENT_BACKFILL_WALK_PLAN_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/backfill/row_work.h"
#include "agent/backfill/walker.h"
#include "agent/journal/journal.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// The walk of one heap. Immutable.
struct LeafWalk {
  Leaf leaf;
  std::shared_ptr<const Walker> walker;
  // A full heap has no room for new row versions where the old ones are, so that each would go elsewhere and
  // be entered into every index anew. So a range is gone through several times, a slice of its rows each
  // time: the dead rows of one pass make room, once they are pruned, for those of the next one (HOT updates).
  // The last pass takes whatever is pending still.
  int passes = 1;
  // An expression over t, 0 to passes - 1; empty for one pass.
  std::string slice;

  // Condition over t for the rows of [from, to) in a pass.
  std::string Condition(const Place& from, const Place& to, int pass) const;
};

// Decides how `leaf` is walked for `work`. `by_key` as it was decided when the walk of it began. Errors as
// FindKey and common/pg/error.h.
absl::StatusOr<std::shared_ptr<const LeafWalk>> PlanLeaf(pg::Connection* connection, const Leaf& leaf,
                                                         const RowWork& work, bool by_key);

// Whether heaps are walked by key: where the plan asks for it, and before PostgreSQL 14.
bool WalksByKey(pg::Connection* connection, v1::Walk asked);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKFILL_WALK_PLAN_H_
