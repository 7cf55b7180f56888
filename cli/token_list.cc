#include <memory>

#include "absl/time/clock.h"
#include "cli/output.h"
#include "cli/token_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddTokenList(CLI::App& group, Context& context) {
  auto output = std::make_shared<std::string>("table");
  const VerbInfo info = {
      "list", "List bearer tokens, the newest first, also those that count no more",
      "Nobody can show a token again: only who has made it, when, and until when it counts.",
      "# All of them\n"
      "curlew token list\n"
      "# Those that were never revoked, by their end\n"
      "curlew token list -o json | jq -r '.tokens[] | select(.revoke_time == null) | "
      "[.expire_time, .name] | @tsv' | sort"};
  CLI::App* verb = AddVerb(group, context, info, [&context, output]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    ASSIGN_OR_RETURN(const v1::ListTokensResponse list,
                     CallAllPages(*client, &v1::TokenService::Stub::ListTokens, v1::ListTokensRequest()));
    if (*output != "table") {
      context.out << Structured(list, *output);
    } else if (list.tokens().empty()) {
      context.out << "No tokens yet: curlew token create NAME\n";
    } else {
      context.out << TokenTable(list.tokens(), absl::Now(), context.zone)
                         .Render(context.terminal.style, context.width());
    }
    return ExitCode::kOk;
  });
  AddOutput(*verb, {"table", "json", "yaml"}, *output);
}

}  // namespace curlew::cli
