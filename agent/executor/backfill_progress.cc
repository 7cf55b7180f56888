#include "agent/executor/backfill_progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"

namespace curlew::agent {

int64_t BackfillProgress::rows() const {
  int64_t rows = 0;
  for (const auto& [oid, cursor] : leaves_) rows += cursor.rows;
  return rows;
}

v1::Progress BackfillProgress::Report(double throttle, absl::Time now) {
  int64_t blocks_done = 0, blocks_total = 0;
  const BackfillCursor* current = nullptr;
  for (const auto& [oid, cursor] : leaves_) {
    blocks_done += std::min(cursor.next_block, cursor.blocks);
    blocks_total += cursor.blocks;
    if (!cursor.done()) current = &cursor;
  }
  const int64_t rows_done = rows();
  if (rows_then_ < 0) {
    rows_then_ = rows_done;
    blocks_then_ = blocks_done;
  }
  if (const double seconds = absl::ToDoubleSeconds(now - rate_since_); seconds >= 0.5) {
    const double weight = rows_per_second_ == 0 ? 1.0 : std::min(1.0, seconds / 5);
    const auto average = [weight](double& rate, double newest) {
      rate += weight * (std::max(newest, 0.0) - rate);
    };
    average(rows_per_second_, static_cast<double>(rows_done - rows_then_) / seconds);
    average(blocks_per_second_, static_cast<double>(blocks_done - blocks_then_) / seconds);
    rate_since_ = now;
    rows_then_ = rows_done;
    blocks_then_ = blocks_done;
  }
  v1::Progress progress;
  progress.set_rows_done(rows_done);
  progress.set_rows_total(std::max(rows_total_, rows_done));
  // Heaps not reached yet are taken to be as large as the others.
  const int known = std::max<int>(1, static_cast<int>(leaves_.size()));
  const double expected = static_cast<double>(blocks_total) * std::max(leaf_count_, known) / known;
  progress.set_fraction(expected > 0 ? static_cast<double>(blocks_done) / expected : 1);
  progress.set_rows_per_second(rows_per_second_);
  if (blocks_per_second_ > 0) {
    const double seconds = (expected - static_cast<double>(blocks_done)) / blocks_per_second_;
    *progress.mutable_eta() = base::ToProto(absl::Seconds(std::max(0.0, seconds)));
  }
  progress.set_throttle(throttle);
  if (current != nullptr) {
    progress.set_message(
        absl::StrCat(current->leaf_name, ": block ", current->next_block, " of ", current->blocks));
  }
  return progress;
}

}  // namespace curlew::agent
