// The way from the engine to an agent.
#ifndef CURLEW_CONTROLLER_DISPATCH_AGENT_LINK_H_
#define CURLEW_CONTROLLER_DISPATCH_AGENT_LINK_H_

#include <string>

#include "absl/time/time.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::dispatch {

// An agent's session, as the engine sees it. Used on the loop's thread only; lives until the engine was told
// that none of its targets is leased to it any more.
class AgentLink {
 public:
  virtual ~AgentLink() = default;

  // Queues a message; never blocks. Lost without a word where the stream is broken: the engine learns of that
  // when the leases are released.
  virtual void Send(v1::ControllerMessage message) = 0;
  // Who is there.
  virtual const std::string& agent_id() const = 0;
  virtual const std::string& agent_version() const = 0;
  // Whether it runs signed plans alone.
  virtual bool requires_signatures() const { return false; }
  // When a message last came.
  virtual absl::Time last_heard() const = 0;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_AGENT_LINK_H_
