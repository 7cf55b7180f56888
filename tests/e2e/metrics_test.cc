// Both programs are scraped during a rollout, and what they serve is compared with docs/metrics.md.
#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/common/metrics/http_get.h"
#include "tests/e2e/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::Cluster;
using ::curlew::testing::FleetTest;
using ::curlew::testing::HttpGet;
using ::curlew::testing::IsOk;
using ::curlew::testing::Process;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kPage[] = CURLEW_SOURCE_DIR "/docs/metrics.md";

std::string Page() {
  std::ifstream file(kPage);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A metric as the page, or a program, describes it.
struct Metric {
  std::string type;
  std::string unit;
  std::set<std::string> labels;
  std::string help;
};
using Metrics = std::map<std::string, Metric>;

// The rows of a table of the page.
Metrics Table(const std::string& name) {
  Metrics metrics;
  const std::string page = Page();
  const size_t begin = page.find(absl::StrCat("<!-- table: ", name, " -->"));
  const size_t end = page.find("<!-- end of table -->", begin);
  EXPECT_NE(end, std::string::npos) << kPage << " lacks the table " << name;
  if (end == std::string::npos) return metrics;
  for (const absl::string_view line : absl::StrSplit(page.substr(begin, end - begin), '\n')) {
    if (!absl::StartsWith(line, "| `")) continue;
    std::vector<std::string> cells;
    for (const absl::string_view cell : absl::StrSplit(line, '|')) {
      cells.emplace_back(absl::StripAsciiWhitespace(cell));
    }
    EXPECT_EQ(cells.size(), 8U) << line;
    if (cells.size() != 8) continue;
    Metric metric{.type = cells[2], .unit = cells[3], .help = cells[5]};
    for (const absl::string_view label : absl::StrSplit(cells[4], ", ", absl::SkipEmpty())) {
      metric.labels.emplace(label);
    }
    EXPECT_FALSE(cells[5].empty() || cells[6].empty()) << line;
    metrics[cells[1].substr(1, cells[1].size() - 2)] = metric;
  }
  return metrics;
}

// Adds what a scrape holds.
void AddScrape(const std::string& answer, Metrics* metrics) {
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
  std::string family;
  for (const absl::string_view line : absl::StrSplit(answer, '\n')) {
    if (absl::StartsWith(line, "# ")) {
      const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 3));
      if (words.size() < 4) continue;
      family = words[2];
      (words[1] == "TYPE" ? (*metrics)[family].type : (*metrics)[family].help) = words[3];
    } else if (!family.empty() && absl::StartsWith(line, family)) {
      const std::string text(line);
      static const auto* const label = new std::regex(R"re([{,]([a-z_]+)=")re");
      for (std::sregex_iterator at(text.begin(), text.end(), *label), end; at != end; ++at) {
        if ((*at)[1] != "le") (*metrics)[family].labels.insert((*at)[1]);
      }
    }
  }
}

// What is wrong with a metric's name and unit; "" where nothing is.
std::string Wrong(const std::string& name, const Metric& metric) {
  static const auto* const units = new std::set<std::string>{
      "seconds", "bytes",      "ratio",  "epoch",   "fds",      "rollouts", "runs",
      "waits",   "attempts",   "events", "targets", "sessions", "entries",  "errors",
      "rpcs",    "reconnects", "rows",   "blocks",  "workers",  "checks"};
  absl::string_view rest = name;
  if ((metric.type == "counter") != absl::ConsumeSuffix(&rest, "_total")) {
    return "counters, and they alone, end in _total";
  }
  if (metric.type != "counter" && metric.type != "gauge" && metric.type != "histogram") return "no such type";
  if (metric.unit == "0 or 1") return metric.type == "gauge" ? "" : "a yes or no is a gauge";
  if (metric.unit == "1") return absl::EndsWith(name, "_info") ? "" : "only an _info has no unit";
  if (units->count(metric.unit) == 0) return absl::StrCat("\"", metric.unit, "\" is no base unit");
  if (!absl::EndsWith(rest, absl::StrCat("_", metric.unit))) return "it does not end in its unit";
  return "";
}

class MetricsTest : public FleetTest {
 protected:
  MetricsTest() {
    controller_flags_ = {"--metrics", "127.0.0.1:0"};
    agent_flags_ = {"--metrics", "127.0.0.1:0"};
  }

