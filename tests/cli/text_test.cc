#include "cli/text.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace curlew::cli {
namespace {

using ::testing::ElementsAre;

constexpr Style kPlainStyle;
constexpr Style kUnicodeStyle = {Style::Colour::kOff, Style::Glyphs::kUnicode};
constexpr Style kColourStyle = {Style::Colour::kOn, Style::Glyphs::kUnicode};

TEST(TextTest, WidthCountsColumnsAndNotBytes) {
  EXPECT_EQ(DisplayWidth(""), 0);
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("größe"), 5);
  EXPECT_EQ(DisplayWidth("顧客"), 4);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);
  EXPECT_EQ(DisplayWidth("🐦"), 2);
  EXPECT_EQ(DisplayWidth("█░▏"), 3);
  EXPECT_EQ(DisplayWidth("\xFF\xC3"), 2) << "bytes that are not UTF-8 count one each";
}

TEST(TextTest, ColoursTakeNoColumns) {
  EXPECT_EQ(DisplayWidth(Paint("abc", Tone::kBad, kColourStyle)), 3);
  EXPECT_EQ(Paint("abc", Tone::kBad, kPlainStyle), "abc");
}

TEST(TextTest, ForeignTextCannotSteerTheTerminal) {
  EXPECT_EQ(Printable("a\033[2Jb\r\x7F"), "a?[2Jb??");
  EXPECT_EQ(Printable("\u009B2J"), "?2J");
  EXPECT_EQ(Printable("a\tb\nc"), "a b c");
  EXPECT_EQ(Printable("a\nb", LineEnds::kKeep), "a\nb");
  EXPECT_EQ(Printable("größe 顧客"), "größe 顧客");
  EXPECT_EQ(Printable("\xFF"), "?");
}

TEST(TextTest, PadsToColumns) {
  EXPECT_EQ(PadRight("größe", 7), "größe  ");
  EXPECT_EQ(PadLeft("顧", 4), "  顧");
  EXPECT_EQ(PadRight("abc", 2), "abc");
}

TEST(TextTest, CutsWithAnEllipsisInsideTheWidth) {
  EXPECT_EQ(Truncate("abcdef", 6, kUnicodeStyle), "abcdef");
  EXPECT_EQ(Truncate("abcdef", 4, kUnicodeStyle), "abc…");
  EXPECT_EQ(Truncate("abcdef", 5, kPlainStyle), "ab...");
  EXPECT_EQ(Truncate("顧客名", 4, kUnicodeStyle), "顧…") << "half of a wide character does not fit";
  EXPECT_EQ(Truncate("abc", 0, kPlainStyle), "");
}

TEST(TextTest, ClosesAColourThatIsCut) {
  EXPECT_EQ(Truncate(Paint("abcdef", Tone::kBad, kColourStyle), 4, kColourStyle), "\033[31mabc…\033[0m");
}

TEST(TextTest, WrapsAtSpacesAndKeepsLongWordsWhole) {
  EXPECT_THAT(Wrap("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(Wrap("a-very-long-word b", 5), ElementsAre("a-very-long-word", "b"));
  EXPECT_THAT(Wrap("a\n\nb", 5), ElementsAre("a", "", "b"));
  EXPECT_THAT(Wrap("", 5), ElementsAre(""));
}

TEST(TextTest, IndentsLinesThatAreNotEmpty) { EXPECT_EQ(Indent("a\n\nb", 2), "  a\n\n  b"); }

}  // namespace
}  // namespace curlew::cli
