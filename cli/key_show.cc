#include <memory>

#include "cli/key_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/signing/key_files.h"

namespace curlew::cli {

void AddKeyShow(CLI::App& group, Context& context) {
  const auto path = std::make_shared<std::string>();
  const VerbInfo info = {"show", "Show the public key and its id, of either half",
                         "The public key is what `trust:` of an agent's configuration has; the id is what "
                         "`curlew plan show` and the audit log have. Nothing of a private key is shown.",
                         "# For the agents' configuration\n"
                         "curlew key show alice.pem.pub"};
  CLI::App* verb = AddVerb(group, context, info, [&context, path]() -> absl::StatusOr<ExitCode> {
    auto key = signing::LoadPublicKey(*path);
    if (absl::IsInvalidArgument(key.status())) {
      return base::WithDetail(key.status(), base::kHint,
                              "take a file that `curlew key create` has made, or any Ed25519 key in PEM");
    }
    RETURN_IF_ERROR(key.status());
    context.out << RenderKey(*key);
    return ExitCode::kOk;
  });
  AddArgument(*verb, kFileType, *path, "The private key, or the file beside it that ends in .pub");
}

}  // namespace curlew::cli
