#include "common/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace curlew::base {
namespace {

TEST(Utf8Test, AcceptsAllOfUnicodeAndNothingElse) {
  EXPECT_EQ(FindInvalidUtf8("plain, \u00e9, \u20ac, \U0001F600, \uD7FF, \U0010FFFF"),
            absl::string_view::npos);
  EXPECT_EQ(FindInvalidUtf8("ab\xC0\x80"), 2u);         // overlong
  EXPECT_EQ(FindInvalidUtf8("\xE0\x80\x80"), 0u);       // overlong
  EXPECT_EQ(FindInvalidUtf8("\xED\xA0\x80"), 0u);       // surrogate
  EXPECT_EQ(FindInvalidUtf8("a\xF4\x90\x80\x80"), 1u);  // above U+10FFFF
  EXPECT_EQ(FindInvalidUtf8("a\xE2\x82"), 1u);          // cut off
  EXPECT_EQ(FindInvalidUtf8("\x80"), 0u);               // no lead
}

TEST(Utf8Test, CutsBetweenCharactersOnly) {
  EXPECT_EQ(Utf8Prefix("a\u20acb", 1), "a");
  EXPECT_EQ(Utf8Prefix("a\u20acb", 3), "a");
  EXPECT_EQ(Utf8Prefix("a\u20acb", 4), "a\u20ac");
  EXPECT_EQ(Utf8Prefix("ab", 9), "ab");
}

TEST(Utf8Test, WhatIsNoCharacterBecomesTheReplacementCharacter) {
  std::string text;
  AppendUtf8(U'\u20ac', &text);
  AppendUtf8(static_cast<char32_t>(0xD800), &text);
  EXPECT_EQ(text, "\u20ac\uFFFD");
}

}  // namespace
}  // namespace curlew::base
