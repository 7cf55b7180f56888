#include "agent/backfill/tid_walker.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

constexpr TidNumber kBlock = FirstTid(1);
// A range is large enough that its first pass is over, and its dead rows can be pruned, before the next pass
// comes to them; and small enough that workers end at about the same time.
constexpr int64_t kLeastRangeBlocks = 64;
constexpr int64_t kMostRangeBlocks = 1024;
constexpr int64_t kFirstBatchBytes = 128 * 1024;
constexpr int64_t kMostBatchBytes = 64 * 1024 * 1024;

}  // namespace

TidNumber TidOf(const Place& place) {
  long long block = 0;
  int offset = 0;
  if (std::sscanf(place.c_str(), "(%lld,%d)", &block, &offset) != 2) return 0;
  return FirstTid(block) + offset;
}

TidWalker::TidWalker(int64_t block_size, int64_t bytes_per_block)
    // A row takes at least 24 bytes of header and 4 of line pointer.
    : slots_(block_size / 28), bytes_per_block_(std::max<int64_t>(bytes_per_block, 1)) {}

absl::StatusOr<Place> TidWalker::Bound(pg::Connection* connection, const Leaf& leaf) const {
  ASSIGN_OR_RETURN(
      const pg::Result size,
      connection->Execute("SELECT pg_relation_size($1::oid) / current_setting('block_size')::bigint",
                          {absl::StrCat(leaf.oid)}));
  return TidText(FirstTid(size.Int(0, 0)));
}

std::string TidWalker::Condition(const Place& from, const Place& to) const {
  return TidRangeSql(TidOf(from), TidOf(to));
}

absl::StatusOr<std::optional<Place>> TidWalker::RowIn(pg::Connection*, const Leaf&, const Place& from,
                                                      const Place&) const {
  return std::optional<Place>(TidText(TidOf(from)));
}

std::string TidWalker::RowCondition(const Place& row) const {
  return absl::StrCat("t.ctid = '", row, "'::tid");
}

std::string TidWalker::Excluding(const std::vector<Place>& rows) const {
  return absl::StrCat("t.ctid <> ALL (ARRAY['", absl::StrJoin(rows, "', '"), "']::tid[])");
}

absl::StatusOr<Place> TidWalker::Advance(pg::Connection*, const Leaf&, const Place& from, const Place& end,
                                         int64_t units) const {
  const TidNumber begin = TidOf(from);
  TidNumber to;
  if (units >= kUnitsPerBlock) {
    to = FirstTid((begin >> 16) + units / kUnitsPerBlock);
  } else {
    to = begin + std::max<int64_t>(1, slots_ * units / kUnitsPerBlock);
    if ((to & 0xffff) >= slots_) to = FirstTid((begin >> 16) + 1);
  }
  return TidText(std::min(to, TidOf(end)));
}

absl::StatusOr<std::optional<Place>> TidWalker::Middle(pg::Connection*, const Leaf&, const Place& from,
                                                       const Place& to) const {
  const TidNumber first = TidOf(from), last = TidOf(to);
  if (last - first <= 1) return std::optional<Place>();
  // Whole blocks first; within a block no further than rows can be.
  if (const TidNumber block = FirstTid((first + (last - first) / 2) >> 16); block > first) {
    return std::optional<Place>(TidText(block));
  }
  const TidNumber end = std::min(last, FirstTid(first >> 16) + slots_ + 1);
  return std::optional<Place>(TidText(first + std::max<TidNumber>(1, (end - first) / 2)));
}

double TidWalker::Blocks(const Place& from, const Place& to) const {
  const auto blocks = [&](const Place& place) {
    const TidNumber tid = TidOf(place);
    return static_cast<double>(tid >> 16) +
           static_cast<double>(tid & 0xffff) / static_cast<double>(slots_ + 1);
  };
  return std::max(0.0, blocks(to) - blocks(from));
}

int64_t TidWalker::RangeUnits(int64_t, int workers, const Place& claimed, const Place& bound) const {
  const auto left = static_cast<int64_t>(Blocks(claimed, bound));
  return kUnitsPerBlock * std::clamp(left / (2 * std::max(workers, 1)), kLeastRangeBlocks, kMostRangeBlocks);
}

int64_t TidWalker::FirstUnits() const {
  return std::max<int64_t>(1, kUnitsPerBlock * kFirstBatchBytes / bytes_per_block_);
}

int64_t TidWalker::MostUnits() const {
  return std::max<int64_t>(1, kUnitsPerBlock * kMostBatchBytes / bytes_per_block_);
}

std::string TidWalker::Describe(const Place& from, const Place& to) const {
  const int64_t first = TidOf(from) >> 16;
  const int64_t last = (TidOf(to) + kBlock - 1) >> 16;
  return last - first <= 1 ? absl::StrCat("block ", first) : absl::StrCat("blocks ", first, " to ", last);
}

}  // namespace curlew::agent
