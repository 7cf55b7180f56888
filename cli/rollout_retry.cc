#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/rollout_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "cli/watch.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

// What is right instead, where nothing has failed or the way back has.
absl::Status CheckFailed(const v1::Rollout& rollout) {
  const std::string name = Bare(rollout.name());
  std::string instead;
  if (rollout.state() == v1::ROLLOUT_STATE_FAILED) {
    if (!rollout.has_rollback_time()) return absl::OkStatus();
    instead = absl::StrCat("what failed is its rollback: `curlew rollout rollback ", name, "` tries again");
  } else if (rollout.state() == v1::ROLLOUT_STATE_PAUSED) {
    instead = absl::StrCat("it is paused, not failed: `curlew rollout resume ", name, "` goes on with it");
  } else {
    instead = absl::StrCat("it has not failed: it is ", Word(rollout.state()), "; `curlew rollout show ",
                           name, "` says where it stands");
  }
  return base::WithDetail(
      absl::FailedPreconditionError(absl::StrCat("there is nothing to retry in ", name, ": ", instead)),
      base::kReason, "ROLLOUT_STATE");
}

}  // namespace

void AddRolloutRetry(CLI::App& group, Context& context) {
  struct Options {
    std::string name, reason;
    std::string output = "table";
    bool watch = false;
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "retry", "Try again what has failed",
      "Tries the failed steps again, with a fresh count of tries, and repeats nothing that was done. Correct "
      "the "
      "cause first: `curlew rollout show` says what failed, what PostgreSQL said and what to do. It is for a "
      "rollout that has FAILED; one that was paused is resumed.",
      "# What failed\n"
      "curlew rollout show release-42\n"
      "# The rows are corrected: try again, and follow\n"
      "curlew rollout retry release-42 --reason 'rows corrected' --watch"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::GetRolloutRequest get;
    get.set_name(RolloutName(options->name));
    ASSIGN_OR_RETURN(const v1::Rollout failed, client->Call(&v1::RolloutService::Stub::GetRollout, get));
    RETURN_IF_ERROR(CheckFailed(failed));
    v1::ChangeRolloutRequest request;
    request.set_name(RolloutName(options->name));
    request.set_reason(options->reason);
    request.set_actor(context.flags.actor);
    // Of what was looked at: it may have been paused meanwhile.
    request.set_etag(failed.etag());
    ASSIGN_OR_RETURN(const v1::Rollout rollout,
                     client->Call(&v1::RolloutService::Stub::ResumeRollout, request));
    if (options->watch) {
      WatchOptions watch;
      watch.rollout = rollout.name();
      watch.after_event = rollout.last_event();
      return Watch(context, watch);
    }
    if (options->output != "table") {
      context.out << Structured(rollout, options->output);
    } else {
      context.out << rollout.name() << " is "
                  << Paint(Word(rollout.state()), ToneOf(rollout.state()), context.terminal.style) << "\n";
    }
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  verb->add_option("--reason", options->reason, "Why it will work now; recorded")->type_name("TEXT");
  verb->add_flag("-w,--watch", options->watch, "Show progress until it has ended");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
