#include "cli/completion.h"
#include "cli/verb.h"
#include "cli/verbs.h"

namespace curlew::cli {

void AddCompletion(CLI::App& root, Context& context) {
  CLI::App* group = AddGroup(root, {"completion", "Print a completion script for a shell", "", ""});
  AddVerb(*group, context,
          {"bash", "Print a completion script for bash", "",
           "# For this shell\n"
           "source <(curlew completion bash)\n"
           "# For every shell\n"
           "curlew completion bash > /etc/bash_completion.d/curlew"},
          [&root, &context]() -> absl::StatusOr<ExitCode> {
            context.out << BashCompletion(root);
            return ExitCode::kOk;
          });
  AddVerb(*group, context,
          {"zsh", "Print a completion script for zsh", "",
           "# For this shell\n"
           "source <(curlew completion zsh)\n"
           "# For every shell\n"
           "curlew completion zsh > /usr/local/share/zsh/site-functions/_curlew"},
          [&root, &context]() -> absl::StatusOr<ExitCode> {
            context.out << ZshCompletion(root);
            return ExitCode::kOk;
          });
}

}  // namespace curlew::cli
