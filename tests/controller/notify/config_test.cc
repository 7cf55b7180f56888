#include "controller/notify/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace curlew::notify {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() { std::filesystem::create_directory(folder_); }
  ~ConfigTest() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  absl::StatusOr<std::vector<Sink>> Read(const std::string& text) {
    return ReadSinks(File("sinks.yaml", text));
  }

  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/curlew-notify-config-", getpid());
};

TEST_F(ConfigTest, ReadsEveryField) {
  File("ops.secret", "s3cret key\n");
  ASSERT_OK_AND_ASSIGN(const std::vector<Sink> sinks, Read(R"(
sinks:
  - name: ops
    url: https://hooks.example.com:8443/curlew?team=1
    format: json
    secret_file: ops.secret
    on: [failed, drift]
    timeout: 5s
  - name: chat
    url: http://[::1]/services/T0/B0
    format: slack
)"));
  ASSERT_THAT(sinks, SizeIs(2));
  EXPECT_EQ(sinks[0].name, "ops");
  EXPECT_TRUE(sinks[0].url.https);
  EXPECT_EQ(sinks[0].url.host, "hooks.example.com");
  EXPECT_EQ(sinks[0].url.port, 8443);
  EXPECT_EQ(sinks[0].url.path, "/curlew?team=1");
  EXPECT_EQ(sinks[0].format, Format::kJson);
  EXPECT_EQ(sinks[0].secret, "s3cret key");
  EXPECT_THAT(sinks[0].on, ElementsAre("drift", "failed"));
  EXPECT_EQ(sinks[0].timeout, absl::Seconds(5));
  EXPECT_FALSE(sinks[1].url.https);
  EXPECT_EQ(sinks[1].url.host, "::1");
  EXPECT_EQ(sinks[1].url.port, 80);
  EXPECT_EQ(sinks[1].url.Origin(), "http://[::1]:80");
  EXPECT_EQ(sinks[1].format, Format::kSlack);
  EXPECT_EQ(sinks[1].secret, "");
  EXPECT_THAT(sinks[1].on, SizeIs(std::size(kKinds)));
  EXPECT_EQ(sinks[1].timeout, absl::Seconds(10));
}

TEST_F(ConfigTest, AnEmptyListIsNobody) {
  ASSERT_OK_AND_ASSIGN(const std::vector<Sink> sinks, Read("sinks: []\n"));
  EXPECT_THAT(sinks, SizeIs(0));
}

TEST_F(ConfigTest, SaysWhatIsWrongAndWhere) {
  const struct {
    const char* text;
    const char* place;
    const char* what;
  } cases[] = {
      {"sinks:\n  - name: a\n    url: https://h/\n    colour: red\n",
       ":4:5: ", "unknown key \"colour\" in a sink"},
      {"sink: []\n", ":1:1: ", "unknown key \"sink\" in the file; it has: sinks"},
      {"", ":1:1: ", "has to be lines of KEY: VALUE"},
      {"{}", ":1:1: ", "has no \"sinks\""},
      {"sinks: 3\n", ":1:8: ", "has to be a list"},
      {"sinks:\n  - url: https://h/\n", ":2:5: ", "needs a \"name\""},
      {"sinks:\n  - name: a\n", ":2:5: ", "needs a \"url\""},
      {"sinks:\n  - name: A b\n", ":2:11: ", "is no name"},
      {"sinks:\n  - {name: a, url: 'http://h'}\n  - {name: a, url: 'http://h'}\n", ":3:12: ", "already"},
      {"sinks:\n  - {name: a, name: b}\n", ":2:15: ", "given twice"},
      {"sinks:\n  - {name: a, url: 'ftp://h'}\n", ":2:20: ", "https:// or http://"},
      {"sinks:\n  - {name: a, url: 'http://h:0'}\n", ":2:20: ", "port"},
      {"sinks:\n  - {name: a, url: 'http:///x'}\n", ":2:20: ", "needs a host"},
      {"sinks:\n  - {name: a, url: \"http://h/x y\"}\n", ":2:20: ", "without spaces"},
      {"sinks:\n  - {name: a, url: \"http://h/\\r\\nX: y\"}\n", ":2:20: ", "without spaces"},
      {"sinks:\n  - {name: a, format: xml}\n", ":2:23: ", "json or slack"},
      {"sinks:\n  - {name: a, timeout: 2h}\n", ":2:24: ", "1s to 60s"},
      {"sinks:\n  - {name: a, on: [failed, lunch]}\n", ":2:28: ", "\"lunch\" is nothing that is told"},
      {"sinks:\n  - {name: a, on: []}\n", ":2:19: ", "leave it out"},
      {"sinks:\n  - {name: a, on: failed}\n", ":2:19: ", "has to be a list"},
      {"sinks:\n  - {name: [a]}\n", ":2:12: ", "has to be one text"},
      {"sinks: [\n", ":2:1: ", ""},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(Read(c.text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(absl::StrCat("sinks.yaml", c.place)), HasSubstr(c.what))))
        << c.text;
  }
}

TEST_F(ConfigTest, AUrlWithAPasswordIsRefusedAndNotShown) {
  const auto sinks = Read("sinks:\n  - {name: a, url: 'https://me:hunter2@h/T0/B0'}\n");
  EXPECT_THAT(sinks,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("user's name"), Not(HasSubstr("hunter2")), Not(HasSubstr("T0")))));
}

TEST_F(ConfigTest, ASecretThatCannotBeReadIsAnErrorOfItsFile) {
  EXPECT_THAT(Read("sinks:\n  - {name: a, url: 'http://h', secret_file: nosuch}\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(":2:45: "), HasSubstr("nosuch"))));
  File("empty", "\n\n");
  EXPECT_THAT(Read("sinks:\n  - {name: a, url: 'http://h', secret_file: empty}\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is empty")));
  EXPECT_THAT(ReadSinks(folder_ + "/none.yaml"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none.yaml")));
  EXPECT_THAT(ReadSinks(folder_), StatusIs(absl::StatusCode::kInvalidArgument, EndsWith("is a folder")));
}

TEST_F(ConfigTest, ASecretMayStandAnywhereAndHoldAnything) {
  const std::string path = File("bytes", std::string("\0\xff k\r\n", 6));
  ASSERT_OK_AND_ASSIGN(
      const std::vector<Sink> sinks,
      Read(absl::StrCat("sinks:\n  - {name: a, url: 'http://h', secret_file: '", path, "'}\n")));
  EXPECT_EQ(sinks[0].secret, std::string("\0\xff k", 4));
}

}  // namespace
}  // namespace curlew::notify
