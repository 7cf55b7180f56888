#include <memory>

#include "cli/names.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "cli/watch.h"

namespace curlew::cli {

void AddRolloutWatch(CLI::App& group, Context& context) {
  struct Options {
    std::string name;
    int64_t after = 0;
    std::string output = "table";
    FollowFlags follow;
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {"watch", "Follow a rollout until it has ended",
                         "On a terminal: a live line for each target, below the events. Otherwise plain "
                         "lines: every event once, "
                         "progress every two seconds at most and the less often the longer a step takes, and "
                         "what is waited for. After a lost "
                         "connection it goes on with the "
                         "next event; none is left out, none shown twice. Ends with status 0 where the "
                         "rollout succeeded, 7 where it "
                         "failed, 8 where it was rolled back, 9 where it was aborted, 10 or 11 where "
                         "--timeout has passed: `curlew --help` says which.",
                         "# Follow a rollout\n"
                         "curlew rollout watch release-42\n"
                         "# For a script: until an approval is needed, then give it\n"
                         "curlew rollout watch release-42 --until gate && curlew rollout approve release-42 "
                         "--reason 'looks well'\n"
                         "# For half an hour at most\n"
                         "curlew rollout watch release-42 --timeout 30m\n"
                         "# Every message as a line of JSON, from event 100 on\n"
                         "curlew rollout watch release-42 --after 99 -o json"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    return Follow(context, options->follow, RolloutName(options->name), options->after, options->output);
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  AddUntilFlags(*verb, options->follow);
  verb->add_option("--after", options->after, "Leave out events up to this number")
      ->type_name("NUMBER")
      ->check(CLI::NonNegativeNumber);
  AddChoice(*verb, "-o,--output", {"table", "json"}, options->output, "How to print what happens");
}

}  // namespace curlew::cli
