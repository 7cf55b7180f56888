// Who is told of what. Pure.
#ifndef CURLEW_CONTROLLER_NOTIFY_PLANNER_H_
#define CURLEW_CONTROLLER_NOTIFY_PLANNER_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "controller/notify/config.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::notify {

// Decides what each receiver is told, and in which words: one line, with what to do. Immutable; thread-safe.
//
// | kind         | when                                                                                    |
// |--------------|-----------------------------------------------------------------------------------------|
// | gate-waiting | a gate was reached and is closed; one that was open was taken back; approvals that were |
// |              | given do not count any more. Not while a gate waits on, nor as a window comes and goes. |
// | failed       | a rollout has FAILED                                                                    |
// | paused       | a policy has paused a rollout; operators who pause one know it                          |
// | rolled-back  | a rollout is ROLLED_BACK                                                                |
// | done         | a rollout has SUCCEEDED                                                                 |
// | drift        | a target's schema differs from what is on record, or does no more                       |
class Planner {
 public:
  explicit Planner(std::vector<Sink> sinks) : sinks_(std::move(sinks)) {}

  // What is told of a transition: for each receiver that wants it, in order of happening. Ids are the
  // store's.
  std::vector<v1::Notification> OfRollout(const v1::Rollout& before, const v1::Rollout& after,
                                          const std::vector<v1::Event>& events) const;
  // What is told of a target (bare name), in the words of `message`.
  std::vector<v1::Notification> OfDrift(const std::string& target, const std::string& message,
                                        absl::Time now) const;

 private:
  std::vector<v1::Notification> ForEachSink(const std::vector<v1::Notification>& told) const;

  const std::vector<Sink> sinks_;
};

}  // namespace curlew::notify

#endif  // CURLEW_CONTROLLER_NOTIFY_PLANNER_H_
