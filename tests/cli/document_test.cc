#include "cli/document.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Document Sample() {
  Document document;
  document.AddHeading(1, "Rollout r_1: DONE");
  document.AddText("1. is no list, <b> no tag, [x](y) no link");
  document.AddList({"# no heading", "snake_case stays, _this_ is not emphasis"});
  document.AddList({});
  document.AddTable({"A", "B"}, {{"x | y", ""}, {"line\nend", "`code`"}});
  document.AddTable({"A"}, {});
  document.AddCode("sql", "SELECT '```';\nSELECT 1 < 2;");
  return document;
}

TEST(DocumentTest, MarkdownKeepsForeignTextAsText) {
  EXPECT_EQ(Sample().Markdown(),
            "# Rollout r_1: DONE\n"
            "\n"
            "1\\. is no list, \\<b\\> no tag, \\[x\\](y) no link\n"
            "\n"
            "* \\# no heading\n"
            "* snake_case stays, \\_this\\_ is not emphasis\n"
            "\n"
            "| A | B |\n"
            "|---|---|\n"
            "| x \\| y | - |\n"
            "| line end | \\`code\\` |\n"
            "\n"
            "````sql\n"
            "SELECT '```';\nSELECT 1 < 2;\n"
            "````\n");
}

TEST(DocumentTest, HtmlIsAPageByItself) {
  EXPECT_THAT(Sample().Html(),
              AllOf(HasSubstr("<!DOCTYPE html>"), HasSubstr("<title>Rollout r_1: DONE</title>"),
                    HasSubstr("<h1>Rollout r_1: DONE</h1>"), HasSubstr("&lt;b&gt; no tag"),
                    HasSubstr("<tr><td>x | y</td><td>-</td></tr>"),
                    HasSubstr("<pre>SELECT &#39;```&#39;;\nSELECT 1 &lt; 2;</pre>"), HasSubstr("</html>\n")));
}

TEST(DocumentTest, NothingFromElsewhereBecomesMarkup) {
  const std::string hostile = "</td><script>alert(1)</script>\033[2J\n# x\n|a|\n```";
  Document document;
  document.AddHeading(1, hostile);
  document.AddText(hostile);
  document.AddList({hostile});
  document.AddTable({hostile}, {{hostile}});
  document.AddCode("", hostile);
  EXPECT_THAT(document.Html(), AllOf(Not(HasSubstr("<script>")), Not(HasSubstr("\033"))));
  const std::string markdown = document.Markdown();
  EXPECT_THAT(markdown, Not(HasSubstr("\033")));
  // Outside of the code block, which is fenced by four.
  const std::string before = markdown.substr(0, markdown.find("````\n"));
  EXPECT_THAT(before, AllOf(Not(HasSubstr("\n# x")), Not(HasSubstr("\n|a|")), Not(HasSubstr("><script>"))));
}

}  // namespace
}  // namespace curlew::cli
