#include "common/pg/conninfo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace curlew::pg {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(ConninfoTest, TheEnvironmentSaysWhatTheStringSaid) {
  EXPECT_THAT(
      Environment("host=db1,db2 dbname='it\\'s' password='a b\\\\c' sslmode=require keepalives_idle=5"),
      IsOkAndHolds(UnorderedElementsAre(Pair("PGHOST", "db1,db2"), Pair("PGDATABASE", "it's"),
                                        Pair("PGPASSWORD", "a b\\c"), Pair("PGSSLMODE", "require"))));
  EXPECT_THAT(Environment("postgresql://u:p%40ss@db1:5433/crm?connect_timeout=3&keepalives_idle=5"),
              IsOkAndHolds(UnorderedElementsAre(Pair("PGHOST", "db1"), Pair("PGPORT", "5433"),
                                                Pair("PGUSER", "u"), Pair("PGPASSWORD", "p@ss"),
                                                Pair("PGDATABASE", "crm"), Pair("PGCONNECT_TIMEOUT", "3"))));
  EXPECT_THAT(Environment(""), IsOkAndHolds(IsEmpty()));
}

TEST(ConninfoTest, NoMessageHoldsItsText) {
  const auto wrong = Environment("password=geheim nonsense");
  EXPECT_THAT(wrong, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(std::string(wrong.status().message()), Not(HasSubstr("geheim")));
}

TEST(ConninfoTest, ThePublicNameHasNoPassword) {
  EXPECT_THAT(PublicName("host=db1 port=5433 user=u password=geheim dbname=crm"),
              IsOkAndHolds("postgresql://u@db1:5433/crm"));
}

}  // namespace
}  // namespace curlew::pg
