// Which SQLSTATEs end an attempt as FAILED and which as ERRORED. docs/failure-handling.md shows the same
// table: the test fails where it says something else, and CURLEW_WRITE_DOCS=1 writes it anew.
#include "agent/executor/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

constexpr char kPage[] = CURLEW_SOURCE_DIR "/docs/failure-handling.md";

struct Row {
  std::string shown;
  std::string meaning;
  std::vector<std::string> sqlstates;
  v1::AttemptState expected;
};

constexpr v1::AttemptState kFailed = v1::ATTEMPT_STATE_FAILED;
constexpr v1::AttemptState kErrored = v1::ATTEMPT_STATE_ERRORED;

const std::vector<Row>& Table() {
  static const auto* const kTable = new std::vector<Row>{
      {"08\\*",
       "the connection broke or cannot be made",
       {"08000", "08001", "08003", "08006", "08P01"},
       kErrored},
      {"57P\\*",
       "the server shuts down, starts, or ended the session",
       {"57P01", "57P02", "57P03", "57P05"},
       kErrored},
      {"53\\*",
       "disk full, out of memory, too many connections",
       {"53000", "53100", "53200", "53300", "53400"},
       kErrored},
      {"25006", "the server takes no writes now (a standby)", {"25006"}, kErrored},
      {"25P03, 25P04", "the session was ended by a time-out of the server", {"25P03", "25P04"}, kErrored},
      {"55P03", "a lock was not to be had in time", {"55P03"}, kErrored},
      {"57014", "a statement time-out, or somebody else's cancel", {"57014"}, kErrored},
      {"40\\*", "deadlock, serialisation failure", {"40001", "40P01", "40003", "40000"}, kErrored},
      {"72\\*", "snapshot too old", {"72000"}, kErrored},
      {"58\\*", "an error of the server's system, such as I/O", {"58000", "58030", "58P01"}, kErrored},
      {"XX000",
       "an error that the server has no name for (\"tuple concurrently updated\")",
       {"XX000"},
       kErrored},
      {"XX001, XX002", "data or an index is corrupted", {"XX001", "XX002"}, kFailed},
      {"21\\*, 22\\*", "a value does not fit", {"21000", "22001", "22003", "22012", "22P02"}, kFailed},
      {"23\\*", "a constraint does not hold", {"23502", "23503", "23505", "23514", "23P01"}, kFailed},
      {"28\\*", "the role may not log in", {"28000", "28P01"}, kFailed},
      {"42501", "the role lacks a right", {"42501"}, kFailed},
      {"42\\*, the rest",
       "the statement is wrong, or names what is not there or there already",
       {"42601", "42P01", "42703", "42704", "42883", "42P07", "42701", "42710", "42P04", "42804"},
       kFailed},
      {"0A\\*", "not supported", {"0A000"}, kFailed},
      {"2BP01", "others depend on it", {"2BP01"}, kFailed},
      {"3D000, 3F000", "no such database or schema", {"3D000", "3F000"}, kFailed},
      {"44\\*", "a view's check does not hold", {"44000"}, kFailed},
      {"54\\*", "a limit of PostgreSQL (row or tuple too large)", {"54000", "54001", "54011"}, kFailed},
      {"55\\*, the rest",
       "an object is not in the state for it",
       {"55000", "55006", "55P02", "55P04"},
       kFailed},
      {"P0\\*",
       "a function of the author's, or a trigger of the application's, raised it",
       {"P0001", "P0002", "P0004"},
       kFailed},
      {"any other", "", {"25001", "25P02", "26000", "2D000", "38000", "39000", "F0000", "HV000"}, kFailed},
  };
  return *kTable;
}

TEST(OutcomeTest, SqlstatesAreTheWorksFaultOrTheWorlds) {
  for (const Row& row : Table()) {
    for (const std::string& sqlstate : row.sqlstates) {
      const Outcome outcome = FromStatus(pg::ServerError(sqlstate, "ERROR:  what it said"), CancelToken());
      EXPECT_EQ(outcome.state, row.expected) << sqlstate;
      EXPECT_EQ(outcome.error.sqlstate(), sqlstate);
      EXPECT_EQ(outcome.error.message(), absl::StrCat("what it said (SQLSTATE ", sqlstate, ")"));
    }
  }
}

TEST(OutcomeTest, WhatIsNotPostgresqlsIsJudgedByItsCode) {
  using Code = absl::StatusCode;
  for (const Code code : {Code::kUnavailable, Code::kDeadlineExceeded, Code::kAborted,
                          Code::kResourceExhausted, Code::kDataLoss, Code::kCancelled}) {
    EXPECT_EQ(FromStatus(absl::Status(code, "x"), CancelToken()).state, kErrored) << code;
  }
  for (const Code code : {Code::kFailedPrecondition, Code::kInvalidArgument, Code::kNotFound, Code::kInternal,
                          Code::kAlreadyExists, Code::kPermissionDenied, Code::kUnknown}) {
    EXPECT_EQ(FromStatus(absl::Status(code, "x"), CancelToken()).state, kFailed) << code;
  }
}

TEST(OutcomeTest, WhoeverWasAskedToStopIsCancelledWhateverBrokeMeanwhile) {
  CancelToken cancel;
  cancel.Cancel("an operator paused it");
  EXPECT_EQ(FromStatus(pg::ServerError("57014", "ERROR:  canceling"), cancel).state,
            v1::ATTEMPT_STATE_CANCELLED);
}

TEST(OutcomeTest, ThePageHasTheTable) {
  std::ifstream in(kPage);
  std::stringstream text;
  text << in.rdbuf();
  std::string page = text.str();
  std::string is = "| SQLSTATE | meaning | the attempt is |\n|---|---|---|\n";
  for (const Row& row : Table()) {
    absl::StrAppend(&is, "| ", row.shown, " | ", row.meaning, " | ",
                    row.expected == kFailed ? "FAILED" : "ERRORED", " |\n");
  }
  const std::string begin = "<!-- table: sqlstates -->\n";
  const size_t from = page.find(begin);
  ASSERT_NE(from, std::string::npos) << kPage;
  const size_t start = from + begin.size();
  const size_t stop = page.find("<!-- end of table -->", start);
  ASSERT_NE(stop, std::string::npos) << kPage;
  if (std::getenv("CURLEW_WRITE_DOCS") != nullptr) {
    page.replace(start, stop - start, is);
    std::ofstream(kPage) << page;
    return;
  }
  EXPECT_EQ(page.substr(start, stop - start), is) << "CURLEW_WRITE_DOCS=1 with this test writes it";
}

}  // namespace
}  // namespace curlew::agent
