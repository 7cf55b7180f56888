#include "common/sql/lexer.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "common/sql/parser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace curlew::sql {
namespace {

std::vector<Lexeme> All(absl::string_view text) {
  std::vector<Lexeme> all;
  Lexer lexer(text, 0);
  while (const auto token = lexer.Next()) all.push_back(*token);
  return all;
}

size_t DepthOf(absl::string_view text) {
  Size size;
  for (const Lexeme& token : All(text)) size.Add(token, text);
  return size.Depth();
}

// Pieces that mean something to a scanner, and that it must not mix up.
constexpr absl::string_view kPieces[] = {
    "'",  "''", "\"",  "\"\"", "$$",     "$a$", "$1",  "$",  "E'", "e'", "U&'", "u&\"", "B'", "x'",
    "N'", "\\", "\\'", "--",   "\n",     "\r",  " ",   "\t", "/*", "*/", "*",   "/",    "-",  "+",
    "<",  "a",  "b$",  "_c",   "ä",      "1",   "1.5", "..", ".",  ":",  "::",  ":=",   "(",  ")",
    "[",  "]",  ",",   ";",    "select", "AND", "|",   "#",  "@",  "~",  "q'",  "n",    "\f"};

// Wherever PostgreSQL's scanner accepts a text, both have the same quotes and comments, and no token of
// theirs goes over an end of ours.
TEST(LexerTest, CutsAsPostgresDoes) {
  std::mt19937 random(4711);
  int accepted = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string text;
    for (int i = static_cast<int>(random() % 14); i >= 0; --i) {
      absl::StrAppend(&text, kPieces[random() % std::size(kPieces)]);
    }
    const auto theirs = Scan(text);
    if (!theirs.ok()) continue;
    ++accepted;
    const std::vector<Lexeme> ours = All(text);
    for (const Token& token : *theirs) {
      const absl::string_view word = absl::string_view(text).substr(token.start, token.end - token.start);
      if (word.empty()) continue;  // libpg_query's mistake behind U&'...'
      const bool quoted =
          token.comment || word.find_first_of("'\"") != absl::string_view::npos || word.front() == '$';
      bool found = false;
      for (const Lexeme& lexeme : ours) {
        found |= lexeme.begin == static_cast<size_t>(token.start) &&
                 (!quoted || lexeme.end == static_cast<size_t>(token.end) ||
                  word.find_first_of("'\"") == absl::string_view::npos);
      }
      ASSERT_TRUE(found) << "in: " << text << "\ntoken: " << word;
    }
    for (const Lexeme& lexeme : ours) {
      ASSERT_TRUE(lexeme.closed) << text;
    }
  }
  EXPECT_GT(accepted, 10'000);
}

TEST(LexerTest, TellsWhatHasNoEnd) {
  for (const char* text : {"'a", "\"a", "$$a", "$x$a$y$", "/* a", "/* /* */", "E'a\\'", "'a''"}) {
    EXPECT_FALSE(All(text).back().closed) << text;
  }
}

TEST(LexerTest, ListsAreFlatAndNestingIsDeep) {
  EXPECT_LT(DepthOf("INSERT INTO t VALUES (1, 2), (1, 2), (1, 2), (1, 2), (1, 2), (1, 2), (1, 2)"), 12u);
  EXPECT_LT(DepthOf("a = 1 OR a = 2 AND b = 3 OR c = 4 OR d = 5"), 4u);
  EXPECT_LT(DepthOf("CASE WHEN a THEN 1 WHEN b THEN 2 WHEN c THEN 3 WHEN d THEN 4 ELSE 5 END"), 4u);
  EXPECT_GE(DepthOf("CASE WHEN a THEN CASE WHEN a THEN CASE WHEN a THEN CASE WHEN a THEN 1 END END END END"),
            4u);
  EXPECT_GE(DepthOf("CASE WHEN x.end THEN CASE WHEN x.end THEN CASE WHEN x.end THEN CASE WHEN x.end"), 4u);
  EXPECT_GE(DepthOf("1+1+1+1+1+1+1+1"), 15u);
  EXPECT_GE(DepthOf("(((((((1)))))))"), 8u);
  EXPECT_GE(DepthOf("a, (b, (c, (d, (e, (f"), 6u);
}

}  // namespace
}  // namespace curlew::sql
