#include "agent/checks/run_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class RunCheckTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override {
    conninfo_ = NewDatabase(
        "CREATE TABLE jobs (id int); INSERT INTO jobs SELECT generate_series(1, 7);"
        "CREATE SCHEMA other; CREATE TABLE other.jobs (id int);");
    connection_ = Connect(conninfo_);
  }
  v1::CheckReport Sql(const std::string& sql, absl::Duration timeout = absl::Seconds(10)) {
    v1::RunCheck request;
    request.set_request(7);
    request.set_target("crm");
    request.set_sql(sql);
    *request.mutable_timeout() = base::ToProto(timeout);
    return MakeCheck(connection_.get(), request, {}, "");
  }
  std::string Error(const std::string& sql) {
    const v1::CheckReport report = Sql(sql);
    EXPECT_EQ(report.state(), v1::CHECK_STATE_ERROR) << sql << report.DebugString();
    return report.message();
  }
  std::string conninfo_;
  std::unique_ptr<pg::Connection> connection_;
};

TEST_F(RunCheckTest, TrueIsPassingFalseAndNullAreFailing) {
  v1::CheckReport report = Sql("SELECT count(*) < 10 FROM jobs");
  EXPECT_EQ(report.state(), v1::CHECK_STATE_PASSING) << report.DebugString();
  EXPECT_EQ(report.request(), 7);
  EXPECT_EQ(report.target(), "crm");
  EXPECT_EQ(report.value(), "true");
  EXPECT_EQ(report.message(), "");
  report = Sql("SELECT count(*) < 5, count(*)::text FROM jobs -- how many\n;");
  EXPECT_EQ(report.state(), v1::CHECK_STATE_FAILING);
  EXPECT_EQ(report.value(), "7");
  EXPECT_EQ(report.message(), "the answer is false");
  report = Sql("SELECT NULL::boolean");
  EXPECT_EQ(report.state(), v1::CHECK_STATE_FAILING);
  EXPECT_THAT(report.message(), HasSubstr("NULL, which counts as false"));
  // A column of any name, in any number of them.
  EXPECT_EQ(Sql("SELECT true AS a, 'x' AS a").state(), v1::CHECK_STATE_PASSING);
  EXPECT_FALSE(connection_->in_transaction());
}

TEST_F(RunCheckTest, WhatIsNoSelectOfOneBooleanIsAnErrorThatSaysWhatWasFound) {
  EXPECT_THAT(Error("SELECT 't'::text"), HasSubstr("of type text, and has to be boolean"));
  EXPECT_THAT(Error("SELECT 1"), HasSubstr("of type integer"));
  EXPECT_THAT(Error("SELECT true FROM jobs"), HasSubstr("it gave several rows"));
  EXPECT_THAT(Error("SELECT true FROM jobs WHERE id < 0"), HasSubstr("it gave no row"));
  EXPECT_THAT(Error("SELECT true, 'a', 'b'"), HasSubstr("it gave 3 columns"));
  EXPECT_NE(Error("SELECT true; COMMIT; DROP TABLE jobs; SELECT true"), "");
  EXPECT_NE(Error("DELETE FROM jobs"), "");
  EXPECT_NE(Error("SELECT true) AS q; DROP TABLE jobs; --"), "");
  EXPECT_NE(Error(""), "");
  EXPECT_THAT(Error("SELECT nothing FROM jobs"), HasSubstr("42703"));
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM jobs"), "7");
  v1::RunCheck none;
  EXPECT_THAT(MakeCheck(connection_.get(), none, {}, "").message(),
              HasSubstr("of a kind that this agent does not know"));
}

TEST_F(RunCheckTest, ChangesNothing) {
  Query(conninfo_,
        "CREATE FUNCTION eats() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.jobs; RETURN "
        "true; END'");
  EXPECT_THAT(Error("SELECT eats()"), HasSubstr("25006"));
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM jobs"), "7");
}

