// One call of PreviewRollout.
#ifndef CURLEW_CONTROLLER_SERVICE_PREVIEW_STREAM_H_
#define CURLEW_CONTROLLER_SERVICE_PREVIEW_STREAM_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "common/rpc/write_queue.h"
#include "controller/dispatch/engine.h"
#include "controller/dispatch/watches.h"
#include "controller/service/call.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::service {

// Asks at most 8 agents at a time, and no more than it has answers for that the client has not read: the loop
// has other things to do in between, a slow client holds up nobody, and a target that does not answer holds
// up the next few only. What is found is told in order of the pipeline. Reactions only post to the loop; it
// owns itself until OnDone.
class PreviewStream : public grpc::ServerWriteReactor<v1::TargetPreview>,
                      public dispatch::Watcher,
                      public std::enable_shared_from_this<PreviewStream> {
 public:
  // `engine` and the guard of `door` must outlive it. Call Start next.
  PreviewStream(dispatch::Engine* engine, Door door)
      : engine_(engine), door_(std::move(door)), writes_(this) {}
  // Begins. The object must be owned by a shared_ptr.
  void Start(grpc::CallbackServerContext* context, v1::PreviewRolloutRequest request);

  // Watcher, on the loop's thread: of the controller's end, and where callers may have lost their rights.
  void Changed() override;
  void End(const absl::Status& status) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override { writes_.FinishNow(grpc::Status::CANCELLED); }
  void OnDone() override;

 private:
  struct Item {
    v1::TargetPreview preview;
    bool found = false;
  };

  // On the loop's thread.
  absl::Status Begin();
  // Finds the plan among those that are stored, for its signatures.
  absl::Status FindOrigin();
  // Whether who began may be told still: a token may have expired since, or a role be gone.
  absl::Status May() const { return door_.Enter(credential_).status(); }
  // Asks whom it may ask, and tells what comes next where it is known.
  void Go();
  void Ask(size_t index);
  void Compile(size_t index, const absl::StatusOr<v1::Schema>& schema);
  void Found(size_t index);

  dispatch::Engine* const engine_;
  const Door door_;
  access::Credential credential_;
  limits::Pass pass_;  // until OnDone
  rpc::WriteQueue<PreviewStream, v1::TargetPreview> writes_;
  std::shared_ptr<PreviewStream> self_;
  v1::PreviewRolloutRequest request_;
  v1::StoredPlan origin_;  // the plan, with its signatures where it is stored
  // The loop's.
  std::vector<Item> items_;                    // in order of the pipeline
  size_t next_asked_ = 0, next_told_ = 0;      // indexes of items_
  int at_work_ = 0;                            // agents that are asked
  bool writing_ = false;                       // the client has not read the last that was told
  bool ended_ = false;                         // nobody is asked any more
  std::optional<v1::CompiledPlan> reference_;  // of the first target that has one
};

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_PREVIEW_STREAM_H_
