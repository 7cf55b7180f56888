#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/pki_options.h"
#include "cli/pki_secret.h"
#include "cli/pki_view.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pki/authority_folder.h"
#include "common/pki/files.h"
#include "common/pki/pair_folder.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string party;
  std::vector<std::string> names;
  std::string folder = kDefaultPkiFolder;
  std::vector<std::string> dns, ips;
  int32_t days = pki::CertificateRequest().days;
  std::string out;
  bool renew = false;
  std::vector<std::string> trust;
  std::string secret, name_space;
};

constexpr pki::Party kParties[] = {pki::Party::kController, pki::Party::kAgent, pki::Party::kUser};

pki::Party PartyOf(const std::string& word) {
  return *std::find_if(std::begin(kParties), std::end(kParties),
                       [&](pki::Party party) { return pki::Word(party) == word; });
}

absl::Status Failed(absl::Status status, absl::string_view hint) {
  return base::WithDetail(std::move(status), base::kHint, hint);
}

// The other CAs that --trust names.
absl::StatusOr<std::vector<pki::Certificate>> ReadTrusted(const std::vector<std::string>& paths) {
  std::vector<pki::Certificate> trusted;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(const std::string text, pki::ReadWhole(path));
    const absl::StatusOr<std::vector<pki::Certificate>> read = pki::Certificate::AllFromPem(text);
    if (!read.ok()) return base::Annotate(read.status(), path);
    for (const pki::Certificate& one : *read) {
      if (!one.facts().may_sign) {
        return Failed(absl::InvalidArgumentError(
                          absl::StrCat(path, " has a certificate that is not a CA's: ", one.facts().subject)),
                      "give the ca.crt of the other CA with --trust");
      }
      trusted.push_back(one);
    }
  }
  return trusted;
}

// The own CA first; what has expired is of no use.
std::vector<pki::Certificate> WithOwn(const pki::AuthorityFolder& folder,
                                      std::vector<pki::Certificate> others, absl::Time now) {
  others.erase(std::remove_if(others.begin(), others.end(),
                              [&](const pki::Certificate& one) { return one.facts().ends <= now; }),
               others.end());
  others.insert(others.begin(), folder.authority().certificate());
  return others;
}

void Say(Context& context, const std::string& path, const pki::Pair& pair, absl::Time now) {
  const pki::CertificateFacts& facts = pair.certificate.facts();
  context.out << Printable(path) << "  " << NamesOf(facts) << "\n  "
              << Validity(facts.begins, facts.ends, now) << ", serial number " << facts.serial << "\n";
}

// What renewal has to take over from the certificate that is there.
absl::Status TakeOver(const std::string& path, const std::optional<pki::Certificate>& current,
                      const Options& options, pki::CertificateRequest& request) {
  const std::string identity = pki::Uri(request.identity);
  if (!current.has_value()) {
    if (!options.renew) return absl::OkStatus();
    return Failed(absl::NotFoundError(absl::StrCat(path, " has no certificate to renew")),
                  "give the folder with its tls.crt (--out), or leave --renew out");
  }
  const pki::CertificateFacts& facts = current->facts();
  if (!options.renew) {
    return Failed(
        absl::AlreadyExistsError(absl::StrCat(path, " has a certificate already, of ", NamesOf(facts))),
        "replace it with --renew, or give another folder with --out");
  }
  if (facts.uris != std::vector<std::string>{identity}) {
    return Failed(absl::FailedPreconditionError(absl::StrCat(path, " has the certificate of ", NamesOf(facts),
                                                             ", not one of ", identity)),
                  "give the folder of the one to renew (--out), or another one without --renew");
  }
  if (request.dns.empty() && request.ips.empty()) {
    request.dns = facts.dns;
    request.ips = facts.ips;
  }
  return absl::OkStatus();
}

