// Tells the thread sanitizer what gRPC orders without locks. Debian's libgrpc is built without it: what a
// thread wrote before it began an operation is there for the callback that ends it, and what all callbacks of
// a call wrote is there when the call is done. As absl_sync.cc, in
// preset tsan alone.
#include <grpc/grpc.h>
#include <grpcpp/support/server_callback.h>
#include <sanitizer/tsan_interface.h>

#include "tests/support/sanitizers/real.h"

namespace {

using curlew::sanitizers::Real;
using grpc::internal::ServerReactor;

// The count of references of a grpc::internal::ServerCallbackCall, behind its virtual table and another
// count: the sanitizer has seen all who gave one back in our own objects.
void* References(void* call) { return static_cast<char*>(call) + 12; }

// Stands for a reactor while it is told that its call is cancelled.
class CancelledReactor : public ServerReactor {
 public:
  CancelledReactor(void* call, ServerReactor* reactor) : call_(call), reactor_(reactor) {}
  void OnDone() override {}
  bool InternalInlineable() override { return reactor_->InternalInlineable(); }
  void OnCancel() override {
    reactor_->OnCancel();
    __tsan_release(References(call_));
    delete this;
  }

 private:
  void* const call_;
  ServerReactor* const reactor_;
};

}  // namespace

#define RUN "_ZN4grpc8internal22CallbackWithSuccessTag9StaticRunEP29grpc_completion_queue_functori"
#define CANCEL "_ZN4grpc8internal18ServerCallbackCall12CallOnCancelEPNS0_13ServerReactorE"
#define DONE "_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb"

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag,
                                      void* reserved) {
  static auto* const real = Real<decltype(grpc_call_start_batch)>("grpc_call_start_batch");
  __tsan_release(tag);
  return real(call, ops, count, tag, reserved);
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline,
                                       void* reserved) {
  static auto* const real = Real<decltype(grpc_completion_queue_pluck)>("grpc_completion_queue_pluck");
  const grpc_event event = real(queue, tag, deadline, reserved);
  __tsan_acquire(tag);
  return event;
}

// grpc::internal::CallbackWithSuccessTag::StaticRun: what the library calls at an operation's end.
void RunCallback(grpc_completion_queue_functor* tag, int ok) asm(RUN);
void RunCallback(grpc_completion_queue_functor* tag, int ok) {
  static auto* const real = Real<decltype(RunCallback)>(RUN);
  __tsan_acquire(tag);
  real(tag, ok);
}

// grpc::internal::ServerCallbackCall::ScheduleOnDone: what whoever gives the last reference back calls.
void CallIsDone(void* call, bool now) asm(DONE);
void CallIsDone(void* call, bool now) {
  static auto* const real = Real<decltype(CallIsDone)>(DONE);
  __tsan_acquire(References(call));
  real(call, now);
}

// grpc::internal::ServerCallbackCall::CallOnCancel, which gives a reference back itself.
void CallOnCancel(void* call, ServerReactor* reactor) asm(CANCEL);
void CallOnCancel(void* call, ServerReactor* reactor) {
  static auto* const real = Real<decltype(CallOnCancel)>(CANCEL);
  real(call, new CancelledReactor(call, reactor));
}

}  // extern "C"
