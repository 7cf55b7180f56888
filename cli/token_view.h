// Bearer tokens as tables.
#ifndef CURLEW_CLI_TOKEN_VIEW_H_
#define CURLEW_CLI_TOKEN_VIEW_H_

#include <string>

#include "absl/time/time.h"
#include "cli/table.h"
#include "curlew/v1/operator.pb.h"
#include "google/protobuf/repeated_ptr_field.h"

namespace curlew::cli {

// Whether it counts at `now`: "counts", "expired" or "revoked".
std::string TokenState(const v1::Token& token, absl::Time now);

// Times in `zone`.
Table TokenTable(const google::protobuf::RepeatedPtrField<v1::Token>& tokens, absl::Time now,
                 absl::TimeZone zone);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_TOKEN_VIEW_H_
