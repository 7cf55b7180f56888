#include "controller/dispatch/target_record.h"

#include <gmock/gmock.h>

#include "common/base/proto_time.h"
#include "common/schema/schema.h"
#include "tests/controller/support/engine_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::SchemaOfItems;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(TargetRecordTest, ASchemaThatIsRecordedIsReadAsItWas) {
  v1::Schema schema = SchemaOfItems();
  v1::Index* index = schema.mutable_tables(0)->add_indexes();
  index->set_name("items_\"odd\"\n\xc3\xbc");
  const v1::TargetRecord record = RecordOfSchema("crm", schema, absl::FromUnixSeconds(7));
  EXPECT_EQ(record.target(), "crm");
  EXPECT_EQ(base::FromProto(record.time()), absl::FromUnixSeconds(7));
  EXPECT_EQ(record.schema_fingerprint(), schema::Fingerprint(schema));
  const auto read = SchemaOfRecord(record);
  ASSERT_THAT(read, IsOk());
  EXPECT_THAT(schema::Diff(schema, *read), IsEmpty());
  EXPECT_EQ(read->SerializeAsString(), schema.SerializeAsString());
}

TEST(TargetRecordTest, WithoutASchemaThereIsNothingToCompareWith) {
  v1::TargetRecord record;
  record.set_target("crm");
  EXPECT_THAT(SchemaOfRecord(record), StatusIs(absl::StatusCode::kNotFound, HasSubstr("baseline")));
  record.set_schema_json("{\"tables\": 7");
  EXPECT_THAT(SchemaOfRecord(record), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("crm")));
}

TEST(TargetRecordTest, SaysWhichRecordItIs) {
  v1::TargetRecord record = RecordOfSchema("crm", {}, absl::UnixEpoch());
  record.set_number(3);
  EXPECT_EQ(DescribeRecord(record), "record 3 of 1970-01-01T00:00:00+00:00 (a baseline)");
  record.set_rollout("rollouts/r");
  EXPECT_THAT(DescribeRecord(record), HasSubstr("(rollouts/r)"));
}

}  // namespace
}  // namespace curlew::dispatch
