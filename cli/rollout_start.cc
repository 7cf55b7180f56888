#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/files.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/plan_submit.h"
#include "cli/rollout_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "cli/watch.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string plan, id, digest;
  std::string output = "table";
  FollowFlags follow;
};

absl::StatusOr<v1::Rollout> Start(Context& context, const Options& options) {
  v1::CreateRolloutRequest request;
  if (MeansFile(options.plan)) {
    ASSIGN_OR_RETURN(const v1::StoredPlan stored, SubmitPlanFile(context, options.plan, options.digest));
    request.set_plan(stored.name());
  } else {
    request.set_plan(PlanName(options.plan));
  }
  request.set_rollout_id(options.id);
  request.set_digest(options.digest);
  request.set_actor(context.flags.actor);
  ASSIGN_OR_RETURN(Client * client, context.client());
  return client->Call(&v1::RolloutService::Stub::CreateRollout, request);
}

void Print(Context& context, const v1::Rollout& rollout, const std::string& output) {
  const std::string name = Bare(rollout.name());
  if (output == "name") {
    context.out << name << std::endl;
  } else if (output == "table") {
    // With --id it may be one that was started long ago.
    const bool runs = rollout.state() == v1::ROLLOUT_STATE_RUNNING;
    context.out << rollout.name() << (runs ? " is RUNNING" : " exists and is ")
                << (runs ? "" : Paint(Word(rollout.state()), ToneOf(rollout.state()), context.terminal.style))
                << (runs ? "\nto follow it: curlew rollout watch " : "\nto look at it: curlew rollout show ")
                << name << std::endl;
  } else {
    context.out << Structured(rollout, output) << std::flush;
  }
}

}  // namespace

void AddRolloutStart(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "start", "Start a rollout of a plan through all environments",
      "The plan is one that was submitted (a bare name means the newest of that name), or a file, which is "
      "submitted first: a name that ends in .yaml, .yml or .json, holds a slash, or is -. With --id, the "
      "same "
      "command again finds the rollout that it started before, and starts no other.",
      "# Submit a plan, start its rollout and follow it\n"
      "curlew rollout start examples/plans/rename-contact-phone.yaml --watch\n"
      "# Start the newest plan of a name, once, whatever happens to the connection\n"
      "curlew rollout start rename-contact-phone --id release-42\n"
      "# For a script: until an approval is needed (status 0), it failed (7), or was undone (8)\n"
      "curlew rollout start rename-contact-phone --id release-42 --wait --until gate"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(const v1::Rollout rollout, Start(context, *options));
    if (!Follows(options->follow)) {
      Print(context, rollout, options->output);
      return ExitCode::kOk;
    }
    context.out << rollout.name() << std::endl;
    return Follow(context, options->follow, rollout.name(), 0);
  });
  AddArgument(*verb, kPlanOrFileType, options->plan, "Name of a stored plan, or a file");
  verb->add_option("--id", options->id, "Id of the rollout (default: the controller makes one)")
      ->type_name("ID");
  verb->add_option("--digest", options->digest, "Refuse to start where this is not the plan's digest")
      ->type_name("SHA256");
  AddFollowFlags(*verb, options->follow);
  AddOutput(*verb, {"table", "json", "yaml", "name"}, options->output);
}

}  // namespace curlew::cli
