#include <memory>

#include "absl/time/clock.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/rollout_view.h"
#include "cli/sign_options.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

void Print(Context& context, const v1::Rollout& rollout) {
  for (const v1::Run& run : rollout.runs()) {
    for (const v1::StepStatus& step : run.steps()) {
      if (!step.skippable() || !step.has_override() || step.state() == v1::STEP_STATE_SUCCEEDED) continue;
      context.out << Printable(run.target()) << ": " << Printable(step.key()) << " is left out: skipped by "
                  << Printable(step.override().actor()) << ": " << Printable(step.override().reason())
                  << "\n";
    }
  }
  context.out << rollout.name() << " is "
              << Paint(Word(rollout.state()), ToneOf(rollout.state()), context.terminal.style) << "\n";
}

}  // namespace

void AddRolloutSkip(CLI::App& group, Context& context) {
  struct Options {
    std::string name, target, step, reason, etag;
    SignOptions sign;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "skip", "Go on without a step that has failed, where nothing later needs it",
      "Leaves out a step that has failed, and resumes the rollout. It is allowed only for steps that nothing "
      "later needs, which is ANALYZE (also with a vacuum): it changes no answer to any query, and autovacuum "
      "does it later. Any other is refused, with what can be done instead. Who decides (--actor) and why is "
      "kept "
      "for good.",
      "# What failed\n"
      "curlew rollout show release-42\n"
      "# The statistics can wait\n"
      "curlew rollout skip release-42 --reason 'autovacuum will analyze it, ticket 4711'\n"
      "# For an agent that runs signed plans alone\n"
      "curlew rollout skip release-42 --reason 'ticket 4711' --sign-key bob.pem"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::SkipStepRequest request;
    request.set_name(RolloutName(options->name));
    request.set_target(Bare(options->target));
    request.set_step(options->step);
    request.set_reason(options->reason);
    request.set_actor(context.flags.actor);
    request.set_etag(options->etag);
    if (options->sign.given()) {
      v1::GetRolloutRequest get;
      get.set_name(request.name());
      get.set_view(v1::ROLLOUT_VIEW_FULL);
      ASSIGN_OR_RETURN(const v1::Rollout seen, client->Call(&v1::RolloutService::Stub::GetRollout, get));
      ASSIGN_OR_RETURN(*request.mutable_signature(),
                       SignOverride(options->sign, seen, request.target(), options->step, absl::Now()));
      if (options->output == "table") context.out << RenderSigned(request.signature(), absl::Now());
    }
    ASSIGN_OR_RETURN(const v1::Rollout rollout, client->Call(&v1::RolloutService::Stub::SkipStep, request));
    if (options->output != "table") {
      context.out << Structured(rollout, options->output);
    } else {
      Print(context, rollout);
    }
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  verb->add_option("--target", options->target, "The target; default: every one whose step has failed")
      ->type_name(kTargetType);
  verb->add_option("--step", options->step, "Key of the step; default: the one that has failed")
      ->type_name("KEY");
  verb->add_option("--reason", options->reason, "Why it is not needed; recorded")
      ->type_name("TEXT")
      ->required();
  verb->add_option("--etag", options->etag, "Refuse where the rollout has changed since it had this etag")
      ->type_name("ETAG");
  AddSignOptions(*verb, options->sign);
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
