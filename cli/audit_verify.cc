#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/audit_check.h"
#include "cli/files.h"
#include "cli/units.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/signing/audit_head.h"

namespace curlew::cli {
namespace {

constexpr size_t kLargestKey = 64 << 10;
constexpr int kPage = 1000;
constexpr size_t kMostShown = 20;

struct Options {
  std::string public_key;
  int64_t since = 0;
  std::string hash;
  std::string signature;
};

absl::StatusOr<std::optional<signing::PublicKey>> ReadKey(const std::string& path) {
  if (path.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(path, kLargestKey));
  auto key = signing::PublicKey::FromPem(pem);
  if (!key.ok()) {
    return base::WithDetail(base::Annotate(key.status(), path), base::kHint,
                            "take the file that ends in .pub, which curlew-controller audit-key made");
  }
  return *std::move(key);
}

// Reads what the log had when it was first asked for, and returns the head of that moment.
absl::StatusOr<v1::AuditHead> ReadAll(Client& client, AuditCheck* check) {
  std::optional<v1::AuditHead> head;
  v1::ListAuditEntriesRequest request;
  request.set_page_size(kPage);
  while (true) {
    ASSIGN_OR_RETURN(const v1::ListAuditEntriesResponse page,
                     client.Call(&v1::AuditService::Stub::ListAuditEntries, request));
    if (!head.has_value()) head = page.head();
    for (const v1::AuditEntry& entry : page.entries()) {
      if (entry.number() <= head->number()) check->Add(entry);
    }
    // A page that does not go on would be asked for for ever.
    if (page.entries().empty() || page.entries().rbegin()->number() <= request.after() ||
        page.entries().rbegin()->number() >= head->number()) {
      return *head;
    }
    request.set_after(page.entries().rbegin()->number());
  }
}

// What was looked at, of the head's signature.
std::string AboutSignature(const v1::AuditHead& head, bool has_key) {
  if (has_key) return absl::StrCat("signed with key ", head.key_id(), ", and the signature is right");
  if (head.signature().empty()) return "not signed: the controller runs without --audit-key";
  return absl::StrCat("signed with key ", head.key_id(), ", which was not checked: give --public-key FILE");
}

// Whether the head that was kept is one that a controller has signed.
absl::Status CheckKept(const KeptHead& kept, const std::string& signature, const signing::PublicKey& key) {
  v1::AuditHead head;
  head.set_number(kept.number);
  head.set_hash(kept.hash);
  head.set_signature(signature);
  head.set_key_id(key.id());
  return base::WithDetail(
      base::Annotate(signing::VerifyHead(key, head), "the head that was kept"), base::kHint,
      "it was changed where it was kept, or signed with another key: take it from elsewhere");
}

absl::StatusOr<ExitCode> Verify(Context& context, const Options& options) {
  std::optional<KeptHead> kept;
  if (options.since > 0 || !options.hash.empty()) {
    if (options.since <= 0 || options.hash.empty()) {
      return absl::InvalidArgumentError(
          "--since NUMBER and --hash HASH go together: both stand in a kept head");
    }
    kept = {options.since, absl::AsciiStrToLower(options.hash)};
  }
  ASSIGN_OR_RETURN(const auto key, ReadKey(options.public_key));
  if (!options.signature.empty() && (!kept.has_value() || !key.has_value())) {
    return absl::InvalidArgumentError(
        "--signature is that of a kept head, and needs --since, --hash and --public-key");
  }
  ASSIGN_OR_RETURN(Client * client, context.client());
  AuditCheck check(kept);
  ASSIGN_OR_RETURN(const v1::AuditHead head, ReadAll(*client, &check));
  check.Finish(head);
  std::vector<std::string> problems = check.problems();
  if (key.has_value()) {
    if (const absl::Status status = signing::VerifyHead(*key, head); !status.ok())
      problems.emplace_back(status.message());
  }
  if (!options.signature.empty()) {
    RETURN_IF_ERROR(CheckKept(*kept, options.signature, *key));
  }
  if (!problems.empty()) {
    for (size_t i = 0; i < std::min(problems.size(), kMostShown); ++i)
      context.out << Printable(problems[i]) << "\n";
    if (problems.size() > kMostShown) context.out << "and " << problems.size() - kMostShown << " more\n";
    return base::WithDetail(
        absl::DataLossError(absl::StrCat("the audit log is not what was written: ", problems.size(),
                                         problems.size() == 1 ? " problem" : " problems")),
        base::kHint, "compare with a backup of the store from before, and find out who can write to it");
  }
  context.out << FormatCount(head.number()) << " entries, without a gap, and each is as it was written\n"
              << "head: entry " << head.number() << ", hash " << Printable(head.hash()) << "\n"
              << "head: " << Printable(AboutSignature(head, key.has_value())) << "\n";
  if (kept.has_value()) {
    context.out << "kept: entry " << kept->number << " is still what it was when its head was kept\n";
  } else {
    context.out << "To see later that nothing was rewritten or cut off since: curlew audit verify --since "
                << head.number() << " --hash " << Printable(head.hash()) << "\n";
  }
  return ExitCode::kOk;
}

}  // namespace

void AddAuditVerify(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "verify", "Check that nobody has changed the audit log",
      "Reads the whole log, recomputes the hash of every entry and follows the chain. What is wrong is said "
      "entry by entry, and the exit status is 1. Who can write to the store could make up a whole new chain, "
      "or "
      "cut off its end: that shows against a head that was kept elsewhere (--since and --hash; every JSON "
      "notification has one, and this command prints one). --public-key checks that the head of now is "
      "signed by "
      "a controller that has the key.",
      "# Follow the chain, and check the signature of its head\n"
      "curlew audit verify --public-key audit.key.pub\n"
      "# And that what was there when a notification was sent is still there\n"
      "curlew audit verify --public-key audit.key.pub --since 412 --hash "
      "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    return Verify(context, *options);
  });
  verb->add_option(
          "--public-key", options->public_key,
          "The public key of the controller's --audit-key; kept where the controller cannot change it")
      ->type_name(kFileType);
  verb->add_option("--since", options->since, "Number of a head that was kept")
      ->type_name("NUMBER")
      ->check(CLI::PositiveNumber);
  verb->add_option("--hash", options->hash, "Its hash")->type_name("HASH");
  verb->add_option("--signature", options->signature, "Its signature; checked with --public-key")
      ->type_name("BASE64");
}

}  // namespace curlew::cli
