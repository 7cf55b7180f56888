#include "agent/backfill/progress.h"

#include <algorithm>

#include "common/base/proto_time.h"

namespace curlew::agent {

v1::Progress WalkProgress::Report(const RangeQueue::Totals& totals, Pace pace, absl::Time now) {
  // Heaps not reached yet are taken to be as large as the others.
  const double known = std::max(totals.leaves_known, 1);
  const double expected = totals.blocks_total * std::max<double>(totals.leaves, known) / known;
  const int64_t rows_total = std::max(rows_total_, totals.rows);
  double fraction = 1;
  if (totals.by_key) {
    // Keys say nothing about blocks; rows are an estimate.
    fraction = rows_total > 0 ? static_cast<double>(totals.rows) / static_cast<double>(rows_total) : 0;
  } else if (expected > 0) {
    fraction = totals.blocks_done / expected;
  }
  if (rows_then_ < 0) {
    rows_then_ = totals.rows;
    done_then_ = fraction;
  }
  if (const double seconds = absl::ToDoubleSeconds(now - since_); seconds >= 0.5) {
    const double weight = rows_per_second_ == 0 ? 1.0 : std::min(1.0, seconds / 5);
    const auto average = [weight](double& rate, double newest) {
      rate += weight * (std::max(newest, 0.0) - rate);
    };
    average(rows_per_second_, static_cast<double>(totals.rows - rows_then_) / seconds);
    average(fraction_per_second_, (fraction - done_then_) / seconds);
    since_ = now;
    rows_then_ = totals.rows;
    done_then_ = fraction;
  }
  const double looked = absl::ToDoubleSeconds(now - looked_);
  throttle_ += std::min(1.0, looked / 5) * ((pace == Pace::kPauses ? 1.0 : 0.0) - throttle_);
  looked_ = now;

  v1::Progress progress;
  progress.set_rows_done(totals.rows);
  // Of a table that was never analyzed nobody knows how many rows it has: as many for each block as so far.
  constexpr double kEnough = 0.01;
  if (rows_total_ > 0 || totals.by_key) {
    progress.set_rows_total(rows_total);
  } else if (fraction > kEnough) {
    progress.set_rows_total(static_cast<int64_t>(static_cast<double>(totals.rows) / std::min(fraction, 1.0)));
  }
  progress.set_fraction(fraction);
  progress.set_rows_per_second(rows_per_second_);
  if (fraction_per_second_ > 0) {
    *progress.mutable_eta() =
        base::ToProto(absl::Seconds(std::max(0.0, (1 - fraction) / fraction_per_second_)));
  }
  progress.set_throttle(throttle_);
  progress.set_blocks_done(static_cast<int64_t>(totals.blocks_done));
  progress.set_blocks_total(static_cast<int64_t>(totals.blocks_total));
  progress.set_parts_aside(totals.aside);
  return progress;
}

}  // namespace curlew::agent
