// What those may do of whom nothing is known.
#ifndef CURLEW_CONTROLLER_ACCESS_STRANGERS_DOOR_H_
#define CURLEW_CONTROLLER_ACCESS_STRANGERS_DOOR_H_

#include <grpcpp/security/auth_metadata_processor.h>

#include "controller/access/guard.h"

namespace curlew::access {

// Stands before all calls of a server that hears clients without a certificate, and looks at them before
// anything of a request is read. Whoever shows neither a certificate that names him nor a token may ask for
// the server's health, and nothing else: UNAUTHENTICATED. gRPC's server reflection, which no Guard is asked
// for, wants one that counts, whatever he may do. What passes is for the Guard to judge. Thread-safe; looks
// at no file.
class StrangersDoor : public grpc::AuthMetadataProcessor {
 public:
  // `guard` must outlive every call.
  explicit StrangersDoor(const Guard* guard) : guard_(guard) {}

  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata* consumed,
                       OutputMetadata* response) override;

 private:
  const Guard* const guard_;
};

}  // namespace curlew::access

#endif  // CURLEW_CONTROLLER_ACCESS_STRANGERS_DOOR_H_
