// What an agent tells whoever watches it, besides its walks.
#ifndef CURLEW_AGENT_GUARD_AGENT_METRICS_H_
#define CURLEW_AGENT_GUARD_AGENT_METRICS_H_

#include <cstdint>
#include <string>

#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

// How a target stands with its agent.
enum class TargetCondition {
  kUnleased,  // no lease: no session, a standby, refused, or not in the pipeline
  kProblem,   // leased, and cannot be served: the database says why
  kReady,     // leased and fenced
};

// Takes numbers of an agent. Thread-safe; no method waits or fails.
class AgentMetrics {
 public:
  virtual ~AgentMetrics() = default;
  // The controller has welcomed the agent; the session has ended (also where it never began).
  virtual void SessionBegan() = 0;
  virtual void SessionEnded() = 0;
  // A target stands so from now on. `epoch` is its journal's, where it is this agent's; else 0.
  virtual void TargetStands(const std::string& target, TargetCondition condition, int64_t epoch) = 0;
  // An attempt has begun on a target, which has one at a time. `kind` is that of its step ("execute_sql").
  virtual void AttemptBegan(const std::string& target, const std::string& kind) = 0;
  // It waits for this from now on; UNSPECIFIED where it works again. One of kind "wait" does nothing else
  // than wait for SESSIONS, whatever it says.
  virtual void AttemptWaits(const std::string& target, v1::WaitCause cause) = 0;
  // It has ended so: "succeeded", "fenced_out".
  virtual void AttemptEnded(const std::string& target, const std::string& outcome) = 0;
};

// Tells nobody.
class NoAgentMetrics : public AgentMetrics {
 public:
  void SessionBegan() override {}
  void SessionEnded() override {}
  void TargetStands(const std::string&, TargetCondition, int64_t) override {}
  void AttemptBegan(const std::string&, const std::string&) override {}
  void AttemptWaits(const std::string&, v1::WaitCause) override {}
  void AttemptEnded(const std::string&, const std::string&) override {}
};

// `metrics`, or one that tells nobody where that is null.
inline AgentMetrics* OrNobody(AgentMetrics* metrics) {
  static NoAgentMetrics* const nobody = new NoAgentMetrics;
  return metrics != nullptr ? metrics : nobody;
}

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_AGENT_METRICS_H_
