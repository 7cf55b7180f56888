#include <memory>

#include "cli/fleet_view.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/rollout_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddRolloutSkipTarget(CLI::App& group, Context& context) {
  struct Options {
    std::string name, target, reason, etag;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "skip-target", "Leave a target out of a rollout, where nothing was changed there",
      "The rollout goes on without the target: for a database that is gone for long, or is to go. Refused "
      "where "
      "a step has begun on it: what was begun is finished or rolled back. The target does not have the plan "
      "then; start another rollout when it is back. Who decides (--actor) and why is kept for good.",
      "# What holds it up\n"
      "curlew rollout runs release-42 --attention\n"
      "# Go on without it\n"
      "curlew rollout skip-target release-42 production-7 --reason 'is being moved, ticket 4711'"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::SkipTargetRequest request;
    request.set_name(RolloutName(options->name));
    request.set_target(Bare(options->target));
    request.set_reason(options->reason);
    request.set_actor(context.flags.actor);
    request.set_etag(options->etag);
    ASSIGN_OR_RETURN(const v1::Rollout rollout, client->Call(&v1::RolloutService::Stub::SkipTarget, request));
    if (options->output != "table") {
      context.out << Structured(rollout, options->output);
      return ExitCode::kOk;
    }
    for (const v1::Run& run : rollout.runs()) {
      if (run.has_skip()) context.out << Printable(run.target()) << ": " << AttentionText(run) << "\n";
    }
    context.out << Printable(rollout.name()) << " is "
                << Paint(Word(rollout.state()), ToneOf(rollout.state()), context.terminal.style) << "\n";
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  AddArgument(*verb, kTargetType, options->target, "Name of the target");
  verb->add_option("--reason", options->reason, "Why; recorded")->type_name("TEXT")->required();
  verb->add_option("--etag", options->etag, "Refuse where the rollout has changed since it had this etag")
      ->type_name("ETAG");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
