// The walk by place: ranges of ctid (TID Range Scan, PostgreSQL 14).
#ifndef CURLEW_AGENT_BACKFILL_TID_WALKER_H_
#define CURLEW_AGENT_BACKFILL_TID_WALKER_H_

#include <optional>
#include <string>
#include <vector>

#include "agent/attempt/row_finder.h"
#include "agent/backfill/walker.h"

namespace curlew::agent {

// Places are "(block,offset)". The unit is 1/256 of a block, so that a block of many or slow rows can be cut
// too. `bytes_per_block` counts what the rows of a block have in the TOAST table, and bounds the batches.
class TidWalker : public Walker {
 public:
  static constexpr int64_t kUnitsPerBlock = 256;

  TidWalker(int64_t block_size, int64_t bytes_per_block);

  v1::Walk kind() const override { return v1::WALK_CTID; }
  absl::StatusOr<Place> Bound(pg::Connection* connection, const Leaf& leaf) const override;
  std::string Condition(const Place& from, const Place& to) const override;
  absl::StatusOr<std::optional<Place>> RowIn(pg::Connection* connection, const Leaf& leaf, const Place& from,
                                             const Place& to) const override;
  std::string RowCondition(const Place& row) const override;
  std::string Excluding(const std::vector<Place>& rows) const override;
  absl::StatusOr<Place> Advance(pg::Connection* connection, const Leaf& leaf, const Place& from,
                                const Place& end, int64_t units) const override;
  absl::StatusOr<std::optional<Place>> Middle(pg::Connection* connection, const Leaf& leaf, const Place& from,
                                              const Place& to) const override;
  double Blocks(const Place& from, const Place& to) const override;
  int64_t RangeUnits(int64_t blocks, int workers, const Place& claimed, const Place& bound) const override;
  int64_t FirstUnits() const override;
  int64_t MostUnits() const override;
  std::string Describe(const Place& from, const Place& to) const override;

 private:
  const int64_t slots_;  // the most rows that a block can hold
  const int64_t bytes_per_block_;
};

// The place as a number; what is no place is the first one.
TidNumber TidOf(const Place& place);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKFILL_TID_WALKER_H_
