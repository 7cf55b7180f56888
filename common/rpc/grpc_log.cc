#include "common/rpc/grpc_log.h"

#include <grpc/support/log.h>

#include <atomic>
#include <cstdlib>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "spdlog/spdlog.h"

namespace curlew::rpc {
namespace {

constexpr int64_t kMostPerSecond = 10;

void ToOurs(gpr_log_func_args* said) {
  if (said->severity < GPR_LOG_SEVERITY_ERROR) return;
  // Anybody can make handshakes fail, as often as they like.
  static std::atomic<int64_t> second = 0, in_second = 0, left_out = 0;
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  if (second.exchange(now) != now) in_second = 0;
  if (in_second.fetch_add(1) >= kMostPerSecond) {
    left_out.fetch_add(1);
    return;
  }
  const int64_t more = left_out.exchange(0);
  spdlog::warn("gRPC: {}{}", said->message, more > 0 ? fmt::format(" ({} more since the last)", more) : "");
}

}  // namespace

void SendGrpcLog(GrpcLog to) {
  if (std::getenv("GRPC_VERBOSITY") != nullptr) return;
  switch (to) {
    case GrpcLog::kOurs:
      return gpr_set_log_function(ToOurs);
    case GrpcLog::kNobody:
      return gpr_set_log_function([](gpr_log_func_args*) {});
  }
}

}  // namespace curlew::rpc
