// How the rows of one heap are put in an order and cut into parts.
#ifndef CURLEW_AGENT_BACKFILL_WALKER_H_
#define CURLEW_AGENT_BACKFILL_WALKER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/journal/journal.h"
#include "common/pg/connection.h"
#include "curlew/v1/plan.pb.h"

namespace curlew::agent {

// A place in the order of a walk, in a form that the journal keeps. "" lies before all rows.
using Place = std::string;

// Cuts a heap into parts: half-open ranges of places. Immutable; thread-safe but for the connections that it
// is given. Errors as in common/pg/error.h.
class Walker {
 public:
  virtual ~Walker() = default;

  virtual v1::Walk kind() const = 0;
  // Place behind all rows that the walk has to look at, read now.
  virtual absl::StatusOr<Place> Bound(pg::Connection* connection, const Leaf& leaf) const = 0;
  // SQL condition over t: the rows of a part.
  virtual std::string Condition(const Place& from, const Place& to) const = 0;
  // The row of a part of one row, by a name of its own; nothing where it has gone.
  virtual absl::StatusOr<std::optional<Place>> RowIn(pg::Connection* connection, const Leaf& leaf,
                                                     const Place& from, const Place& to) const = 0;
  // SQL condition over t: the row of that name.
  virtual std::string RowCondition(const Place& row) const = 0;
  // SQL condition over t: none of `rows`.
  virtual std::string Excluding(const std::vector<Place>& rows) const = 0;

  // The end of a part that begins at `from`, is about `units` large, and does not go beyond `end`.
  virtual absl::StatusOr<Place> Advance(pg::Connection* connection, const Leaf& leaf, const Place& from,
                                        const Place& end, int64_t units) const = 0;
  // A place between, so that both parts are smaller; nothing where the part holds one row at most.
  virtual absl::StatusOr<std::optional<Place>> Middle(pg::Connection* connection, const Leaf& leaf,
                                                      const Place& from, const Place& to) const = 0;
  // Blocks between two places; 0 where places say nothing about blocks.
  virtual double Blocks(const Place& from, const Place& to) const = 0;

  // Units of a range that a worker takes at a time, of a first batch, and of the largest one, for a heap of
  // `blocks` blocks that `workers` share and of which `left` places are not handed out.
  virtual int64_t RangeUnits(int64_t blocks, int workers, const Place& claimed, const Place& bound) const = 0;
  virtual int64_t FirstUnits() const = 0;
  virtual int64_t MostUnits() const = 0;
  // For people: "blocks 64 to 128".
  virtual std::string Describe(const Place& from, const Place& to) const = 0;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKFILL_WALKER_H_