TEST_F(RunCheckTest, EndsWithItsTime) {
  v1::CheckReport report = Sql("SELECT pg_sleep(60) IS NOT NULL", absl::Milliseconds(200));
  EXPECT_EQ(report.state(), v1::CHECK_STATE_ERROR);
  EXPECT_EQ(report.message(), "it gave no answer within 200ms");
  // The configuration's time counts where it is shorter.
  v1::RunCheck request;
  request.set_configured("slow");
  *request.mutable_timeout() = base::ToProto(absl::Seconds(60));
  report = MakeCheck(
      connection_.get(), request,
      {{"slow", {.sql = "SELECT pg_sleep(60) IS NOT NULL", .timeout = absl::Milliseconds(100)}}}, "");
  EXPECT_EQ(report.message(), "it gave no answer within 100ms");
}

TEST_F(RunCheckTest, TheConfigurationsChecksGoByName) {
  const CheckConfigs configured = {{"few", {.sql = "SELECT count(*) < 10 FROM jobs"}}};
  v1::RunCheck request;
  request.set_configured("few");
  EXPECT_EQ(MakeCheck(connection_.get(), request, configured, "").state(), v1::CHECK_STATE_PASSING);
  request.set_configured("many");
  const v1::CheckReport report = MakeCheck(connection_.get(), request, configured, "");
  EXPECT_EQ(report.state(), v1::CHECK_STATE_ERROR);
  EXPECT_THAT(report.message(), HasSubstr("has no check \"many\"; it has few"));
}

TEST_F(RunCheckTest, NamesMeanTheSameWhateverTheSessionSays) {
  ASSERT_OK(connection_->Execute("SET search_path = other").status());
  EXPECT_EQ(Sql("SELECT count(*) = 7 FROM jobs").state(), v1::CHECK_STATE_PASSING);
}

TEST_F(RunCheckTest, ValuesOfRowsStayInTheDatabase) {
  Query(conninfo_, "CREATE TABLE p (v text); INSERT INTO p VALUES ('secret')");
  // DETAIL and the like never travel; what stands in the first line is PostgreSQL's.
  Query(conninfo_,
        "CREATE FUNCTION tells() RETURNS boolean LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'no' USING DETAIL = 'secret'; END$$");
  EXPECT_THAT(Error("SELECT tells()"), AllOf(HasSubstr("no"), Not(HasSubstr("secret"))));
}

TEST_F(RunCheckTest, IsMadeAsTheRoleOfChecks) {
  const std::string agent = NewRole(), check = NewRole("NOLOGIN"), stranger = NewRole("NOLOGIN");
  Query(conninfo_, absl::StrCat("GRANT ", check, " TO ", agent, "; GRANT SELECT ON jobs TO ", check,
                                "; GRANT SELECT ON other.jobs TO ", agent));
  const auto connection = Connect(AsUser(conninfo_, agent));
  const auto ask = [&](const std::string& sql, const std::string& role) {
    v1::RunCheck request;
    request.set_configured("few");
    return MakeCheck(connection.get(), request, {{"few", {.sql = sql}}}, role);
  };
  EXPECT_EQ(ask("SELECT count(*) = 7, current_user::text FROM jobs", check).value(), check);
  // What the agent may, and its checks may not.
  EXPECT_THAT(ask("SELECT count(*) = 0 FROM other.jobs", check).message(), HasSubstr("42501"));
  EXPECT_THAT(ask("SELECT true", stranger).message(),
              HasSubstr(absl::StrCat("may not act as check_role ", stranger, ": GRANT ", stranger, " TO")));
  EXPECT_THAT(ask("SELECT true", "No Body").message(), HasSubstr("check_role \"No Body\" does not exist"));
  // The session is the agent's own again.
  EXPECT_EQ(ask("SELECT true, current_user::text", "").value(), agent);
}

}  // namespace
}  // namespace curlew::agent