absl::Status IssueToFolder(Context& context, const pki::AuthorityFolder& folder, const Options& options,
                           pki::CertificateRequest request, const std::vector<pki::Certificate>& trust) {
  const absl::Time now = absl::Now();
  const std::string name = pki::CommonName(request.identity);
  const std::string path = options.out.empty() ? absl::StrCat(folder.path(), "/", name) : options.out;
  if (options.out.empty() && (name == "issued" || name == "crl")) {
    return Failed(absl::AlreadyExistsError(absl::StrCat(path, " is a folder of the CA's own")),
                  "give another folder with --out");
  }
  ASSIGN_OR_RETURN(const auto found, pki::Look(path));
  if (!found.has_value()) {
    // Before a folder is made for what cannot be.
    RETURN_IF_ERROR(TakeOver(path, std::nullopt, options, request));
    RETURN_IF_ERROR(pki::CheckRequest(request));
  }
  ASSIGN_OR_RETURN(pki::PairFolder pair_folder, pki::PairFolder::Open(path));
  ASSIGN_OR_RETURN(const std::optional<pki::Certificate> current, pair_folder.Current());
  RETURN_IF_ERROR(TakeOver(path, current, options, request));
  std::vector<pki::Certificate> others = trust;
  if (options.renew && options.trust.empty()) {
    ASSIGN_OR_RETURN(others, pair_folder.Trusted());
  }
  ASSIGN_OR_RETURN(const pki::Pair pair, folder.Issue(request, now));
  RETURN_IF_ERROR(pair_folder.Write(pair, WithOwn(folder, std::move(others), now)));
  Say(context, absl::StrCat(path, "/", pki::kCertificateFile), pair, now);
  if (current.has_value() && current->facts().ends > now) {
    context.out << "  the one before stays valid until " << pki::Shown(current->facts().ends)
                << "; if its key may be in wrong hands: curlew pki revoke " << current->facts().serial
                << "\n";
  }
  return absl::OkStatus();
}

absl::Status IssueSecret(Context& context, const pki::AuthorityFolder& folder, const Options& options,
                         const pki::CertificateRequest& request, const std::vector<pki::Certificate>& trust) {
  if (context.terminal.kind == Terminal::Kind::kScreen) {
    return Failed(absl::FailedPreconditionError("a private key is not written to a screen"),
                  "send it on: curlew pki issue ... --kubernetes-secret NAME | kubectl apply -f -");
  }
  const absl::Time now = absl::Now();
  ASSIGN_OR_RETURN(const pki::Pair pair, folder.Issue(request, now));
  const pki::Secret manifest =
      SecretManifest(options.secret, options.name_space, pair, WithOwn(folder, trust, now));
  context.out << manifest.Reveal();
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> Issue(Context& context, const Options& options) {
  ASSIGN_OR_RETURN(const pki::AuthorityFolder folder, pki::AuthorityFolder::Open(options.folder));
  ASSIGN_OR_RETURN(const std::vector<pki::Certificate> trust, ReadTrusted(options.trust));
  std::vector<pki::CertificateRequest> requests;
  const pki::Party party = PartyOf(options.party);
  const std::vector<std::string> names =
      party == pki::Party::kController ? std::vector<std::string>{""} : options.names;
  for (const std::string& name : names) {
    pki::CertificateRequest& request = requests.emplace_back();
    request.identity = {.trust_domain = folder.authority().trust_domain(), .party = party, .name = name};
    request.dns = options.dns;
    request.ips = options.ips;
    request.days = options.days;
    // All of them, before the first is issued. What a renewal takes over is there later.
    if (party != pki::Party::kController || !options.renew) RETURN_IF_ERROR(pki::CheckRequest(request));
  }
  for (const pki::CertificateRequest& request : requests) {
    RETURN_IF_ERROR(options.secret.empty() ? IssueToFolder(context, folder, options, request, trust)
                                           : IssueSecret(context, folder, options, request, trust));
  }
  return ExitCode::kOk;
}

// What contradicts what; thrown as CLI11 wants it.
void CheckUsage(const Options& options) {
  const bool controller = options.party == pki::Word(pki::Party::kController);
  if (controller && !options.names.empty()) {
    throw CLI::ValidationError("the controller has no NAME; its names are given with --dns and --ip");
  }
  if (!controller && options.names.empty()) {
    throw CLI::ValidationError(absl::StrCat("a NAME is needed: curlew pki issue ", options.party, " NAME"));
  }
  if (options.names.size() > 1 && !(options.out.empty() && options.secret.empty())) {
    throw CLI::ValidationError("--out and --kubernetes-secret are for one certificate: give one NAME");
  }
  if (!options.secret.empty() && (options.renew || !options.out.empty())) {
    throw CLI::ValidationError(
        "--kubernetes-secret writes no files: leave --out and --renew out (applying it again renews)");
  }
  if (options.secret.empty() && !options.name_space.empty()) {
    throw CLI::ValidationError("--namespace is that of --kubernetes-secret NAME, which is missing");
  }
  constexpr size_t kLongestSecret = 253, kLongestNamespace = 63;
  if (!options.secret.empty() && !pki::IsDnsName(options.secret, kLongestSecret)) {
    throw CLI::ValidationError(absl::StrCat("\"", options.secret, "\" cannot be the name of a Secret"));
  }
  if (!options.name_space.empty() && (absl::StrContains(options.name_space, '.') ||
                                      !pki::IsDnsName(options.name_space, kLongestNamespace))) {
    throw CLI::ValidationError(absl::StrCat("\"", options.name_space, "\" cannot be a namespace"));
  }
}

}  // namespace

