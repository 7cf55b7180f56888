#include <memory>

#include "cli/names.h"
#include "cli/units.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddTokenRevoke(CLI::App& group, Context& context) {
  struct Options {
    std::string name, reason;
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "revoke", "Take a bearer token back: from now on it does not count",
      "Holds for the next call; whoever watches a rollout with it is told nothing more. A revoked token "
      "never counts again, but its name may be given to a new one.",
      "# It was in a log\n"
      "curlew token revoke ci --reason 'seen in the log of build 17'"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::RevokeTokenRequest request;
    request.set_name(TokenName(options->name));
    request.set_reason(options->reason);
    request.set_actor(context.flags.actor);
    ASSIGN_OR_RETURN(const v1::Token token, client->Call(&v1::TokenService::Stub::RevokeToken, request));
    context.out << "token " << Printable(Bare(token.name())) << " was revoked at "
                << ShortTime(base::FromProto(token.revoke_time()), context.zone) << " by "
                << Printable(token.revoker()) << "\n";
    return ExitCode::kOk;
  });
  AddArgument(*verb, "NAME", options->name, "Name of the token");
  verb->add_option("--reason", options->reason, "Why; recorded")->type_name("TEXT");
}

}  // namespace curlew::cli
