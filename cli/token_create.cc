#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/names.h"
#include "cli/units.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::cli {

void AddTokenCreate(CLI::App& group, Context& context) {
  struct Options {
    std::string name, purpose;
    absl::Duration expires = absl::ZeroDuration();
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "create", "Make a bearer token, and print it, once",
      "For a pipeline or a program that cannot have a certificate of its own. What it may do stands in the "
      "controller's access file, where it has the name token:NAME; without a role it may do nothing. The "
      "token alone goes to the standard output, everything else to the standard error. Nobody keeps it: "
      "who has lost it makes another.",
      "# For a pipeline, for 30 days, into a file that nobody else may read\n"
      "umask 077\n"
      "curlew token create ci --expires 30d --purpose 'deploys crm' > ci.token\n"
      "# Use it\n"
      "curlew target list --token-file ci.token --tls-ca ca.crt"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::CreateTokenRequest request;
    request.set_token_id(Bare(options->name));
    request.set_purpose(options->purpose);
    request.set_actor(context.flags.actor);
    if (options->expires > absl::ZeroDuration()) {
      *request.mutable_lifetime() = base::ToProto(options->expires);
    }
    ASSIGN_OR_RETURN(const v1::CreateTokenResponse made,
                     client->Call(&v1::TokenService::Stub::CreateToken, request));
    const std::string name = Printable(Bare(made.token().name()));
    context.out << made.secret() << "\n" << std::flush;
    context.err << "token " << name << " counts until "
                << ShortTime(base::FromProto(made.token().expire_time()), context.zone)
                << ", and is shown this once\n"
                << "what it may do: users: [\"token:" << name
                << "\"] in the controller's access file (docs/access.md)\n";
    return ExitCode::kOk;
  });
  AddArgument(*verb, "NAME", options->name, "Its name: lower-case letters, digits and dashes");
  AddOptionalDuration(*verb, "--expires", options->expires,
                      "How long it counts, such as 12h or 30d; 90d by default, 366d at most");
  verb->add_option("--purpose", options->purpose, "What it is for; recorded")->type_name("TEXT");
}

}  // namespace curlew::cli
