#include "cli/context.h"

#include <pwd.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pki/files.h"

namespace curlew::cli {

GlobalFlags DefaultFlags(const Environment& environment) {
  GlobalFlags flags;
  if (std::string address = environment("CURLEW_CONTROLLER"); !address.empty()) {
    flags.controller = std::move(address);
  }
  flags.token = environment("CURLEW_TOKEN");
  flags.actor = environment("CURLEW_ACTOR");
  if (flags.actor.empty()) flags.actor = environment("USER");
  if (flags.actor.empty()) {
    // getlogin() knows nobody in a container; the user database does.
    const passwd* user = getpwuid(getuid());
    flags.actor = user != nullptr ? user->pw_name : absl::StrCat("uid-", getuid());
  }
  return flags;
}

namespace {

// The bearer token to show; "" for none.
absl::StatusOr<std::string> TokenOf(const GlobalFlags& flags) {
  if (flags.token_file.empty()) return std::string(absl::StripAsciiWhitespace(flags.token));
  auto text = pki::ReadPrivate(flags.token_file, "the token");
  if (!text.ok()) return base::Annotate(text.status(), "--token-file");
  std::string token(absl::StripAsciiWhitespace(*text));
  if (!token.empty()) return token;
  return base::WithDetail(
      absl::InvalidArgumentError(absl::StrCat("--token-file: ", flags.token_file, " is empty")),
      base::kReason, kUsageReason);
}

}  // namespace

absl::StatusOr<Client*> Context::client() {
  if (client_ == nullptr) {
    rpc::TransportOptions options = flags.transport;
    ASSIGN_OR_RETURN(options.token, TokenOf(flags));
    auto transport = rpc::Transport::Make(options, absl::Now());
    if (!transport.ok()) {
      absl::Status problem =
          base::WithDetail(transport.status(), base::kHint,
                           "docs/security.md has the flags, curlew --help their environment variables");
      if (absl::IsInvalidArgument(problem)) problem = base::WithDetail(problem, base::kReason, kUsageReason);
      return problem;
    }
    ASSIGN_OR_RETURN(client_, Client::Make(flags.controller, flags.timeout, *std::move(transport)));
  }
  return client_.get();
}

int Context::width() const { return TerminalWidth(terminal, STDOUT_FILENO); }

}  // namespace curlew::cli
