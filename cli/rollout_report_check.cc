#include <memory>

#include "cli/gate_view.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/rollout_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

// How the check stands now, wherever the rollout has it.
void Print(Context& context, const v1::Rollout& rollout, const std::string& check) {
  const ViewOptions view = {context.terminal.style, context.zone, absl::Now(), context.width()};
  const auto print = [&](const std::string& place, const v1::CheckStatus& status) {
    if (status.check() != check) return;
    context.out << Printable(place) << ": check " << Printable(check)
                << (status.target().empty() ? "" : " on ") << Printable(status.target()) << ": "
                << CheckText(status, view) << "\n";
  };
  for (const v1::Gate* gate : GatesOf(rollout)) {
    for (const v1::CheckStatus& status : gate->checks()) print(gate->id(), status);
  }
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    for (const v1::CheckStatus& status : stage.health()) print(Bare(stage.environment()), status);
  }
  context.out << Printable(rollout.name()) << " is "
              << Paint(Word(rollout.state()), ToneOf(rollout.state()), context.terminal.style) << "\n";
}

}  // namespace

void AddRolloutReportCheck(CLI::App& group, Context& context) {
  struct Options {
    std::string name, check, message;
    bool holds = false;
    bool fails = false;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "report-check", "Say how a check stands that somebody else makes",
      "For checks of kind `reported` in the environments file, such as \"the new application is deployed\": "
      "a "
      "deployment pipeline says whether it holds. The newest word counts, everywhere where the rollout has a "
      "check of that name, for as long as the check says (`expires`).",
      "# The application that writes both columns is out\n"
      "curlew rollout report-check release-42 app-deployed --holds --message 'app 7.3 on all nodes'\n"
      "# And is taken back\n"
      "curlew rollout report-check release-42 app-deployed --fails --message 'app 7.3 was rolled back'"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::ReportCheckRequest request;
    request.set_name(RolloutName(options->name));
    request.set_check(options->check);
    request.set_holds(options->holds);
    request.set_message(options->message);
    request.set_actor(context.flags.actor);
    ASSIGN_OR_RETURN(const v1::Rollout rollout,
                     client->Call(&v1::RolloutService::Stub::ReportCheck, request));
    if (options->output != "table") {
      context.out << Structured(rollout, options->output);
    } else {
      Print(context, rollout, options->check);
    }
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  AddArgument(*verb, "CHECK", options->check, "Name of the check");
  CLI::Option* holds = verb->add_flag("--holds", options->holds, "It holds");
  verb->add_flag("--fails", options->fails, "It does not")->excludes(holds);
  verb->add_option("--message", options->message, "What was seen; recorded")->type_name("TEXT");
  verb->parse_complete_callback([options] {
    if (!options->holds && !options->fails) {
      throw CLI::ValidationError("one of --holds and --fails says how the check stands");
    }
  });
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
