#include <sys/stat.h>

#include <memory>

#include "absl/time/clock.h"
#include "cli/pki_options.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pki/authority_folder.h"
#include "common/pki/files.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string folder = kDefaultPkiFolder;
  std::string what;
};

absl::StatusOr<absl::Time> Revoke(const pki::AuthorityFolder& folder, const std::string& what,
                                  absl::Time now) {
  struct stat found {};
  if (stat(what.c_str(), &found) != 0) return folder.Revoke(what, now);
  ASSIGN_OR_RETURN(const std::string text, pki::ReadWhole(what));
  absl::StatusOr<pki::Certificate> certificate = pki::Certificate::FromPem(text);
  if (!certificate.ok()) {
    return base::WithDetail(base::Annotate(certificate.status(), what), base::kHint,
                            "give the file of a certificate (tls.crt), or its serial number");
  }
  return folder.Revoke(*certificate, now);
}

}  // namespace

void AddPkiRevoke(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "revoke", "Revoke a certificate whose key may be in wrong hands",
      "Adds a signed list of all that is revoked to the folder crl of the CA. Programs that have been "
      "started with --tls-crl-dir on a copy of that folder refuse the certificate at the next connection, "
      "without a restart; connections that stand go on until they reach their age (half an hour). A "
      "certificate that was renewed has another serial number than before: `curlew pki show DIR` lists all "
      "that a CA has issued.",
      "# By its file\n"
      "curlew pki revoke pki/staging-crm/tls.crt\n"
      "# By its serial number, when the file is gone\n"
      "curlew pki show pki\n"
      "curlew pki revoke 5f0c2ad1b8e34c6f9a7d10e2b3c4d5e6"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    const absl::Time now = absl::Now();
    ASSIGN_OR_RETURN(const pki::AuthorityFolder folder, pki::AuthorityFolder::Open(options->folder));
    ASSIGN_OR_RETURN(const absl::Time since, Revoke(folder, options->what, now));
    if (since < now) {
      context.out << "revoked already, since " << pki::Shown(since) << "; nothing was changed\n";
      return ExitCode::kOk;
    }
    context.out
        << "revoked\n"
        << "bring " << Printable(folder.ListsPath())
        << " to where the programs read it (--tls-crl-dir): they refuse it from the next connection on\n";
    return ExitCode::kOk;
  });
  AddArgument(*verb, kFileType, options->what, "File of the certificate, or its serial number");
  AddPkiFolder(*verb, options->folder);
}

}  // namespace curlew::cli
