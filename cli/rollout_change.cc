#include "cli/rollout_change.h"

#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/rollout_view.h"
#include "cli/watch.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string name, reason, etag;
  std::string output = "table";
  bool watch = false;
  bool wait = false;
};

void Print(Context& context, const v1::Rollout& rollout, const std::string& output) {
  if (output != "table") {
    context.out << Structured(rollout, output);
    return;
  }
  context.out << rollout.name() << " is "
              << Paint(Word(rollout.state()), ToneOf(rollout.state()), context.terminal.style);
  if (!rollout.reason().empty()) context.out << ": " << Printable(rollout.reason());
  context.out << "\n";
}

}  // namespace

void AddChangeVerb(CLI::App& group, Context& context, const VerbInfo& info, ChangeMethod method,
                   Following following) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      AddVerb(group, context, info, [&context, options, method, following]() -> absl::StatusOr<ExitCode> {
        ASSIGN_OR_RETURN(Client * client, context.client());
        v1::ChangeRolloutRequest request;
        request.set_name(RolloutName(options->name));
        request.set_reason(options->reason);
        request.set_actor(context.flags.actor);
        request.set_etag(options->etag);
        ASSIGN_OR_RETURN(const v1::Rollout rollout, client->Call(method, request));
        if (!options->watch && !options->wait) {
          Print(context, rollout, options->output);
          return ExitCode::kOk;
        }
        WatchOptions watch;
        watch.rollout = rollout.name();
        watch.after_event = rollout.last_event();
        watch.goal = following == Following::kToUndone ? WatchGoal::kUndone : WatchGoal::kEnd;
        if (options->wait) watch.print = WatchOptions::Print::kQuiet;
        return Watch(context, watch);
      });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  verb->add_option("--reason", options->reason, "Why; recorded")->type_name("TEXT");
  verb->add_option("--etag", options->etag, "Refuse where the rollout has changed since it had this etag")
      ->type_name("ETAG");
  if (following != Following::kNever) {
    CLI::Option* watch = verb->add_flag("-w,--watch", options->watch, "Show progress until it has ended");
    verb->add_flag("--wait", options->wait, "Wait until it has ended, and print only how")->excludes(watch);
  }
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
