#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SetTableOptionsTest : public ::curlew::testing::OperationTest {};

TEST_F(SetTableOptionsTest, SetsAndResetsUnderALockThatLetsWritersThrough) {
  setup_ = R"sql(
    ALTER TABLE "Peo ple" SET (autovacuum_enabled = off, fillfactor = 80, toast.vacuum_truncate = false);)sql";
  ExpectLife(R"yaml(
  - set_table_options:
      table: '"Peo ple"'
      set:
        - {name: fillfactor, value: '70'}
        - {name: autovacuum_vacuum_scale_factor, value: '0.01'}
        - {name: toast.autovacuum_enabled, value: 'false'}
      reset: [autovacuum_enabled, toast.vacuum_truncate, parallel_workers]
)yaml",
             "fillfactor='70'");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_EQ(compiled_.steps(0).locks(0).mode(), "ShareUpdateExclusiveLock");
  EXPECT_EQ(Query(conninfo_, "SELECT reloptions FROM pg_class WHERE relname = 'Peo ple'"),
            "{autovacuum_vacuum_scale_factor=0.01,fillfactor=70}");
}

TEST_F(SetTableOptionsTest, SaysWhenALockStopsReaders) {
  ExpectLife(
      "  - set_table_options: {table: '\"Peo ple\"', set: [{name: user_catalog_table, value: 'true'}]}\n",
      "user_catalog_table='true'");
  EXPECT_EQ(compiled_.steps(0).locks(0).mode(), "AccessExclusiveLock");
}

TEST_F(SetTableOptionsTest, DoesNothingTwice) {
  setup_ = R"sql(ALTER TABLE "Peo ple" SET (fillfactor = 70);)sql";
  ExpectLife("  - set_table_options: {table: '\"Peo ple\"', set: [{name: fillfactor, value: '70'}]}\n", "");
  EXPECT_EQ(compiled_.steps_size(), 0);
  EXPECT_THAT(compiled_.warnings(0), HasSubstr("does nothing"));
}

TEST_F(SetTableOptionsTest, RefusesWhatIsNoParameter) {
  const auto set = [](const std::string& rest) {
    return "  - set_table_options: {table: '\"Peo ple\"'" + rest + "}\n";
  };
  EXPECT_THAT(Refusal(set("")), HasSubstr("give `set` or `reset`"));
  EXPECT_THAT(Refusal(set(", reset: [fill_factor]")),
              HasSubstr("no storage parameter of a table; there are"));
  EXPECT_THAT(Refusal(set(", reset: [toast.fillfactor]")), HasSubstr("TOAST"));
  EXPECT_THAT(Refusal(set(", reset: [fillfactor], set: [{name: fillfactor, value: '70'}]")),
              HasSubstr("twice"));
  setup_ = "CREATE TABLE parts (id int) PARTITION BY LIST (id);";
  EXPECT_THAT(Refusal("  - set_table_options: {table: parts, reset: [fillfactor]}\n"),
              HasSubstr("is partitioned"));
}

}  // namespace
}  // namespace curlew::operations
