#include "cli/table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace curlew::cli {
namespace {

using ::testing::ElementsAre;

TEST(TableTest, AlignsColumnsByDisplayWidth) {
  Table table({"NAME", ">ROWS", "STATE"});
  table.AddRow({"größe", "1", "ok"});
  table.AddRow({"顧客", "1,000", "failed"});
  EXPECT_EQ(table.Render({}),
            "NAME    ROWS  STATE\n"
            "größe      1  ok\n"
            "顧客   1,000  failed\n");
}

TEST(TableTest, AlignsCellsThatHaveColours) {
  const Style style = {Style::Colour::kOn, Style::Glyphs::kAscii};
  Table table({"A", "B"});
  table.AddRow({Paint("x", Tone::kGood, style), "1"});
  table.AddRow({"yyy", "2"});
  EXPECT_THAT(table.RenderLines({}), ElementsAre("A    B", "\033[32mx\033[0m    1", "yyy  2"));
}

TEST(TableTest, WrapsTheLastColumnToTheWidth) {
  Table table({"KEY", "WHAT"});
  table.AddRow({"add-1", "one two three four five six"});
  EXPECT_EQ(table.Render({}, 30),
            "KEY    WHAT\n"
            "add-1  one two three four five\n"
            "       six\n");
}

TEST(TableTest, LeavesTheLastColumnRoomWhereOthersAreWide) {
  Table table({"KEY", "WHAT"});
  table.AddRow({std::string(30, 'x'), "one two three four five six"});
  EXPECT_EQ(table.Render({}, 30), std::string("KEY") + std::string(29, ' ') + "WHAT\n" +
                                      std::string(30, 'x') + "  one two three four\n" + std::string(32, ' ') +
                                      "five six\n");
}

TEST(TableTest, FillsShortRows) {
  Table table({"A", "B"});
  table.AddRow({"x"});
  EXPECT_EQ(table.Render({}, 0, 2), "  A  B\n  x\n");
}

}  // namespace
}  // namespace curlew::cli
