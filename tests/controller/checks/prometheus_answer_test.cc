#include "controller/checks/prometheus_answer.h"

#include <gmock/gmock.h>

namespace curlew::checks {
namespace {

using ::testing::HasSubstr;

Outcome Judge(const std::string& body, int status = 200) {
  return JudgePrometheus({.status = status, .body = body, .cut_off = false});
}

// A vector of samples, each {metric, value}.
std::string Vector(const std::vector<std::pair<std::string, std::string>>& samples) {
  std::string result;
  for (const auto& [metric, value] : samples) {
    if (!result.empty()) result += ",";
    result += R"({"metric":)" + metric + R"(,"value":[1700000000.5,")" + value + R"("]})";
  }
  return R"({"status":"success","data":{"resultType":"vector","result":[)" + result + "]}}";
}

TEST(PrometheusAnswerTest, HoldsWhereEverySampleIsNeitherZeroNorNaN) {
  const Outcome one = Judge(Vector({{"{}", "1"}}));
  EXPECT_EQ(one.state, v1::CHECK_STATE_PASSING) << one.message;
  EXPECT_EQ(one.value, "1");
  const Outcome two = Judge(Vector({{R"({"db":"a"})", "0.25"}, {R"({"db":"b"})", "+Inf"}}));
  EXPECT_EQ(two.state, v1::CHECK_STATE_PASSING) << two.message;
  EXPECT_EQ(two.value, "2 samples");
}

TEST(PrometheusAnswerTest, FailsWhereASampleIsZeroOrNaNAndNamesIt) {
  for (const char* bad : {"0", "0.0", "-0", "NaN"}) {
    const Outcome outcome = Judge(Vector({{R"({"db":"a"})", "1"}, {R"({"db":"b","job":"x"})", bad}}));
    EXPECT_EQ(outcome.state, v1::CHECK_STATE_FAILING) << bad;
    EXPECT_THAT(outcome.message, HasSubstr(R"({db="b", job="x"} is )" + std::string(bad)));
  }
}

TEST(PrometheusAnswerTest, FailsWhereThereIsNoSample) {
  const Outcome outcome = Judge(Vector({}));
  EXPECT_EQ(outcome.state, v1::CHECK_STATE_FAILING);
  EXPECT_THAT(outcome.message, HasSubstr("no sample"));
}

TEST(PrometheusAnswerTest, AScalarIsASample) {
  const auto scalar = [](const char* value) {
    return Judge(std::string(R"({"status":"success","data":{"resultType":"scalar","result":[1,")") + value +
                 R"("]}})");
  };
  EXPECT_EQ(scalar("3").state, v1::CHECK_STATE_PASSING);
  EXPECT_EQ(scalar("3").value, "3");
  EXPECT_EQ(scalar("0").state, v1::CHECK_STATE_FAILING);
}

TEST(PrometheusAnswerTest, WhatIsNoAnswerOfAnInstantQueryIsAnError) {
  for (const char* body :
       {"", "<html>", "{", "[]", "1", "null", R"({"status":"success"})",
        R"({"status":"success","data":{"resultType":"matrix","result":[]}})",
        R"({"status":"success","data":{"resultType":"string","result":[1,"x"]}})",
        R"({"status":"success","data":{"resultType":"vector","result":{}}})",
        R"({"status":"success","data":{"resultType":"vector","result":[{"value":[1,2]}]}})",
        R"({"status":"success","data":{"resultType":"vector","result":[{"value":[1,"many"]}]}})",
        R"({"status":"success","data":{"resultType":"vector","result":[7]}})",
        R"({"status":"success","data":{"resultType":"scalar","result":["1"]}})"}) {
    EXPECT_EQ(Judge(body).state, v1::CHECK_STATE_ERROR) << body;
  }
}

TEST(PrometheusAnswerTest, SaysWhatPrometheusSaysIsWrong) {
  const Outcome outcome =
      Judge(R"({"status":"error","errorType":"bad_data","error":"parse error: unexpected end"})", 400);
  EXPECT_EQ(outcome.state, v1::CHECK_STATE_ERROR);
  EXPECT_THAT(outcome.message, HasSubstr("unexpected end"));
  EXPECT_THAT(Judge("Service Unavailable", 503).message, HasSubstr("503"));
}

TEST(PrometheusAnswerTest, AnAnswerThatWasCutOffIsAnError) {
  const Outcome outcome = JudgePrometheus({.status = 200, .body = Vector({{"{}", "1"}}), .cut_off = true});
  EXPECT_EQ(outcome.state, v1::CHECK_STATE_ERROR);
  EXPECT_THAT(outcome.message, HasSubstr("too long"));
}

TEST(PrometheusQueryTest, EncodesTheQueryAndKeepsThePathOfTheServer) {
  const auto server = ParseUrl("https://metrics.example/prometheus/?tenant=a");
  ASSERT_TRUE(server.ok()) << server.status();
  const Url url = PrometheusQuery(*server, "up{db=\"a&b\"} > bool 0.5");
  EXPECT_EQ(url.path, "/prometheus/api/v1/query");
  EXPECT_EQ(url.query, "tenant=a&query=up%7Bdb%3D%22a%26b%22%7D%20%3E%20bool%200.5");
}

}  // namespace
}  // namespace curlew::checks
