// What docs/notifications.md tells receivers to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/notify/message.h"
#include "controller/notify/planner.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::notify {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::Process;
using ::testing::HasSubstr;

constexpr char kPage[] = CURLEW_SOURCE_DIR "/docs/notifications.md";

std::string Page() {
  std::ifstream file(kPage);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The only block of that language.
std::string Block(const std::string& language) {
  const std::string page = Page();
  const std::string fence = absl::StrCat("```", language, "\n");
  const size_t begin = page.find(fence);
  EXPECT_NE(begin, std::string::npos) << language;
  return page.substr(begin + fence.size(), page.find("```\n", begin + fence.size()) - begin - fence.size());
}

TEST(NotifyDocsTest, TheSnippetTellsGenuineFromForged) {
  v1::Notification notification;
  notification.set_id(17);
  notification.set_message("R\xC3\xA9ussi & <done>");
  const absl::Time now = absl::FromUnixSeconds(1700000000);
  const Message message = Compose(notification, {}, Sink{.secret = std::string("s\0\xff", 3)}, now);
  const auto headers = absl::StrJoin(message.headers, ", ", [](std::string* out, const auto& header) {
    absl::StrAppend(out, "\"", header.first, "\": \"", header.second, "\"");
  });
  const std::string program = absl::StrCat(Block("python"), R"(
headers = {)",
                                           headers, R"(}
secret = bytes.fromhex(")",
                                           absl::BytesToHexString(std::string("s\0\xff", 3)), R"(")
body = bytes.fromhex(")",
                                           absl::BytesToHexString(message.body), R"(")
then = 1700000000
assert is_genuine(secret, headers, body, then + 10)
assert not is_genuine(secret, headers, body, then + 1000)
assert not is_genuine(secret, headers, body)
assert not is_genuine(b"another", headers, body, then)
assert not is_genuine(secret, headers, body + b" ", then)
assert not is_genuine(secret, {**headers, "X-Curlew-Timestamp": str(then + 1)}, body, then)
assert not is_genuine(secret, {}, body, then)
print("all as it should be")
)");
  EXPECT_THAT(Process::Run({.argv = {"/usr/bin/python3", "-c", program}}),
              IsOkAndHolds(HasSubstr("all as it should be")));
}

TEST(NotifyDocsTest, TheExampleIsRead) {
  const std::string folder = absl::StrCat(::testing::TempDir(), "/curlew-notify-docs-", getpid());
  std::filesystem::create_directory(folder);
  const absl::Cleanup removed = [&] { std::filesystem::remove_all(folder); };
  std::ofstream(folder + "/ops.secret") << "key\n";
  std::ofstream(folder + "/sinks.yaml") << Block("yaml");
  ASSERT_OK_AND_ASSIGN(const std::vector<Sink> sinks, ReadSinks(folder + "/sinks.yaml"));
  EXPECT_EQ(sinks.size(), 2U);
}

TEST(NotifyDocsTest, EveryKindIsDescribed) {
  for (const absl::string_view kind : kKinds)
    EXPECT_THAT(Page(), HasSubstr(absl::StrCat("\n| `", kind, "` | ")));
}

}  // namespace
}  // namespace curlew::notify
