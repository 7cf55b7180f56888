// The targets of the pipeline and who serves them.
#ifndef CURLEW_CONTROLLER_DISPATCH_TARGET_TABLE_H_
#define CURLEW_CONTROLLER_DISPATCH_TARGET_TABLE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "controller/dispatch/agent_link.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::dispatch {

// One target, as agents have described it since the controller started.
struct TargetEntry {
  std::string environment;                    // resource name
  std::map<std::string, std::string> labels;  // as the pipeline has them
  AgentLink* link = nullptr;                  // whose the lease is; null where nobody's
  bool ready = false;                         // fenced by `link`: commands may be sent
  std::string problem;                        // what the agent said is wrong; empty once it is ready
  // What the agent that is there, or was there last, said.
  std::string agent_id, agent_version;
  bool requires_signatures = false;
  absl::Time last_seen = absl::InfinitePast();
  v1::TargetReady facts;
  // How its schema differs from what is on record, in words; empty where it does not, or that is not known.
  std::string drift;
  absl::Time drift_time = absl::InfinitePast();  // when that was looked at last
};

// The pipeline and its targets. Belongs to the loop's thread.
class TargetTable {
 public:
  // Replaces the pipeline; what is known of targets that stay is kept.
  void SetEnvironments(std::vector<v1::Environment> environments);
  const std::vector<v1::Environment>& environments() const { return environments_; }

  // By bare name; null where no environment has it. Valid until SetEnvironments.
  TargetEntry* Find(const std::string& target);
  // Bare names in the pipeline's order.
  const std::vector<std::string>& names() const { return names_; }
  // The resource, but for its rollout. `target` must be known.
  v1::Target Describe(const std::string& target) const;
  // Why no command can be sent to a target now, in words, with what to do. For one that is not ready.
  std::string WhyNotServed(const std::string& target) const;

 private:
  std::vector<v1::Environment> environments_;
  std::vector<std::string> names_;
  std::map<std::string, TargetEntry> entries_;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_TARGET_TABLE_H_
