#include <memory>

#include "absl/time/clock.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/sign_options.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

void Print(Context& context, const v1::Rollout& rollout) {
  bool stands = false;
  const auto print = [&](const v1::Run& run, const v1::StepStatus& step) {
    const bool past = step.state() == v1::STEP_STATE_SUCCEEDED || step.state() == v1::STEP_STATE_UNDONE;
    if (!step.has_override() || past) return;
    context.out << Printable(run.target()) << ": " << Printable(step.key())
                << (step.waits() ? " need not wait" : " may leave the rows that it could not write")
                << ": overridden by " << Printable(step.override().actor()) << ": "
                << Printable(step.override().reason()) << "\n";
    stands = stands || step.state() == v1::STEP_STATE_FAILED;
  };
  for (const v1::Run& run : rollout.runs()) {
    for (const v1::StepStatus& step : run.steps()) print(run, step);
    print(run, run.rollback_gate());
  }
  if (!stands) return;
  const bool back = rollout.has_rollback_time();
  context.out << "It goes on with: curlew rollout " << (back ? "rollback " : "resume ")
              << Printable(Bare(rollout.name())) << "\n";
}

}  // namespace

void AddRolloutOverride(CLI::App& group, Context& context) {
  struct Options {
    std::string name, target, reason, etag;
    SignOptions sign;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "override", "Let a rollout go on although sessions still use what goes, or rows could not be written",
      "Before DROP, and before a rollback, a step waits until no session uses the shape that goes. This says "
      "that it need not wait any longer; without --target it is for every target that waits now. Sessions "
      "that still use the shape get errors from then on. After a step that failed because of rows that it "
      "could not write (curlew rollout rows) it says that these rows may stay as they are; `curlew rollout "
      "resume` then goes on without them, and rows that are found later need another override. Gates are not "
      "opened by it. Who decides (--actor) and why is kept for good. Agents that run signed plans alone ask "
      "for "
      "--sign-key; with it what was said before without may be said again.",
      "# Who is waited for\n"
      "curlew rollout show release-42\n"
      "# Drop all the same: the report that names the old column is known to fail\n"
      "curlew rollout override release-42 --target staging-crm --reason 'only the old report, ticket 4711'\n"
      "# Leave the rows that could not be written as they are, and go on\n"
      "curlew rollout rows release-42 --target staging-crm\n"
      "curlew rollout override release-42 --target staging-crm --reason 'test accounts, deleted soon'\n"
      "curlew rollout resume release-42\n"
      "# For an agent that runs signed plans alone\n"
      "curlew rollout override release-42 --target crm-1 --reason 'ticket 4711' --sign-key bob.pem"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::OverrideWaitRequest request;
    request.set_name(RolloutName(options->name));
    request.set_target(Bare(options->target));
    request.set_reason(options->reason);
    request.set_actor(context.flags.actor);
    request.set_etag(options->etag);
    if (options->sign.given()) {
      v1::GetRolloutRequest get;
      get.set_name(request.name());
      get.set_view(v1::ROLLOUT_VIEW_FULL);
      ASSIGN_OR_RETURN(const v1::Rollout seen, client->Call(&v1::RolloutService::Stub::GetRollout, get));
      ASSIGN_OR_RETURN(*request.mutable_signature(),
                       SignOverride(options->sign, seen, request.target(), "", absl::Now()));
      if (options->output == "table") context.out << RenderSigned(request.signature(), absl::Now());
    }
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
                   "The target; default: every one that waits, or whose rows could not be written")
      ->type_name(kTargetType);
  verb->add_option("--reason", options->reason, "Why; recorded")->type_name("TEXT")->required();
  verb->add_option("--etag", options->etag, "Refuse where the rollout has changed since it had this etag")
      ->type_name("ETAG");
  AddSignOptions(*verb, options->sign);
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
