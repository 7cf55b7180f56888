#include <sys/stat.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/files.h"
#include "cli/pki_options.h"
#include "cli/pki_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pki/authority_folder.h"
#include "common/pki/revocations.h"
#include "nlohmann/json.hpp"

namespace curlew::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLargestFile = 1 << 20;

struct Options {
  std::string what;
  std::string output = "table";
};

std::string IsoTime(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

// JSON has UTF-8 alone: other bytes become '?'.
std::string Text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace); }

Json AsJson(const pki::CertificateFacts& facts) {
  return {{"subject", facts.subject},
          {"uris", facts.uris},
          {"dns", facts.dns},
          {"ips", facts.ips},
          {"uses", facts.uses},
          {"not_before", IsoTime(facts.begins)},
          {"not_after", IsoTime(facts.ends)},
          {"serial", facts.serial},
          {"issuer", facts.issuer},
          {"ca", facts.may_sign},
          {"key", facts.key},
          {"sha256", facts.fingerprint}};
}

using Lines = std::vector<std::pair<std::string, std::string>>;

void Print(Context& context, const Lines& lines) {
  constexpr int kColumn = 10;
  for (const auto& [label, text] : lines) {
    if (!text.empty()) context.out << PadRight(label, kColumn) << Printable(text) << "\n";
  }
}

Lines LinesOf(const pki::CertificateFacts& facts, absl::Time now) {
  return {{"subject", facts.subject},
          {"URI", absl::StrJoin(facts.uris, ", ")},
          {"DNS", absl::StrJoin(facts.dns, ", ")},
          {"IP", absl::StrJoin(facts.ips, ", ")},
          {"for", facts.may_sign ? "signing certificates (a CA)" : absl::StrJoin(facts.uses, ", ")},
          {"from", pki::Shown(facts.begins)},
          {"", Validity(facts.begins, facts.ends, now)},
          {"serial", facts.serial},
          {"CA", facts.issuer == facts.subject ? "itself" : facts.issuer},
          {"key", facts.key},
          {"SHA-256", facts.fingerprint}};
}

absl::StatusOr<ExitCode> ShowList(Context& context, const Options& options, const pki::RevocationList& list,
                                  absl::Time now) {
  if (options.output == "json") {
    Json revoked = Json::array();
    for (const pki::Revocation& one : list.revocations) {
      revoked.push_back({{"serial", one.serial}, {"since", IsoTime(one.since)}});
    }
    context.out << Text({{"issuer", list.issuer},
                         {"number", list.number},
                         {"not_before", IsoTime(list.begins)},
                         {"not_after", IsoTime(list.ends)},
                         {"revoked", revoked}})
                << "\n";
    return ExitCode::kOk;
  }
  Print(context, {{"list", absl::StrCat("of revoked certificates, number ", list.number)},
                  {"CA", list.issuer},
                  {"from", pki::Shown(list.begins)},
                  {"", Validity(list.begins, list.ends, now)}});
  for (const pki::Revocation& one : list.revocations) {
    Print(context, {{"revoked", absl::StrCat(one.serial, " since ", pki::Shown(one.since))}});
  }
  if (list.revocations.empty()) Print(context, {{"revoked", "none"}});
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ShowFile(Context& context, const Options& options, absl::Time now) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(options.what, kLargestFile));
  if (absl::StatusOr<pki::RevocationList> list = pki::ReadList(text); list.ok()) {
    return ShowList(context, options, *list, now);
  }
  const absl::StatusOr<std::vector<pki::Certificate>> certificates = pki::Certificate::AllFromPem(text);
  if (!certificates.ok()) {
    const bool key = absl::StrContains(text, "PRIVATE KEY-----");
    return base::WithDetail(
        key ? absl::InvalidArgumentError(
                  absl::StrCat(options.what, " holds a private key, of which nothing is shown"))
            : base::Annotate(certificates.status(), options.what),
        base::kHint, "give a file with certificates (tls.crt, ca.crt) or a list (crl/HASH.r0), in PEM");
  }
  if (options.output == "json") {
    Json all = Json::array();
    for (const pki::Certificate& one : *certificates) all.push_back(AsJson(one.facts()));
    context.out << Text(all) << "\n";
    return ExitCode::kOk;
  }
  for (const pki::Certificate& one : *certificates) {
    if (&one != &certificates->front()) context.out << "\n";
    Print(context, LinesOf(one.facts(), now));
  }
  return ExitCode::kOk;
}

std::string StateOf(const pki::Issued& issued, absl::Time now) {
  if (issued.revoked.has_value()) return "revoked";
  return now >= issued.certificate.facts().ends ? "expired" : "valid";
}

absl::StatusOr<ExitCode> ShowFolder(Context& context, const Options& options, absl::Time now) {
  ASSIGN_OR_RETURN(const pki::Inventory inventory, pki::TakeInventory(options.what));
  const std::vector<pki::Issued>& all = inventory.issued;
  const pki::CertificateFacts& own = inventory.authority.facts();
  if (options.output == "json") {
    Json issued = Json::array();
    for (const pki::Issued& one : all) {
      Json json = AsJson(one.certificate.facts());
      json["state"] = StateOf(one, now);
      if (one.revoked.has_value()) json["revoked"] = IsoTime(*one.revoked);
      issued.push_back(std::move(json));
    }
    context.out << Text({{"ca", AsJson(own)}, {"issued", issued}}) << "\n";
    return ExitCode::kOk;
  }
  context.out << Printable(absl::StrCat("CA ", own.common_name)) << " for " << NamesOf(own) << ", "
              << Validity(own.begins, own.ends, now) << "\n";
  if (all.empty()) {
    context.out << "it has issued nothing yet\n";
    return ExitCode::kOk;
  }
  Table table({"SERIAL", "STATE", "UNTIL", "FOR"});
  for (const pki::Issued& one : all) {
    const pki::CertificateFacts& facts = one.certificate.facts();
    table.AddRow({facts.serial, StateOf(one, now), pki::Shown(facts.ends), NamesOf(facts)});
  }
  context.out << table.Render(context.terminal.style, context.width());
  return ExitCode::kOk;
}

}  // namespace

void AddPkiShow(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {"show", "Show what a certificate says, or what a CA has issued",
                         "Of a file, also one that other tools made: each certificate in it, or the list of "
                         "revoked ones. Of a folder of a CA: all that it has issued, with what is revoked "
                         "and what has expired, soonest first. Keys are never shown.",
                         "# Who is it for, how long?\n"
                         "curlew pki show pki/staging-crm/tls.crt\n"
                         "# What has this CA issued, and what ends next?\n"
                         "curlew pki show pki\n"
                         "# For a check of one's own\n"
                         "curlew pki show /etc/curlew/tls/tls.crt -o json"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    const absl::Time now = absl::Now();
    struct stat found {};
    if (stat(options->what.c_str(), &found) == 0 && S_ISDIR(found.st_mode))
      return ShowFolder(context, *options, now);
    return ShowFile(context, *options, now);
  });
  AddArgument(*verb, kFileType, options->what, "File in PEM (- is the standard input), or folder of a CA");
  AddOutput(*verb, {"table", "json"}, options->output);
}

}  // namespace curlew::cli
