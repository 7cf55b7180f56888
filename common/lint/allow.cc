#include "common/lint/allow.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace curlew::lint {
namespace {

// Takes the list off: names with commas between them, and spaces around the commas.
std::vector<std::string> TakeHazards(absl::string_view& text) {
  std::vector<std::string> hazards;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(", \t\r\n"), text.size());
    if (end > 0) hazards.emplace_back(text.substr(0, end));
    text = absl::StripLeadingAsciiWhitespace(text.substr(end));
    if (!absl::ConsumePrefix(&text, ",")) break;
    text = absl::StripLeadingAsciiWhitespace(text);
  }
  return hazards;
}

}  // namespace

std::optional<Allow> ParseAllow(absl::string_view comment) {
  if (absl::ConsumePrefix(&comment, "/*")) {
    absl::ConsumeSuffix(&comment, "*/");
  } else {
    while (absl::ConsumePrefix(&comment, "-")) {
    }
  }
  comment = absl::StripAsciiWhitespace(comment);
  Allow allow;
  if (!absl::ConsumePrefix(&comment, "curlew:allow")) return std::nullopt;
  if (absl::ConsumePrefix(&comment, "-file")) allow.scope = Allow::Scope::kFile;
  if (!comment.empty() && !absl::ascii_isspace(static_cast<unsigned char>(comment[0]))) return std::nullopt;
  comment = absl::StripLeadingAsciiWhitespace(comment);
  allow.hazards = TakeHazards(comment);
  allow.reason = std::string(comment);
  return allow;
}

}  // namespace curlew::lint