  static int PortOf(Process* process) {
    EXPECT_THAT(process->WaitForOutput("serves metrics.*127.0.0.1:[0-9]+", absl::Seconds(30)), IsOk());
    const std::string output = process->output();
    std::smatch match;
    int port = 0;
    const std::regex line("serves metrics.*127.0.0.1:([0-9]+)");
    EXPECT_TRUE(std::regex_search(output, match, line) && absl::SimpleAtoi(match[1].str(), &port));
    return port;
  }

  void Scrape() {
    controller_scrape_ = HttpGet(PortOf(controller_.get()), "/metrics");
    agent_scrape_ = HttpGet(PortOf(agents_["staging"].get()), "/metrics");
    AddScrape(controller_scrape_, &of_controller_);
    AddScrape(agent_scrape_, &of_agent_);
  }

  // A page's table against what was scraped.
  static void Compare(const std::string& who, const Metrics& table, const Metrics& both,
                      const Metrics& served) {
    Metrics rows = table;
    rows.insert(both.begin(), both.end());
    for (const auto& [name, row] : rows) {
      EXPECT_EQ(served.count(name), 1U) << kPage << " has " << name << ", which " << who << " never served";
    }
    for (const auto& [name, metric] : served) {
      const auto row = rows.find(name);
      if (row == rows.end()) {
        ADD_FAILURE() << who << " serves " << name << ", which is not in " << kPage;
        continue;
      }
      EXPECT_EQ(metric.type, row->second.type) << name;
      EXPECT_EQ(absl::StrJoin(metric.labels, ", "), absl::StrJoin(row->second.labels, ", ")) << name;
      EXPECT_FALSE(metric.help.empty()) << name << " has no HELP";
    }
  }

  Metrics of_controller_, of_agent_;
  std::string controller_scrape_, agent_scrape_;
};

constexpr char kContacts[] = R"(
  CREATE TABLE contacts (id bigint PRIMARY KEY, phone text);
  INSERT INTO contacts SELECT g, (5550000000 + g)::text FROM generate_series(1, 20000) AS g;)";

constexpr char kPlan[] = R"yaml(
name: rename-phone
settings: {unused_for: 1s}
operations:
  - rename_column: {table: contacts, from: phone, to: phone_number, up: "'+' || phone", down: "substr(phone_number, 2)"}
)yaml";

TEST_F(MetricsTest, BothProgramsServeWhatThePageSays) {
  conninfo_ = {{"staging", NewDatabase(kContacts)}};
  StartController();
  CurlewOk({"env", "apply", "-f",
            File("e.yaml",
                 "environments: [{name: only, targets: [staging], before: {approvals: 1}, "
                 "before_drop: {approvals: 1}}]")});
  StartAgent("staging");
  CurlewOk({"rollout", "start", File("plan.yaml", kPlan), "--id", "r"});
  UntilGate("r");
  EXPECT_NE(Curlew({"rollout", "show", "nosuch"}).exit_code, 0);
  // Somebody who works all the time, and a limit that does not allow it: the walk pauses.
  auto busy = Process::Start(
      {.argv = {Cluster::Get().Program("psql"), conninfo_["staging"], "-c", "SELECT pg_sleep(600)"}});
  ASSERT_THAT(busy, IsOk());
  CurlewOk({"rollout", "tune", "r", "--limit", "active_sessions=0.01"});
  Approve("r");
  auto watch = StartCurlew({"rollout", "watch", "r", "--until", "gate"});
  ASSERT_NE(watch, nullptr);
  ASSERT_THAT(watch->WaitForOutput("waits for throttle: active_sessions", absl::Seconds(60)), IsOk());
  Scrape();
  EXPECT_THAT(agent_scrape_, AllOf(HasSubstr("curlew_agent_session_connected 1"),
                                   HasSubstr("curlew_agent_target_ready{target=\"staging\"} 1"),
                                   HasSubstr(R"(signal="active_sessions")")));
  EXPECT_THAT(controller_scrape_,
              AllOf(HasSubstr(R"(curlew_waits{cause="throttle",party="machines"} 1)"),
                    HasSubstr("curlew_rollouts{state=\"running\"} 1"), HasSubstr("curlew_leader 1")));
  CurlewOk({"rollout", "tune", "r", "--limit", "active_sessions=off"});
  ASSERT_THAT(watch->Wait(absl::Seconds(60)), IsOk());
  Scrape();
  EXPECT_THAT(controller_scrape_, HasSubstr(R"(curlew_waits{cause="approval",party="people"} 1)"));
  Approve("r");
  EXPECT_EQ(UntilEnd("r"), 0);
  Scrape();
  EXPECT_THAT(controller_scrape_,
              HasSubstr(R"(curlew_rollout_duration_seconds_count{part="people",state="succeeded"} 1)"));
  EXPECT_THAT(agent_scrape_, HasSubstr(R"(kind="backfill",outcome="succeeded",target="staging"} 1)"));

  const Metrics both = Table("both");
  Compare("curlew-controller", Table("controller"), both, of_controller_);
  Compare("curlew-agent", Table("agent"), both, of_agent_);
  // Nobody's rollouts, databases or passwords.
  for (const std::string& scrape : {controller_scrape_, agent_scrape_}) {
    EXPECT_THAT(scrape, AllOf(Not(HasSubstr("rollouts/r")), Not(HasSubstr("rename-phone"))));
  }
  if (const char* path = std::getenv("CURLEW_KEEP_SCRAPES"); path != nullptr) {
    std::ofstream(absl::StrCat(path, "/controller.txt")) << controller_scrape_;
    std::ofstream(absl::StrCat(path, "/agent.txt")) << agent_scrape_;
  }
}

