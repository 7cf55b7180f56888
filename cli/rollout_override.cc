#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

void Print(Context& context, const v1::Rollout& rollout) {
  const auto print = [&](const v1::Run& run, const v1::StepStatus& step) {
    const bool past = step.state() == v1::STEP_STATE_SUCCEEDED || step.state() == v1::STEP_STATE_UNDONE;
    if (!step.has_override() || past) return;
    context.out << Printable(run.target()) << ": " << Printable(step.key())
                << " need not wait: overridden by " << Printable(step.override().actor()) << ": "
                << Printable(step.override().reason()) << "\n";
  };
  for (const v1::Run& run : rollout.runs()) {
    for (const v1::StepStatus& step : run.steps()) print(run, step);
    print(run, run.rollback_gate());
  }
}

}  // namespace

void AddRolloutOverride(CLI::App& group, Context& context) {
  struct Options {
    std::string name, target, reason, etag;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "override", "Let a rollout go on although sessions may still use what is about to go",
      "Before DROP, and before a rollback, a step waits until no session uses the shape that goes. This says "
      "that it need not wait any longer; without --target it is for every target that waits now. Sessions "
      "that still use the shape get errors from then on. Gates are not opened by it. Who decides (--actor) "
      "and why is kept for good.",
      "# Who is waited for\n"
      "curlew rollout show release-42\n"
      "# Drop all the same: the report that names the old column is known to fail\n"
      "curlew rollout override release-42 --target staging-crm --reason 'only the old report, ticket 4711'"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::OverrideWaitRequest request;
    request.set_name(RolloutName(options->name));
    request.set_target(Bare(options->target));
    request.set_reason(options->reason);
    request.set_actor(context.flags.actor);
    request.set_etag(options->etag);
    ASSIGN_OR_RETURN(const v1::Rollout rollout,
                     client->Call(&v1::RolloutService::Stub::OverrideWait, request));
    if (options->output != "table") {
      context.out << Structured(rollout, options->output);
    } else {
      Print(context, rollout);
    }
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  verb->add_option("--target", options->target,
                   "The target that need not wait; default: every one that waits")
      ->type_name(kTargetType);
  verb->add_option("--reason", options->reason, "Why; recorded")->type_name("TEXT")->required();
  verb->add_option("--etag", options->etag, "Refuse where the rollout has changed since it had this etag")
      ->type_name("ETAG");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
