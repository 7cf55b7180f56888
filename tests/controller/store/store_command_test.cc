#include "controller/store_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "controller/store/sqlite_rollout_store.h"
#include "tests/controller/store/builders.h"
#include "tests/controller/store/temp_folder.h"
#include "tests/support/status_matchers.h"

namespace curlew::controller {
namespace {

using ::testing::HasSubstr;

class StoreCommandTest : public ::testing::Test {
 protected:
  struct Said {
    int code = 0;
    std::string out, err;
  };

  // As main does it.
  static Said Run(std::vector<std::string> arguments) {
    CLI::App app("the controller", "curlew-controller");
    std::string store;
    app.add_option("--store", store, "as main has one");
    std::function<int()> verb;
    AddStoreCommand(&app, &verb);
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    Said said;
    try {
      std::reverse(arguments.begin(), arguments.end());
      app.parse(arguments);
      said.code = verb ? verb() : -1;
    } catch (const CLI::ParseError& error) {
      said.code = app.exit(error) == 0 ? 0 : 2;
    }
    said.out = ::testing::internal::GetCapturedStdout();
    said.err = ::testing::internal::GetCapturedStderr();
    return said;
  }

  void MakeStore() {
    auto store = store::SqliteRolloutStore::Open({.path = path_});
    ASSERT_OK(store);
    ASSERT_OK((*store)->Commit(store::MakeChange("rollouts/a", 0, 0, 2)));
  }

  store::TempFolder folder_;
  const std::string path_ = folder_.File("store.db");
};

TEST_F(StoreCommandTest, BacksUpChecksMigratesAndRestores) {
  MakeStore();
  Said said = Run({"store", "check", "--store", path_});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("is sound"));
  EXPECT_THAT(said.out, HasSubstr("1 rollout (1 not ended), 2 events"));
  said = Run({"store", "backup", "--store", "sqlite://" + path_, folder_.File("b")});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("was backed up to " + folder_.File("b")));
  said = Run({"store", "restore", "--store", folder_.File("new.db"), folder_.File("b")});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("2 events"));
  said = Run({"store", "migrate", "--store", folder_.File("new.db")});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("up to date"));
}

TEST_F(StoreCommandTest, SaysWhatFailedAndReturnsOne) {
  MakeStore();
  ASSERT_EQ(Run({"store", "backup", "--store", path_, folder_.File("b")}).code, 0);
  Said said = Run({"store", "backup", "--store", path_, folder_.File("b")});
  EXPECT_EQ(said.code, 1);
  EXPECT_EQ(said.out, "");
  EXPECT_THAT(said.err, HasSubstr("never overwrite"));
  said = Run({"store", "restore", "--store", path_, folder_.File("b")});
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.err, HasSubstr("not empty"));
  said = Run({"store", "check", "--store", folder_.File("none.db")});
  EXPECT_EQ(said.code, 1);
  EXPECT_FALSE(std::filesystem::exists(folder_.File("none.db")));
}

TEST_F(StoreCommandTest, WrongUsageReturnsTwo) {
  EXPECT_EQ(Run({"store"}).code, 2);
  EXPECT_EQ(Run({"store", "destroy"}).code, 2);
  EXPECT_EQ(Run({"store", "backup"}).code, 2);
  EXPECT_EQ(Run({"store", "check", "extra"}).code, 2);
  const Said said = Run({"store", "check", "--store", "mysql://u:secret@h/d"});
  EXPECT_EQ(said.code, 2);
  EXPECT_THAT(said.err, ::testing::AllOf(HasSubstr("mysql"), ::testing::Not(HasSubstr("secret"))));
}

TEST_F(StoreCommandTest, WithoutItNoVerbIsChosen) { EXPECT_EQ(Run({"--store", path_}).code, -1); }

TEST_F(StoreCommandTest, HelpHasExamples) {
  EXPECT_THAT(Run({"store", "--help"}).out, HasSubstr("Examples:"));
  EXPECT_THAT(Run({"store", "restore", "--help"}).out, HasSubstr("Moving from SQLite to PostgreSQL"));
}

}  // namespace
}  // namespace curlew::controller
