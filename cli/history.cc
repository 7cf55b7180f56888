#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/record_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddHistory(CLI::App& root, Context& context) {
  struct Options {
    std::string name;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "history", "List what has happened to a target, newest first",
      "Every rollout that ended there, done or rolled back, and every baseline: who, when, which plan, with "
      "the labels that the rollout was started with. `-o json` has digests and fingerprints, too.",
      "# How did this database become what it is?\n"
      "curlew history production-crm\n"
      "# From which commits\n"
      "curlew history production-crm -o json | jq -r '.records[].labels.commit'"};
  CLI::App* verb = AddVerb(root, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::ListTargetRecordsRequest request;
    request.set_name(TargetName(options->name));
    ASSIGN_OR_RETURN(const v1::ListTargetRecordsResponse list,
                     CallAllPages(*client, &v1::TargetService::Stub::ListTargetRecords, request));
    if (options->output != "table") {
      context.out << Structured(list, options->output);
    } else if (list.records().empty()) {
      context.out << "Nothing is on record of " << Printable(Bare(options->name))
                  << ": curlew target baseline " << Printable(Bare(options->name))
                  << " --reason TEXT records it as it is\n";
    } else {
      context.out << RecordTable(list.records(),
                                 {context.terminal.style, context.zone, absl::Now(), context.width()})
                         .Render(context.terminal.style, context.width());
    }
    return ExitCode::kOk;
  });
  AddArgument(*verb, kTargetType, options->name, "Name of the target");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
