// docs/throttle.md says what the code does.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/guard/signals.h"

namespace curlew::agent {
namespace {

constexpr char kPage[] = CURLEW_SOURCE_DIR "/docs/throttle.md";
constexpr char kBegin[] = "<!-- table: signals -->\n";
constexpr char kEnd[] = "<!-- end of table -->";

std::string Limit(const SignalKind& kind) {
  if (kind.limit < 0) return "off";
  const std::string number =
      kind.limit < 10 ? absl::StrFormat("%g", kind.limit) : absl::StrFormat("%.0f", kind.limit);
  switch (kind.scale) {
    case SignalKind::Scale::kWhole:
      return number;
    case SignalKind::Scale::kPerProcessor:
      return absl::StrCat(number, " for each processor of the agent's machine");
  }
  return number;
}

std::string Does(Effect effect) {
  switch (effect) {
    case Effect::kPauses:
      return "adds, sheds, pauses";
    case Effect::kSheds:
      return "adds, sheds, never pauses";
    case Effect::kBound:
      return "pauses above the limit, else nothing";
  }
  return "";
}

std::string Table() {
  std::string table =
      "| signal | default limit | what it does | stale | what it is |\n|---|---|---|---|---|\n";
  for (const SignalKind& kind : KnownSignals()) {
    absl::StrAppend(&table, "| `", kind.name, "` | ", Limit(kind), " | ", Does(kind.effect), " | ",
                    kind.when_stale == WhenStale::kPauses ? "pauses" : "freezes", " | ", kind.meaning,
                    " |\n");
  }
  return table;
}

TEST(ThrottleDocTest, ThePageListsTheSignalsWithTheirLimits) {
  std::ifstream file(kPage);
  std::stringstream text;
  text << file.rdbuf();
  std::string page = text.str();
  const size_t begin = page.find(kBegin);
  ASSERT_NE(begin, std::string::npos) << kPage << " lacks the line " << kBegin;
  const size_t from = begin + sizeof(kBegin) - 1;
  const size_t to = page.find(kEnd, from);
  ASSERT_NE(to, std::string::npos) << kPage << " lacks the line " << kEnd;
  if (std::getenv("CURLEW_WRITE_DOCS") != nullptr) {
    page.replace(from, to - from, Table());
    std::ofstream(kPage) << page;
    return;
  }
  EXPECT_EQ(page.substr(from, to - from), Table())
      << "If the code is right: CURLEW_WRITE_DOCS=1 with this test.";
}

TEST(ThrottleDocTest, ThePageExplainsEachSignal) {
  std::ifstream file(kPage);
  std::stringstream text;
  text << file.rdbuf();
  for (const SignalKind& kind : KnownSignals()) {
    EXPECT_NE(text.str().find(absl::StrCat("**", kind.name, "**")), std::string::npos)
        << kPage << " has no paragraph that begins with **" << kind.name << "**";
  }
}

}  // namespace
}  // namespace curlew::agent
