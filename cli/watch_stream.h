// One connection of WatchRollout, read in the background.
#ifndef CURLEW_CLI_WATCH_STREAM_H_
#define CURLEW_CLI_WATCH_STREAM_H_

#include <cstdint>
#include <deque>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::cli {

// Reads a watch on a thread of its own, so that the caller can redraw while nothing comes. A slow caller
// slows the stream down. Used by one thread.
class WatchStream {
 public:
  // `client` must outlive the stream.
  WatchStream(Client* client, const std::string& rollout, int64_t after_event);
  // Cancels the call and joins the thread.
  ~WatchStream();
  WatchStream(const WatchStream&) = delete;
  WatchStream& operator=(const WatchStream&) = delete;

  // What Next found.
  enum class Got { kMessage, kNothingYet, kEnd };
  // The next message, waited for until `timeout` has passed.
  Got Next(absl::Duration timeout, v1::WatchRolloutResponse* message);

  // How the stream ended; valid after kEnd.
  absl::Status status();

 private:
  void Read();

  Client* const client_;
  grpc::ClientContext context_;
  v1::WatchRolloutRequest request_;
  absl::Mutex mutex_;
  std::deque<v1::WatchRolloutResponse> messages_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::thread reader_;
};

}  // namespace curlew::cli

#endif  // CURLEW_CLI_WATCH_STREAM_H_
