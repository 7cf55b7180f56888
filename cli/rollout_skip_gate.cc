#include <memory>

#include "cli/gate_view.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/rollout_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddRolloutSkipGate(CLI::App& group, Context& context) {
  struct Options {
    std::string name, gate, reason, etag;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "skip-gate", "Let a rollout pass a gate whose soak, windows or checks do not hold",
      "Without --gate it is the gate that is closed now. Soak time, windows and checks of the gate need not "
      "hold then; the approvals that it asks for it needs all the same, and a freeze of the environment "
      "holds. "
      "It shortens what is waited for and changes nothing of what is done. Who decides (--actor) and why is "
      "kept for good.",
      "# Why it is closed\n"
      "curlew rollout show release-42 --gate production/before\n"
      "# The fix cannot wait for the window\n"
      "curlew rollout skip-gate release-42 --gate production/before --reason 'incident 4711'"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::SkipGateRequest request;
    request.set_name(RolloutName(options->name));
    request.set_gate(options->gate);
    request.set_reason(options->reason);
    request.set_actor(context.flags.actor);
    request.set_etag(options->etag);
    ASSIGN_OR_RETURN(const v1::Rollout rollout, client->Call(&v1::RolloutService::Stub::SkipGate, request));
    if (options->output != "table") {
      context.out << Structured(rollout, options->output);
      return ExitCode::kOk;
    }
    const ViewOptions view = {context.terminal.style, context.zone, absl::Now(), context.width()};
    for (const v1::Gate* gate : GatesOf(rollout)) {
      if (gate->has_skip()) context.out << GateLines(rollout, *gate, view);
    }
    context.out << Printable(rollout.name()) << " is "
                << Paint(Word(rollout.state()), ToneOf(rollout.state()), context.terminal.style) << "\n";
    for (const v1::Waiting& waiting : rollout.waiting()) {
      context.out << "waits for " << WaitingText(waiting, absl::Now()) << "\n";
    }
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  verb->add_option("--gate", options->gate, "Id of the gate, as `curlew rollout show` prints it")
      ->type_name("GATE");
  verb->add_option("--reason", options->reason, "Why; recorded")->type_name("TEXT")->required();
  verb->add_option("--etag", options->etag, "Refuse where the rollout has changed since it had this etag")
      ->type_name("ETAG");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
