// One call of WatchRollout.
#ifndef CURLEW_CONTROLLER_SERVICE_WATCH_STREAM_H_
#define CURLEW_CONTROLLER_SERVICE_WATCH_STREAM_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/rpc/write_queue.h"
#include "controller/dispatch/engine.h"
#include "controller/dispatch/watches.h"
#include "controller/service/call.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::service {

// Reads a batch when the one before has been written, so that a slow client holds up nobody and costs
// nothing. Before every batch it sees whether the caller may watch still. Reactions only post to the loop; it
// owns itself until OnDone.
class WatchStream : public grpc::ServerWriteReactor<v1::WatchRolloutResponse>,
                    public dispatch::Watcher,
                    public std::enable_shared_from_this<WatchStream> {
 public:
  // `engine` and the guard of `door` must outlive it. Call Start next.
  WatchStream(dispatch::Engine* engine, Door door) : engine_(engine), door_(std::move(door)), writes_(this) {}
  // Begins. The object must be owned by a shared_ptr.
  void Start(grpc::CallbackServerContext* context, std::string rollout, int64_t after_event,
             v1::RolloutView view);

  // Watcher, on the loop's thread.
  void Changed() override;
  void End(const absl::Status& status) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override { writes_.FinishNow(grpc::Status::CANCELLED); }
  void OnDone() override;

 private:
  void Begin();
  // Whether who began may watch still: a token may have expired since, or a role be gone.
  absl::Status May() const;
  void Pump();

  dispatch::Engine* const engine_;
  const Door door_;
  access::Credential credential_;
  limits::Pass pass_;  // until OnDone
  rpc::WriteQueue<WatchStream, v1::WatchRolloutResponse> writes_;
  std::shared_ptr<WatchStream> self_;
  std::string rollout_;
  v1::RolloutView view_ = v1::ROLLOUT_VIEW_UNSPECIFIED;
  // The loop's.
  std::vector<std::string> environments_;  // of the rollout
  dispatch::WatchCursor cursor_;
  bool writing_ = false;      // a batch is being written
  bool pump_posted_ = false;  // many changes, one read
};

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_WATCH_STREAM_H_
