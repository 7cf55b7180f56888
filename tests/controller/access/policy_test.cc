#include "controller/access/policy.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace curlew::access {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Policy Parsed(absl::string_view yaml) {
  auto policy = Policy::Parse(yaml, "curlew");
  EXPECT_THAT(policy, IsOk());
  return policy.ok() ? *std::move(policy)
                     : *Policy::Parse("roles: [{role: viewer, users: [nobody]}]", "curlew");
}

TEST(PolicyTest, NamesAreThoseOfTheTrustDomainAndTheRestIsWrittenOut) {
  const Policy policy = Parsed(R"(
roles:
  - {role: admin, users: [grace]}
  - {role: operator, users: [alice, "spiffe://corp/user/alice", "cn:Alice Smith"], environments: [staging, test]}
)");
  const Grant admin{.role = Role::kAdmin},
      operates{.role = Role::kOperator, .environments = {"staging", "test"}};
  EXPECT_THAT(policy.GrantsOf("spiffe://curlew/user/grace"), ElementsAre(admin));
  EXPECT_THAT(policy.GrantsOf("spiffe://curlew/user/alice"), ElementsAre(operates));
  EXPECT_THAT(policy.GrantsOf("spiffe://corp/user/alice"), ElementsAre(operates));
  EXPECT_THAT(policy.GrantsOf("cn:Alice Smith"), ElementsAre(operates));
  for (const char* other : {"spiffe://corp/user/grace", "spiffe://curlew/agent/grace", "cn:grace", "grace",
                            "", "spiffe://curlew/user/grace/", "spiffe://curlew/user/Grace"}) {
    EXPECT_THAT(policy.GrantsOf(other), IsEmpty()) << other;
  }
}

TEST(PolicyTest, AStarIsEveryUserOfTheTrustDomain) {
  const Policy policy = Parsed("roles: [{role: viewer, users: ['*']}, {role: author, users: [alice]}]");
  EXPECT_THAT(policy.GrantsOf("spiffe://curlew/user/alice"),
              ElementsAre(Grant{.role = Role::kViewer}, Grant{.role = Role::kAuthor}));
  for (const char* other : {"spiffe://corp/user/alice", "spiffe://curlew/agent/alice",
                            "spiffe://curlew/controller", "cn:alice"}) {
    EXPECT_THAT(policy.GrantsOf(other), IsEmpty()) << other;
  }
}

TEST(PolicyTest, TokensAreGivenTheirRolesOneByOne) {
  const Policy policy = Parsed("roles: [{role: viewer, users: ['*']}, {role: author, users: ['token:ci']}]");
  EXPECT_THAT(policy.GrantsOf("token:ci"), ElementsAre(Grant{.role = Role::kAuthor}));
  for (const char* other : {"token:cd", "token:*", "token:", "ci", "cn:token:ci"}) {
    EXPECT_THAT(policy.GrantsOf(other), IsEmpty()) << other;
  }
  EXPECT_THAT(policy.GrantsOf("spiffe://curlew/user/ci"), ElementsAre(Grant{.role = Role::kViewer}));
  for (const char* wrong : {"token:", "token:*", "token:CI", "token:a.b", "Token:ci"}) {
    EXPECT_THAT(Policy::Parse(absl::StrCat("roles: [{role: viewer, users: ['", wrong, "']}]"), "curlew"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 1, column ")))
        << wrong;
  }
  EXPECT_THAT(
      Policy::Parse("roles: [{role: viewer, users: [a]}]\nagents: [{agent: 'token:ci', targets: [x]}]",
                    "curlew"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("agents have certificates, no tokens")));
}

TEST(PolicyTest, AnAgentServesItsNamesakeUnlessTheFileSaysWhat) {
  const Policy policy = Parsed(R"(
roles: [{role: viewer, users: [a]}]
agents:
  - {agent: many, targets: [x, y]}
  - {agent: "spiffe://corp/agent/all", targets: ["*"]}
)");
  EXPECT_TRUE(policy.Serves("spiffe://curlew/agent/x", "x"));
  EXPECT_FALSE(policy.Serves("spiffe://curlew/agent/x", "y"));
  EXPECT_FALSE(policy.Serves("spiffe://corp/agent/x", "x"));
  EXPECT_FALSE(policy.Serves("spiffe://curlew/user/x", "x"));
  EXPECT_TRUE(policy.Serves("spiffe://curlew/agent/many", "x"));
  EXPECT_TRUE(policy.Serves("spiffe://curlew/agent/many", "y"));
  EXPECT_FALSE(policy.Serves("spiffe://curlew/agent/many", "many"));
  EXPECT_TRUE(policy.Serves("spiffe://corp/agent/all", "x"));
}

TEST(PolicyTest, AdminIncludesAllAndEveryRoleSees) {
  for (const Role role : kRoles) {
    EXPECT_TRUE(Includes(Role::kAdmin, role));
    EXPECT_TRUE(Includes(role, Role::kViewer));
    EXPECT_TRUE(Includes(role, role));
    if (role != Role::kAdmin) {
      EXPECT_FALSE(Includes(role, Role::kAdmin));
    }
  }
  EXPECT_FALSE(Includes(Role::kOperator, Role::kApprover));
  EXPECT_FALSE(Includes(Role::kApprover, Role::kOperator));
  EXPECT_FALSE(Includes(Role::kViewer, Role::kAuthor));
}

TEST(PolicyTest, SaysWhereAFileIsWrong) {
  const auto says = [](absl::string_view yaml, const char* what) {
    EXPECT_THAT(Policy::Parse(yaml, "curlew"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what)))
        << yaml;
  };
  says("", "lines of KEY: VALUE");
  says("roles: []", "nobody has a role");
  says("agents: [{agent: a, targets: [a]}]", "nobody has a role");
  says("rolls: []", "unknown key \"rolls\"");
  says("roles: {}", "has to be a list");
  says("roles:\n  - {role: king, users: [a]}", "line 2, column 12: there is no role \"king\"");
  says("roles: [{role: viewer}]", "needs \"users\"");
  says("roles: [{users: [a]}]", "needs a \"role\"");
  says("roles: [{role: viewer, users: []}]", "something in it");
  says("roles: [{role: viewer, users: [Alice]}]", "\"Alice\" is neither a name");
  says("roles: [{role: viewer, users: [a], environments: []}]", "something in it");
  says("roles: [{role: viewer, users: [a], environments: ['']}]", "a name is empty");
  says("roles: [{role: viewer, users: [a], users: [b]}]", "");
  says("roles: [{role: viewer, users: [a]}]\nagents: [{agent: a, targets: [x]}, {agent: a, targets: [y]}]",
       "is there twice");
  says("roles: [", "line 1");
}

}  // namespace
}  // namespace curlew::access
