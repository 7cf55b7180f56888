// Calls of methods by their names, with bytes.
#ifndef CURLEW_TESTS_SUPPORT_RAW_CALL_H_
#define CURLEW_TESTS_SUPPORT_RAW_CALL_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace curlew::testing {

// Calls `path` ("/grpc.health.v1.Health/Check") with one message, and returns the first that comes back,
// after which a stream is given up; "" where one ends without any. The call's status where it fails; 20 s at
// most.
absl::StatusOr<std::string> RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& path,
                                    const std::string& request);

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_SUPPORT_RAW_CALL_H_
