#include "controller/checks/http_get.h"

#include <gmock/gmock.h>

#include "tests/support/status_matchers.h"

namespace curlew::checks {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ParseUrlTest, TakesAnAddressApart) {
  const auto url = ParseUrl("http://health.example:8080/ok/now?db=crm&x=1#part");
  ASSERT_THAT(url, IsOk());
  EXPECT_FALSE(url->https);
  EXPECT_EQ(url->host, "health.example");
  EXPECT_EQ(url->port, 8080);
  EXPECT_EQ(url->path, "/ok/now");
  EXPECT_EQ(url->query, "db=crm&x=1");
}

TEST(ParseUrlTest, FillsInWhatIsUsual) {
  const auto plain = ParseUrl("HTTP://a.example");
  ASSERT_THAT(plain, IsOk());
  EXPECT_EQ(plain->port, 80);
  EXPECT_EQ(plain->path, "/");
  const auto tls = ParseUrl("https://[::1]?q");
  ASSERT_THAT(tls, IsOk());
  EXPECT_TRUE(tls->https);
  EXPECT_EQ(tls->host, "::1");
  EXPECT_EQ(tls->port, 443);
  EXPECT_EQ(tls->query, "q");
  EXPECT_EQ(tls->Shown(), "https://[::1]/");
  EXPECT_EQ(ParseUrl("http://[::1]:81/x")->port, 81);
}

TEST(ParseUrlTest, RefusesWhatIsNone) {
  for (const char* text :
       {"", "ftp://a", "a.example/ok", "http://", "http:///ok", "http://a:0/", "http://a:70000/",
        "http://a:x/", "http://[::1/", "http://[::1]x/", "http://a/b c", "http://a/\n"}) {
    EXPECT_THAT(ParseUrl(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

TEST(ParseUrlTest, APasswordIsRefusedAndNotRepeated) {
  const auto url = ParseUrl("http://me:secret@a.example/");
  EXPECT_THAT(url, StatusIs(absl::StatusCode::kInvalidArgument, Not(HasSubstr("secret"))));
}

TEST(ParseUrlTest, ShowsNoQuery) {
  EXPECT_EQ(ParseUrl("http://a.example:81/ok?token=secret")->Shown(), "http://a.example:81/ok");
}

TEST(PercentEncodedTest, KeepsOnlyWhatMeansNothing) {
  EXPECT_EQ(PercentEncoded("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(PercentEncoded("a b/ü&=+"), "a%20b%2F%C3%BC%26%3D%2B");
}

}  // namespace
}  // namespace curlew::checks
