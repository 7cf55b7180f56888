// What pause, resume, abort and rollback share: they change a rollout for a reason, and may be followed.
#ifndef CURLEW_CLI_ROLLOUT_CHANGE_H_
#define CURLEW_CLI_ROLLOUT_CHANGE_H_

#include "CLI/CLI.hpp"
#include "cli/context.h"
#include "cli/verb.h"
#include "cli/watch_state.h"
#include "curlew/v1/operator.grpc.pb.h"

namespace curlew::cli {

// The method that makes the change.
using ChangeMethod = grpc::Status (v1::RolloutService::Stub::*)(grpc::ClientContext*,
                                                                const v1::ChangeRolloutRequest&,
                                                                v1::Rollout*);

// Whether, and how far, the change can be followed with --watch and --wait.
enum class Following { kNever, kToEnd, kToUndone };

// Adds such a verb.
void AddChangeVerb(CLI::App& group, Context& context, const VerbInfo& info, ChangeMethod method,
                   Following following);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_ROLLOUT_CHANGE_H_
