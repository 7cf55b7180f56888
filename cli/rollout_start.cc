#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/files.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/plan_submit.h"
#include "cli/preview.h"
#include "cli/rollout_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "cli/watch.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string plan, id, digest, environment;
  std::vector<std::string> labels;
  std::string output = "table";
  bool dry_run = false;
  bool allow_out_of_order = false;
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
  for (const std::string& label : options.labels) {
    const size_t at = label.find('=');
    (*request.mutable_labels())[label.substr(0, at)] = label.substr(at + 1);
  }
  request.set_allow_out_of_order(options.allow_out_of_order);
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
      "command again finds the rollout that it started before, and starts no other: a job of a pipeline that "
      "is "
      "run again goes on waiting for it, whatever labels it gives. With --dry-run nothing is started or "
      "stored: "
      "every target is compiled against its schema of this moment and looked at, and the status is 5 where "
      "one "
      "of them could not run the plan.",
      "# Submit a plan, start its rollout and follow it\n"
      "curlew rollout start examples/plans/rename-contact-phone.yaml --watch\n"
      "# Start the newest plan of a name, once, whatever happens to the connection\n"
      "curlew rollout start rename-contact-phone --id release-42\n"
      "# What it would do on every target; nothing runs\n"
      "curlew rollout start plan.yaml --dry-run\n"
      "# For a script: until an approval is needed (status 0), it failed (7), or was undone (8)\n"
      "curlew rollout start rename-contact-phone --id release-42 --wait --until gate\n"
      "# For a pipeline: an hour at most, events as lines of JSON, what it came from\n"
      "curlew rollout start plan.yaml --id release-42 --wait --timeout 1h --label commit=4f2a9c1 -o json"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    if (options->dry_run) return PreviewPlan(context, options->plan, options->environment, options->output);
    const bool follows = Follows(options->follow);
    // Of a single call it is the deadline, as without the verb.
    if (!follows && options->follow.timeout > absl::ZeroDuration()) {
      context.flags.timeout = options->follow.timeout;
    }
    ASSIGN_OR_RETURN(const v1::Rollout rollout, Start(context, *options));
    if (!follows) {
      Print(context, rollout, options->output);
      return ExitCode::kOk;
    }
    if (options->output != "json") context.out << rollout.name() << std::endl;
    // Of one that was started long ago, from the first event on that is kept.
    const int64_t after = std::max<int64_t>(0, rollout.first_event() - 1);
    return Follow(context, options->follow, rollout.name(), after, options->output);
  });
  AddArgument(*verb, kPlanOrFileType, options->plan, "Name of a stored plan, or a file");
  verb->add_option("--id", options->id, "Id of the rollout (default: the controller makes one)")
      ->type_name("ID");
  verb->add_option("--digest", options->digest, "Refuse to start where this is not the plan's digest")
      ->type_name("SHA256");
  AddLabels(*verb, options->labels,
            "A label to keep with the rollout, such as commit=4f2a9c1; may be repeated");
  verb->add_flag("--allow-out-of-order", options->allow_out_of_order,
                 "Start although a plan that this one comes after (`after:`) was never rolled out");
  CLI::Option* dry_run = verb->add_flag(
      "--dry-run", options->dry_run, "Only show what it would do on each target, and what speaks against it");
  verb->add_option("--environment", options->environment,
                   "With --dry-run: only the targets of this environment")
      ->type_name(kEnvironmentType)
      ->needs(dry_run);
  AddFollowFlags(*verb, options->follow);
  dry_run->excludes(verb->get_option("--wait"))->excludes(verb->get_option("--watch"));
  AddOutput(*verb, {"table", "json", "yaml", "name"}, options->output);
}

}  // namespace curlew::cli
