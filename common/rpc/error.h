// absl::Status to and from what travels on the wire: grpc::Status with google.rpc.Status details.
#ifndef CURLEW_COMMON_RPC_ERROR_H_
#define CURLEW_COMMON_RPC_ERROR_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace curlew::rpc {

// Domain of every ErrorInfo that Curlew sends.
inline constexpr char kErrorDomain[] = "curlew.dev";

// Detail (base::WithDetail) of a call that was refused with nothing done, and may be tried again: after how
// long, as absl::FormatDuration has it.
inline constexpr absl::string_view kRetryAfter = "retry_after";

// `status` for the wire. Code and message stay; base::Details travel in an ErrorInfo (base::kReason as its
// reason, the rest as metadata), base::kField also as a BadRequest violation, and a FAILED_PRECONDITION with
// a reason also as a PreconditionFailure, and kRetryAfter as a RetryInfo, so that clients that know only
// google.rpc find what they expect. Messages and details are cut to 8 KiB each: they travel in a header.
// Thread-safe.
grpc::Status ToGrpc(const absl::Status& status);

// The reverse: code, message and base::Details of a status that a call returned. A message without text gets
// the name of the code. Thread-safe.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace curlew::rpc

#endif  // CURLEW_COMMON_RPC_ERROR_H_
