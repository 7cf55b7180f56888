#include "common/base/version.h"

#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"

namespace curlew::base {
namespace {

// Takes a number from the front of `text`.
bool TakeNumber(absl::string_view* text, int* number) {
  size_t digits = 0;
  while (digits < text->size() && absl::ascii_isdigit(static_cast<unsigned char>((*text)[digits]))) ++digits;
  const bool taken = absl::SimpleAtoi(text->substr(0, digits), number);
  text->remove_prefix(digits);
  return taken;
}

bool TakeDot(absl::string_view* text) {
  if (text->empty() || text->front() != '.') return false;
  text->remove_prefix(1);
  return true;
}

bool Newer(const Version& a, const Version& b) {
  return a.major != b.major ? a.major > b.major : a.minor > b.minor;
}

}  // namespace

std::optional<Version> ParseVersion(absl::string_view text) {
  Version version;
  if (!TakeNumber(&text, &version.major) || !TakeDot(&text) || !TakeNumber(&text, &version.minor) ||
      !TakeDot(&text) || !TakeNumber(&text, &version.patch)) {
    return std::nullopt;
  }
  if (!text.empty() && text.front() != '-' && text.front() != '+' && text.front() != '~') return std::nullopt;
  return version;
}

bool WithinSkew(const Version& a, const Version& b) {
  return a.major == b.major && std::abs(a.minor - b.minor) <= 1;
}

absl::Status CheckSkew(const Program& here, const Program& peer) {
  const auto ours = ParseVersion(here.version);
  const auto theirs = ParseVersion(peer.version);
  if (!ours.has_value() || !theirs.has_value() || WithinSkew(*ours, *theirs)) return absl::OkStatus();
  const Program& older = Newer(*ours, *theirs) ? peer : here;
  const Program& newer = Newer(*ours, *theirs) ? here : peer;
  return WithDetail(
      WithDetail(absl::FailedPreconditionError(absl::StrCat(
                     "this ", here.name, " is version ", here.version, ", the ", peer.name, " version ",
                     peer.version, ": they work together only up to one minor version apart")),
                 kReason, kVersionSkewReason),
      kHint,
      absl::StrCat("bring the ", older.name, " to version ", newer.version,
                   ", one minor version at a time where work is under way"));
}

}  // namespace curlew::base
