// The stores that need no server, by the suite of all.
#include "controller/store/rollout_store.h"

#include <memory>

#include "controller/store/sqlite_rollout_store.h"
#include "tests/controller/store/record_store_suite.h"
#include "tests/controller/store/rollout_store_suite.h"
#include "tests/controller/store/temp_folder.h"
#include "tests/controller/store/token_store_suite.h"
#include "tests/support/fake_rollout_store.h"

namespace curlew::store {
namespace {

class FakeStore {
 public:
  RolloutStore& store() { return store_; }
  RolloutStore& other() { return store_; }

 private:
  curlew::testing::FakeRolloutStore store_;
};

class SqliteStore {
 public:
  RolloutStore& store() { return *store_; }
  RolloutStore& other() { return *other_; }

 private:
  std::unique_ptr<RolloutStore> Open() {
    return *SqliteRolloutStore::Open({.path = folder_.File("store.db")});
  }

  TempFolder folder_;
  std::unique_ptr<RolloutStore> store_ = Open();
  std::unique_ptr<RolloutStore> other_ = Open();
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, RolloutStoreTest, FakeStore);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, RolloutStoreTest, SqliteStore);
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, RecordStoreTest, FakeStore);
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, TokenStoreTest, FakeStore);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, RecordStoreTest, SqliteStore);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, TokenStoreTest, SqliteStore);

}  // namespace
}  // namespace curlew::store
