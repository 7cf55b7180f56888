#include "tests/support/raw_call.h"

#include <grpcpp/generic/generic_stub.h>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace curlew::testing {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(20);

// Whether the operation that was begun last has succeeded.
bool Done(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  return queue.Next(&tag, &ok) && ok;
}

}  // namespace

absl::StatusOr<std::string> RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& path,
                                    const std::string& request) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kTimeout));
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel);
  const auto call = stub.PrepareCall(&context, path, &queue);
  call->StartCall(nullptr);
  bool answered = Done(queue);
  const grpc::Slice slice(request);
  if (answered) {
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    answered = Done(queue);
  }
  grpc::ByteBuffer response;
  call->Read(&response, nullptr);
  answered = Done(queue);
  if (answered) context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  Done(queue);
  if (!answered && !status.ok()) {
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }
  grpc::Slice bytes;
  if (!answered || !response.DumpToSingleSlice(&bytes).ok()) return "";
  return std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}

}  // namespace curlew::testing
