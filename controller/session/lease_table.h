// Who may serve which target: the rules, without streams, time or threads.
#ifndef CURLEW_CONTROLLER_SESSION_LEASE_TABLE_H_
#define CURLEW_CONTROLLER_SESSION_LEASE_TABLE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "curlew/v1/agent.pb.h"

namespace curlew::session {

// What a change of the table leads to.
struct LeaseChanges {
  // A lease passes on. Sessions are 0 where nobody had it, or nobody gets it.
  struct Move {
    std::string target;
    int64_t from = 0;
    int64_t to = 0;
    bool same_process = false;  // only the stream is another
  };
  // A session is to be told how one of its claims stands now.
  struct Notice {
    int64_t session = 0;
    std::string target;
    v1::LeaseState state = v1::LEASE_STATE_UNSPECIFIED;
    std::string reason;
  };
  std::vector<Move> moves;
  std::vector<Notice> notices;
  // Sessions that a newer stream of the same process has replaced; they have no claims any more.
  std::vector<int64_t> replaced;
};

// The leases. One session serves a target at a time; who else claims it waits: another process of the same
// agent as a standby, another agent refused by name, anybody refused while the target is in no environment.
// When the cause goes away the next is granted: first a standby, then who came first. A newer stream of the
// same process takes over from the older at once. Not thread-safe.
class LeaseTable {
 public:
  // The targets that are in an environment.
  LeaseChanges SetKnown(std::set<std::string> targets);
  // A session with its claims. Its id is new and not 0.
  LeaseChanges Add(int64_t session, const std::string& agent_id, const std::string& instance_id,
                   const std::vector<std::string>& targets);
  // The session is gone. Nothing where it is unknown.
  LeaseChanges Remove(int64_t session);

 private:
  struct Claim {
    int64_t session = 0;
    std::string agent_id, instance_id;
    v1::LeaseState told = v1::LEASE_STATE_UNSPECIFIED;
    std::string reason;
  };
  struct Claims {
    std::vector<Claim> in_order;  // of arrival
    int64_t holder = 0;
    std::string last_agent;  // who held it last
  };
  void Judge(const std::string& target, Claims* claims, LeaseChanges* changes);
  static void Tell(const std::string& target, Claim* claim, v1::LeaseState state, std::string reason,
                   LeaseChanges* changes);

  std::set<std::string> known_;
  std::map<std::string, Claims> claims_;
};

}  // namespace curlew::session

#endif  // CURLEW_CONTROLLER_SESSION_LEASE_TABLE_H_