TEST_F(MetricsTest, AnAgentIsWellWithoutAControllerAndWithoutADatabase) {
  address_ = absl::StrCat("127.0.0.1:", testing::FreePort());
  conninfo_ = {{"staging", "host=127.0.0.1 port=1 dbname=nosuch"}};
  StartAgent("staging");
  Process* agent = agents_["staging"].get();
  ASSERT_THAT(agent->WaitForOutput("session ended", absl::Seconds(30)), IsOk());
  EXPECT_THAT(HttpGet(PortOf(agent), "/healthz"), AllOf(StartsWith("HTTP/1.1 200 OK"), EndsWith("\nok\n")));
  EXPECT_THAT(HttpGet(PortOf(agent), "/metrics"), HasSubstr("curlew_agent_session_connected 0"));
  StartController();
  CurlewOk({"env", "apply", "-f", File("e.yaml", "environments: [{name: only, targets: [staging]}]")});
  ASSERT_THAT(agent->WaitForOutput("target cannot be served", absl::Seconds(30)), IsOk());
  EXPECT_THAT(HttpGet(PortOf(agent), "/healthz"), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(HttpGet(PortOf(agent), "/metrics"),
              AllOf(HasSubstr("curlew_agent_session_connected 1"),
                    HasSubstr("curlew_agent_targets{state=\"problem\"} 1")));
}

TEST(MetricsPageTest, NamesEndInABaseUnit) {
  for (const char* table : {"controller", "agent", "both"}) {
    const Metrics metrics = Table(table);
    EXPECT_GT(metrics.size(), 3U) << table;
    for (const auto& [name, metric] : metrics) EXPECT_EQ(Wrong(name, metric), "") << name;
  }
  EXPECT_NE(Wrong("curlew_lag_ms", {.type = "gauge", .unit = "ms"}), "");
  EXPECT_NE(Wrong("curlew_lag", {.type = "gauge", .unit = "seconds"}), "");
  EXPECT_NE(Wrong("curlew_waited_seconds", {.type = "counter", .unit = "seconds"}), "");
}

TEST(MetricsPageTest, AlertsAskForMetricsThatThereAre) {
  Metrics known;
  for (const char* table : {"controller", "agent", "both"}) known.merge(Table(table));
  const std::string page = Page();
  const std::string alerts =
      page.substr(page.find("## Alerts"), page.find("## Health") - page.find("## Alerts"));
  const std::regex name("curlew_[a-z_]+");
  int found = 0;
  for (std::sregex_iterator at(alerts.begin(), alerts.end(), name), end; at != end; ++at, ++found) {
    const std::string metric = std::regex_replace(at->str(), std::regex("_(sum|count|bucket)$"), "");
    EXPECT_EQ(known.count(metric), 1U) << "an alert asks for " << at->str();
  }
  EXPECT_GE(found, 6);
}

}  // namespace
}  // namespace curlew
