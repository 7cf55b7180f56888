#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/rollout_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddRolloutApprove(CLI::App& group, Context& context) {
  struct Options {
    std::string name, gate, reason;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "approve", "Approve a gate of a rollout",
      "Without --gate it is the gate that the rollout waits at now. Scripts should name it, so "
      "that they never approve another one than they mean. Who approves (--actor) and why is "
      "kept for good.",
      "# Let the rollout drop the old column in staging\n"
      "curlew rollout approve release-42 --gate staging/before-drop --reason 'old app is gone'\n"
      "# Whatever gate it waits at\n"
      "curlew rollout approve release-42 --reason 'checked the dashboards'"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::ApproveRolloutRequest request;
    request.set_name(RolloutName(options->name));
    request.set_gate(options->gate);
    request.set_reason(options->reason);
    request.set_actor(context.flags.actor);
    ASSIGN_OR_RETURN(const v1::Rollout rollout,
                     client->Call(&v1::RolloutService::Stub::ApproveRollout, request));
    if (options->output != "table") {
      context.out << Structured(rollout, options->output);
      return ExitCode::kOk;
    }
    context.out << rollout.name() << ": approved by " << Printable(context.flags.actor) << "\n";
    for (const v1::Waiting& waiting : rollout.waiting()) {
      context.out << "waits for " << WaitingText(waiting, absl::Now()) << "\n";
    }
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  verb->add_option("--gate", options->gate, "Id of the gate, as `curlew rollout show` prints it")
      ->type_name("GATE");
  verb->add_option("--reason", options->reason, "Why; recorded")->type_name("TEXT");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
