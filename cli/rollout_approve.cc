#include <memory>

#include "cli/compiled_plans.h"
#include "cli/cover_view.h"
#include "cli/gate_view.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/rollout_view.h"
#include "cli/sign_options.h"
#include "cli/steps_group.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string name, gate, reason, cover;
  SignOptions sign;
  std::string output = "table";
};

bool IsBeforeDrop(const v1::Rollout& rollout, const v1::Gate& gate) {
  const v1::EnvironmentStage* stage = StageOf(rollout, gate);
  return stage != nullptr && stage->before_drop().id() == gate.id();
}

// Warns where agents behind the gate will ask for what is not given. Nothing where that cannot be found out.
void WarnOfSignatures(Context& context, Client* client, const v1::Rollout& rollout, const v1::Gate& gate) {
  v1::ListTargetsRequest request;
  request.set_environment(StageOf(rollout, gate)->environment());
  const auto list = CallAllPages(*client, &v1::TargetService::Stub::ListTargets, request);
  if (!list.ok()) return;
  std::vector<std::string> targets;
  for (const v1::Target& target : list->targets()) {
    if (target.requires_signatures()) targets.push_back(Bare(target.name()));
  }
  if (targets.empty()) return;
  constexpr size_t kShown = 5;
  context.err << "warning: " << ListNames(targets, kShown) << (targets.size() == 1 ? " runs" : " run")
              << " signed plans alone: there this approval lets nothing "
              << "be dropped without a signature\n  what to do: curlew rollout approve "
              << Printable(Bare(rollout.name())) << " --gate " << Printable(gate.id())
              << " --sign-key FILE\n";
}

// " by NAME": who gave the newest approval, as the controller knows them; with a certificate or a token that
// is not what --actor says. "" where there is none.
std::string ByWhom(const v1::Rollout& rollout) {
  const v1::Approval* newest = nullptr;
  for (const v1::Gate* gate : GatesOf(rollout)) {
    for (const v1::Approval& approval : gate->approvals()) {
      if (newest == nullptr || base::FromProto(approval.time()) >= base::FromProto(newest->time())) {
        newest = &approval;
      }
    }
  }
  return newest == nullptr ? "" : absl::StrCat(" by ", Printable(newest->actor()));
}

// Approves what was looked at: the cover that is sent is the one that was given, or of what is printed here.
absl::StatusOr<v1::Rollout> Approve(Context& context, const Options& options) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  v1::GetRolloutRequest get;
  get.set_name(RolloutName(options.name));
  ASSIGN_OR_RETURN(const v1::Rollout seen, client->Call(&v1::RolloutService::Stub::GetRollout, get));
  v1::ApproveRolloutRequest request;
  request.set_name(RolloutName(options.name));
  request.set_gate(options.gate);
  request.set_reason(options.reason);
  request.set_actor(context.flags.actor);
  request.set_cover(options.cover);
  const v1::Gate* gate = FindGate(seen, options.gate);
  if (options.sign.given()) {
    ASSIGN_OR_RETURN(gate, GateToSign(seen, options.gate));
    ASSIGN_OR_RETURN(*request.mutable_signature(), SignDrop(options.sign, seen, *gate, absl::Now()));
  } else if (gate != nullptr && IsBeforeDrop(seen, *gate)) {
    WarnOfSignatures(context, client, seen, *gate);
  }
  if (gate != nullptr) {
    request.set_gate(gate->id());
    if (options.cover.empty()) request.set_cover(gate->cover());
    if (options.output == "table" && !gate->cover().empty()) {
      ASSIGN_OR_RETURN(const CompiledPlans plans, FetchCompiledPlans(client, seen));
      context.out << Printable(gate->id()) << " covers:\n"
                  << RenderCover(seen, *gate, plans,
                                 {context.terminal.style, context.zone, absl::Now(), context.width()})
                  << std::flush;
    }
    if (options.output == "table" && request.has_signature()) {
      context.out << RenderSigned(request.signature(), absl::Now()) << std::flush;
    }
  }
  return client->Call(&v1::RolloutService::Stub::ApproveRollout, request);
}

}  // namespace

void AddRolloutApprove(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "approve", "Approve a gate of a rollout",
      "Without --gate it is the gate that the rollout waits at now. Scripts should name it, so "
      "that they never approve another one than they mean. An approval covers the plan, the targets, their "
      "schemas and the policy as they are shown (`curlew rollout show ROLLOUT --gate GATE` shows them "
      "before): "
      "where one of them changes it does not count any more. With --cover it is refused where they are not "
      "what "
      "was reviewed. Who approves (--actor, or CURLEW_ACTOR) and why is kept for good; the author of the "
      "plan, "
      "and whoever started the rollout, cannot. Agents that run signed plans alone ask for approvals of the "
      "gate before DROP that are signed, with --sign-key: such a one may also be given when the gate is "
      "open, "
      "also by who has approved it without.",
      "# What would be approved\n"
      "curlew rollout show release-42 --gate production/before\n"
      "# Let the rollout drop the old column in staging\n"
      "curlew rollout approve release-42 --gate staging/before-drop --reason 'old app is gone'\n"
      "# Exactly what was reviewed, or nothing\n"
      "curlew rollout approve release-42 --gate production/before --cover 3f2a9c… --reason 'reviewed, "
      "#4711'\n"
      "# For agents that run signed plans alone: the old shape may go, says this key\n"
      "curlew rollout approve release-42 --gate production/before-drop --sign-key bob.pem\n"
      "# Whatever gate it waits at\n"
      "curlew rollout approve release-42 --reason 'checked the dashboards'"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(const v1::Rollout rollout, Approve(context, *options));
    if (options->output != "table") {
      context.out << Structured(rollout, options->output);
      return ExitCode::kOk;
    }
    context.out << Printable(rollout.name()) << ": approved" << ByWhom(rollout)
                << (options->sign.given() ? ", signed\n" : "\n");
    if (rollout.state() == v1::ROLLOUT_STATE_FAILED && options->sign.given()) {
      context.out << "It goes on with: curlew rollout resume " << Printable(Bare(rollout.name())) << "\n";
    }
    for (const v1::Waiting& waiting : rollout.waiting()) {
      context.out << "waits for " << WaitingText(waiting, absl::Now()) << "\n";
    }
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  verb->add_option("--gate", options->gate, "Id of the gate, as `curlew rollout show` prints it")
      ->type_name("GATE");
  verb->add_option("--reason", options->reason, "Why; recorded")->type_name("TEXT");
  verb->add_option("--cover", options->cover,
                   "Refuse where the gate covers anything else than when it had this cover")
      ->type_name("SHA256");
  AddSignOptions(*verb, options->sign);
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
