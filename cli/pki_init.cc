#include <memory>

#include "absl/time/clock.h"
#include "cli/pki_options.h"
#include "cli/pki_view.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/pki/authority_folder.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string folder = kDefaultPkiFolder;
  std::string name = pki::AuthorityOptions().name;
  std::string trust_domain = pki::AuthorityOptions().trust_domain;
  int32_t days = pki::AuthorityOptions().days;
};

absl::StatusOr<ExitCode> Init(Context& context, const Options& options) {
  const absl::Time now = absl::Now();
  pki::AuthorityFolder::Made made;
  ASSIGN_OR_RETURN(
      const pki::AuthorityFolder folder,
      pki::AuthorityFolder::Make(
          options.folder, {.name = options.name, .trust_domain = options.trust_domain, .days = options.days},
          now, &made));
  if (made == pki::AuthorityFolder::Made::kBefore) {
    context.out
        << "taken as an earlier run that was interrupted had made it, with the options of that run:\n";
  }
  const pki::CertificateFacts& facts = folder.authority().certificate().facts();
  context.out << Printable(absl::StrCat("CA ", facts.common_name, " for spiffe://",
                                        folder.authority().trust_domain()))
              << ", " << Validity(facts.begins, facts.ends, now) << "\n"
              << Printable(options.folder) << "/ca.crt  give it to everybody\n"
              << Printable(options.folder)
              << "/ca.key  keep it to yourself, with a copy elsewhere: who has it can be anybody\n"
              << "next: curlew pki issue controller --dns NAME --ip ADDRESS; curlew pki issue agent NAME\n";
  return ExitCode::kOk;
}

}  // namespace

void AddPkiInit(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {"init", "Make a CA in a folder",
                         "For people without a CA of their own: who has one, or cert-manager, uses that "
                         "(docs/pki.md). The folder gets the CA's certificate, its key (for the owner "
                         "alone), and an empty list of revoked certificates. Nothing that is there is ever "
                         "overwritten.",
                         "# A CA in ./pki\n"
                         "curlew pki init\n"
                         "# With a name that people will know in five years\n"
                         "curlew pki init --dir /root/curlew-pki --name 'Example Ltd Curlew CA' --days 1825"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options] { return Init(context, *options); });
  AddPkiFolder(*verb, options->folder);
  verb->add_option("--name", options->name, "Name of the CA")->type_name("TEXT")->default_str(options->name);
  AddPkiDays(*verb, options->days, "How many days it is valid: no certificate outlives it");
  verb->add_option("--trust-domain", options->trust_domain,
                   "First part of all identities: spiffe://TRUST-DOMAIN/agent/NAME")
      ->type_name("NAME")
      ->default_str(options->trust_domain);
}

}  // namespace curlew::cli
