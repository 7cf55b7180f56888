#include "common/rpc/peer_version.h"

#include <string>

#include "absl/strings/string_view.h"
#include "common/base/version.h"

namespace curlew::rpc {

void TellVersion(grpc::ClientContext* context) {
  context->AddMetadata(kVersionMetadata, std::string(base::OwnVersion()));
}

absl::Status CheckClientVersion(grpc::ServerContextBase* context) {
  context->AddInitialMetadata(kVersionMetadata, std::string(base::OwnVersion()));
  const auto& metadata = context->client_metadata();
  const auto it = metadata.find(kVersionMetadata);
  if (it == metadata.end()) return absl::OkStatus();
  return base::CheckSkew({"controller", base::OwnVersion()},
                         {"client", absl::string_view(it->second.data(), it->second.size())});
}

}  // namespace curlew::rpc
