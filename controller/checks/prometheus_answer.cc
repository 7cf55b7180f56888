#include "controller/checks/prometheus_answer.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace curlew::checks {
namespace {

using Json = nlohmann::json;

Outcome Error(std::string message) {
  return {.state = v1::CHECK_STATE_ERROR, .value = "", .message = std::move(message)};
}

// The member of an object; null where it is none, or has none of that name.
const Json& Member(const Json& json, const char* name) {
  static const Json* const kNull = new Json();
  if (!json.is_object()) return *kNull;
  const auto found = json.find(name);
  return found == json.end() ? *kNull : *found;
}

std::string TextOf(const Json& json) { return json.is_string() ? json.get<std::string>() : ""; }

// [1700000000.123, "0.5"]: a time and a value.
std::optional<std::string> ValueOf(const Json& sample) {
  if (!sample.is_array() || sample.size() != 2 || !sample[1].is_string()) return std::nullopt;
  double value = 0;
  const std::string text = sample[1].get<std::string>();
  if (!absl::SimpleAtod(text, &value)) return std::nullopt;
  return text;
}

bool Holds(const std::string& text) {
  double value = 0;
  return absl::SimpleAtod(text, &value) && !std::isnan(value) && value != 0;
}

// {db="crm", job="app"}; "" where there are no labels.
std::string LabelsOf(const Json& metric) {
  if (!metric.is_object() || metric.empty()) return "";
  std::vector<std::string> labels;
  for (const auto& [name, value] : metric.items()) {
    labels.push_back(absl::StrCat(name, "=\"", TextOf(value), "\""));
  }
  return absl::StrCat("{", absl::StrJoin(labels, ", "), "}");
}

struct Sample {
  std::string labels, value;
};

// Nothing where it is neither a vector nor a scalar.
std::optional<std::vector<Sample>> SamplesOf(const Json& data) {
  const std::string type = TextOf(Member(data, "resultType"));
  const Json& result = Member(data, "result");
  std::vector<Sample> samples;
  if (type == "scalar") {
    const auto value = ValueOf(result);
    if (!value.has_value()) return std::nullopt;
    samples.push_back({.labels = "", .value = *value});
    return samples;
  }
  if (type != "vector" || !result.is_array()) return std::nullopt;
  for (const Json& element : result) {
    const auto value = ValueOf(Member(element, "value"));
    if (!value.has_value()) return std::nullopt;
    samples.push_back({.labels = LabelsOf(Member(element, "metric")), .value = *value});
  }
  return samples;
}

}  // namespace

Url PrometheusQuery(const Url& server, absl::string_view query) {
  Url url = server;
  url.path = absl::StrCat(absl::StripSuffix(server.path, "/"), "/api/v1/query");
  url.query = absl::StrCat(server.query, server.query.empty() ? "" : "&", "query=", PercentEncoded(query));
  return url;
}

Outcome JudgePrometheus(const Answer& answer) {
  if (answer.cut_off) return Error("Prometheus's answer is too long; ask for fewer series");
  const Json json = Json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  if (TextOf(Member(json, "status")) == "error") {
    return Error(absl::StrCat("Prometheus cannot answer: ", TextOf(Member(json, "error"))));
  }
  if (answer.status < 200 || answer.status >= 300) {
    return Error(absl::StrCat("Prometheus answers ", answer.status));
  }
  if (TextOf(Member(json, "status")) != "success") return Error("the answer is none of Prometheus's");
  const auto samples = SamplesOf(Member(json, "data"));
  if (!samples.has_value()) {
    return Error("the answer holds neither a vector nor a scalar; the query must give one of them");
  }
  if (samples->empty()) {
    return {.state = v1::CHECK_STATE_FAILING, .value = "", .message = "the query gives no sample"};
  }
  const std::string value =
      samples->size() == 1 ? samples->front().value : absl::StrCat(samples->size(), " samples");
  for (const Sample& sample : *samples) {
    if (Holds(sample.value)) continue;
    return {
        .state = v1::CHECK_STATE_FAILING,
        .value = value,
        .message = absl::StrCat(sample.labels.empty() ? "the sample" : sample.labels, " is ", sample.value)};
  }
  return {.state = v1::CHECK_STATE_PASSING, .value = value, .message = ""};
}

}  // namespace curlew::checks
