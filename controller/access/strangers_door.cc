#include "controller/access/strangers_door.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/error_detail.h"

namespace curlew::access {

grpc::Status StrangersDoor::Process(const InputMetadata& metadata, grpc::AuthContext* context,
                                    OutputMetadata* /*consumed*/, OutputMetadata* /*response*/) {
  const auto found = metadata.find(":path");
  const absl::string_view path = found == metadata.end()
                                     ? absl::string_view()
                                     : absl::string_view(found->second.data(), found->second.size());
  if (absl::StartsWith(path, "/grpc.health.v1.Health/")) return grpc::Status::OK;
  const Credential credential = Credential::Of(metadata, *context, "");
  const bool stranger =
      credential.identity.empty() && credential.authorization == Credential::Authorization::kNone;
  if (!stranger && absl::StartsWith(path, "/curlew.")) return grpc::Status::OK;
  const absl::Status known = guard_->Known(credential);
  if (known.ok()) return grpc::Status::OK;
  // Details do not travel from here.
  return {static_cast<grpc::StatusCode>(known.code()),
          absl::StrCat(std::string(known.message()), ": ", base::Detail(known, base::kHint))};
}

}  // namespace curlew::access
