#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/lint_findings.h"

namespace curlew::cli {
namespace {

TEST(LintGithubTest, AnnotatesTheLineOfEachHazard) {
  EXPECT_EQ(Print(MakeLintGithub, {Harmless(), TypeChange()}),
            "::error file=db/42.sql,line=13,col=14,title=rewrites-table::orders is written anew, 100%25 of "
            "it: nobody "
            "reads or writes%0ASafe way:%0AALTER TABLE orders ADD x numeric;%0A-- then fill it%0AAs an "
            "operation of a "
            "plan:%0A- change_type: {table: orders}\n");
}

TEST(LintGithubTest, EscapesWhatTheRunnerWouldRead) {
  EXPECT_EQ(Print(MakeLintGithub, {Unread()}),
            "::error file=a b%2Cc%3Ad%25.sql,line=2,col=15,title=syntax-error::syntax error at "
            "\xFE%0D%0A\"FOO\"\n");
}

TEST(LintGithubTest, WhatIsAllowedIsLeftOut) {
  lint::Finding finding = TypeChange();
  finding.allowed = {{"rewrites-table", "it is small"}};
  EXPECT_EQ(Print(MakeLintGithub, {finding}), "");
}

}  // namespace
}  // namespace curlew::cli
