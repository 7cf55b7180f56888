// How much a run has made a heap grow.
#ifndef CURLEW_AGENT_EXECUTOR_BLOAT_H_
#define CURLEW_AGENT_EXECUTOR_BLOAT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "agent/journal/journal.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// A heap after walks of a run. Figures of rows are estimates: the server's statistics lag.
struct Bloat {
  int64_t bytes = 0;
  // When the run's first walk of the heap began; absent where the run has walked none of it.
  std::optional<int64_t> bytes_before;
  int64_t live_rows = 0;
  int64_t dead_rows = 0;
  // Whether the role may vacuum it. Without that right VACUUM warns and does nothing.
  bool may_vacuum = false;

  // Whether the dead rows are a fifth of all, at least.
  bool IsBloated() const { return dead_rows > 0 && dead_rows * 5 >= live_rows + dead_rows; }
};

// Reads it. Dead rows are those that the statistics know of, or, where the heap was not vacuumed since, those
// that the run's walks have left behind, whatever is more. NOT_FOUND where the heap has gone; errors as in
// common/pg/error.h.
absl::StatusOr<Bloat> ReadBloat(pg::Connection* connection, const std::string& run, const Leaf& leaf);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_BLOAT_H_