void AddPkiIssue(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "issue", "Make a certificate for a controller, an agent or a person",
      "Writes tls.crt, tls.key and ca.crt, as a mounted Secret has them. --renew makes a new key and "
      "certificate for the same names and puts all three in place at once: programs that read them never see "
      "a mix, and take them without a restart. What a controller is dialled by (--dns, --ip) and which other "
      "CAs are trusted stay as they were, unless they are given anew.",
      "# The controller, with all names and addresses by which it is dialled\n"
      "curlew pki issue controller --dns curlew.example.com --dns localhost --ip 127.0.0.1\n"
      "# Agents; a person\n"
      "curlew pki issue agent staging-crm production-crm\n"
      "curlew pki issue user ann --days 30\n"
      "# Before it ends\n"
      "curlew pki issue agent staging-crm --renew\n"
      "# As a Secret\n"
      "curlew pki issue agent staging-crm --kubernetes-secret curlew-agent-crm-tls --namespace curlew | "
      "kubectl apply -f -"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options] { return Issue(context, *options); });
  AddChoice(*verb, "KIND", {"controller", "agent", "user"}, options->party, "Whom it is for")->required();
  verb->add_option("NAME", options->names, "Names of agents or of people")->type_name("NAME");
  AddPkiFolder(*verb, options->folder);
  AddRepeated(*verb, "--dns", "NAME", options->dns,
              "Name by which the controller is dialled; may be repeated");
  AddRepeated(*verb, "--ip", "ADDRESS", options->ips,
              "Address by which the controller is dialled; may be repeated");
  AddPkiDays(*verb, options->days, "How many days it is valid");
  verb->add_option("--out", options->out, "Folder to write to (default NAME in the folder of the CA)")
      ->type_name("DIR");
  verb->add_flag("--renew", options->renew,
                 "Replace the certificate that is there by a new one of the same names");
  AddRepeated(*verb, "--trust", "FILE", options->trust,
              "CA to put into ca.crt beside the own one, while changing over; may be repeated");
  verb->add_option("--kubernetes-secret", options->secret,
                   "Print a Secret of this name, with the key, in place of writing files")
      ->type_name("NAME");
  verb->add_option("--namespace", options->name_space, "Namespace of the Secret")->type_name("NAME");
  verb->parse_complete_callback([options] { CheckUsage(*options); });
}

}  // namespace curlew::cli
