#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/fleet_view.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

v1::RunState StateOf(const std::string& word) {
  v1::RunState state = v1::RUN_STATE_UNSPECIFIED;
  v1::RunState_Parse(
      absl::StrCat("RUN_STATE_", absl::AsciiStrToUpper(absl::StrReplaceAll(word, {{"-", "_"}}))), &state);
  return state;
}

}  // namespace

void AddRolloutRuns(CLI::App& group, Context& context) {
  struct Options {
    std::string name, environment, state;
    bool attention = false;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "runs", "List the runs of a rollout, one for each target",
      "What `curlew rollout show` only counts where a rollout has many targets. --attention lists those that "
      "somebody should look at: failed, set aside, left out, held by another rollout, without an agent, or "
      "with "
      "an error found by preflight.",
      "# Every target\n"
      "curlew rollout runs release-42\n"
      "# What failed in production\n"
      "curlew rollout runs release-42 --environment production --state failed\n"
      "# What holds it up\n"
      "curlew rollout runs release-42 --attention"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::ListRunsRequest request;
    request.set_name(RolloutName(options->name));
    if (!options->environment.empty()) request.set_environment(EnvironmentName(options->environment));
    if (!options->state.empty()) request.add_states(StateOf(options->state));
    ASSIGN_OR_RETURN(v1::ListRunsResponse list,
                     CallAllPages(*client, &v1::RolloutService::Stub::ListRuns, request));
    if (options->attention) {
      v1::ListRunsResponse picked;
      for (v1::Run& run : *list.mutable_runs()) {
        if (!AttentionText(run).empty()) *picked.add_runs() = std::move(run);
      }
      list = std::move(picked);
    }
    if (options->output == "name") {
      for (const v1::Run& run : list.runs()) context.out << Printable(run.target()) << "\n";
    } else if (options->output != "table") {
      context.out << Structured(list, options->output);
    } else if (list.runs().empty()) {
      context.out << "No such run.\n";
    } else {
      const ViewOptions view = {context.terminal.style, context.zone, absl::Now(), context.width()};
      context.out << RunTable(list.runs(), view).Render(context.terminal.style, context.width());
    }
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  verb->add_option("--environment", options->environment, "Only the targets of this environment")
      ->type_name(kEnvironmentType);
  verb->add_option("--state", options->state, "Only runs in this state")
      ->type_name(kRunStateType)
      ->check([](const std::string& text) -> std::string {
        const std::vector<std::string> words = RunStateWords();
        if (std::find(words.begin(), words.end(), text) != words.end()) return "";
        return absl::StrCat("\"", text, "\" is none of ", absl::StrJoin(words, ", "));
      });
  verb->add_flag("--attention", options->attention, "Only those that somebody should look at");
  AddOutput(*verb, {"table", "json", "yaml", "name"}, options->output);
}

}  // namespace curlew::cli
