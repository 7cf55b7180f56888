#include <memory>

#include "cli/key_view.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/signing/key_files.h"

namespace curlew::cli {

void AddKeyCreate(CLI::App& group, Context& context) {
  const auto path = std::make_shared<std::string>();
  const VerbInfo info = {
      "create", "Make a key to sign plans and approvals with",
      "The private key (Ed25519, PEM) goes to the new file FILE, for its owner alone: it is who you are to "
      "agents that run signed plans alone, so keep it to yourself. The public key goes to FILE.pub, and is "
      "printed as the `trust:` of such agents wants it (docs/signed-plans.md). Nothing is ever overwritten.",
      "# On the machine of who signs, and nowhere else\n"
      "curlew key create ~/.curlew/alice.pem\n"
      "# Sign with it\n"
      "curlew plan sign add-phone.yaml --key ~/.curlew/alice.pem --environment production"};
  CLI::App* verb = AddVerb(group, context, info, [&context, path]() -> absl::StatusOr<ExitCode> {
    auto made = signing::MakeKeyFiles(*path);
    if (absl::IsAlreadyExists(made.status())) {
      return base::WithDetail(made.status(), base::kHint,
                              "choose another name, or use the key that is there");
    }
    RETURN_IF_ERROR(made.status());
    context.out
        << "private key  " << Printable(*path) << " (keep it to yourself: only its owner may read it)\n"
        << "public half  " << Printable(made->public_path) << "\n"
        << RenderKey(made->key)
        << "next: give the public key to who configures the agents, under plan_keys or approver_keys\n";
    return ExitCode::kOk;
  });
  AddArgument(*verb, kFileType, *path, "Where the private key goes; the public one goes to FILE.pub");
}

}  // namespace curlew::cli
