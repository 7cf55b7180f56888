// How the services answer: on the loop's thread, never in a reaction.
#ifndef CURLEW_CONTROLLER_SERVICE_CALL_H_
#define CURLEW_CONTROLLER_SERVICE_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "controller/access/guard.h"
#include "controller/dispatch/loop.h"
#include "controller/dispatch/target_table.h"
#include "controller/limits/limiter.h"
#include "controller/store/rollout_store.h"

namespace curlew::service {

// A method, who guards it, and how much each may ask for.
struct Door {
  const access::Guard* guard;
  std::string method;  // "curlew.v1.PlanService.CreatePlan"
  limits::Limiter* limiter = &limits::Limiter::Off();

  // Whether there is room for one more call, or stream, of theirs, whoever they are, with a request of so
  // many bytes. Errors as limits::Limiter. In reactions: who floods costs the loop nothing.
  absl::Status MayCall(const access::Credential& credential, size_t bytes) const {
    return limiter->Call(guard->AccountOf(credential), limits::CostOf(bytes));
  }
  absl::StatusOr<limits::Pass> MayStream(const access::Credential& credential, size_t bytes) const {
    return limiter->Stream(guard->AccountOf(credential), limits::CostOf(bytes));
  }

  // Who comes in. Errors as access::Guard::Enter. On the loop: it may read a file.
  absl::StatusOr<access::Caller> Enter(const access::Credential& credential) const {
    return guard->Enter(credential, method);
  }
};

// Answers a unary call with what `work` returns, run on the loop, for a caller whom the door lets in; where
// it may do so only somewhere, `work` asks the caller whether it is there. Request and response live as
// long as `work`, or the `done` that it is given, is held; the context lives until this returns.
//
// A call that is not answered when its deadline comes (the limiter's, or its caller's where that is earlier)
// is answered with DEADLINE_EXCEEDED, which says whether work on it had begun; work that has not is not done
// any more, and what comes late is dropped. RESOURCE_EXHAUSTED as Door::MayCall.
grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, dispatch::Loop* loop, Door door,
                                 std::function<absl::Status(const access::Caller& caller)> work);

// As Answer, for work that is not done at once: it must call `done` exactly once, on the loop, however late.
grpc::ServerUnaryReactor* AnswerLater(
    grpc::CallbackServerContext* context, dispatch::Loop* loop, Door door,
    std::function<void(const access::Caller& caller, std::function<void(absl::Status)> done)> work);

// Bare names of the environments that the rollout passes.
std::vector<std::string> EnvironmentsOf(const v1::Rollout& rollout);
// The same of a target's: one, or none where it is in no environment.
std::vector<std::string> EnvironmentsOf(dispatch::TargetTable& targets, const std::string& target);

// A record of one entry of the audit log, to be stored with what it is about.
store::Record RecordOf(absl::Time now, absl::string_view action, const std::string& resource,
                       const std::string& actor, const std::string& reason = "");

// INVALID_ARGUMENT that names the field where `value` is empty.
absl::Status Required(absl::string_view field, absl::string_view value);
// INVALID_ARGUMENT about a field.
absl::Status BadField(absl::string_view field, absl::string_view message);

// Page sizes: 0 is 50, more than 500 are 500. INVALID_ARGUMENT where negative.
absl::StatusOr<store::Page> PageOf(int32_t size, const std::string& token);

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_CALL_H_
