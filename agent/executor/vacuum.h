// VACUUM of what walks have bloated.
#ifndef CURLEW_AGENT_EXECUTOR_VACUUM_H_
#define CURLEW_AGENT_EXECUTOR_VACUUM_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/attempt/run_context.h"
#include "agent/executor/bloat.h"
#include "agent/executor/concurrent_session.h"

namespace curlew::agent {

// Vacuums the heaps of a table that are bloated, or all of them, on a session of its own, and tells how much
// the run has made it grow. Outside any transaction, and harmless when it is done again or killed. A heap
// that is locked, or that the agent's role does not own, is passed over, and the summary says so. For one
// thread.
class Vacuum {
 public:
  enum class Which { kBloated, kAll };
  // Neither is owned; both must outlive the object.
  Vacuum(const RunContext& context, const std::string& table, Which which)
      : context_(context), table_(table), which_(which) {}

  // CANCELLED; errors as in common/pg/error.h.
  absl::Status Run();
  // What the runs of it have found and done, for people.
  std::string Summary() const;

 private:
  absl::Status Leave(const Leaf& leaf);
  absl::StatusOr<Bloat> Read(const Leaf& leaf);
  absl::StatusOr<std::string> Holder(const Leaf& leaf);

  const RunContext& context_;
  const std::string& table_;
  const Which which_;
  std::optional<ConcurrentSession> session_;
  bool walked_ = false;
  int64_t before_ = 0, after_ = 0;  // bytes
  int64_t removed_ = 0, kept_ = 0;  // rows
  std::vector<std::string> notes_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_VACUUM_H_
