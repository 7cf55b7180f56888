#include "cli/lint_output.h"
#include "nlohmann/json.hpp"

namespace curlew::cli {
namespace {

using Json = nlohmann::ordered_json;

Json HazardJson(const lint::Finding& finding, const lint::Hazard& hazard) {
  const sql::Place place = lint::PlaceOf(finding, hazard);
  Json json = {
      {"code", hazard.code},           {"severity", std::string(lint::SeverityName(hazard.severity))},
      {"message", hazard.message},     {"safe_sql", hazard.safe_sql},
      {"operation", hazard.operation}, {"line", place.line},
      {"column", place.column}};
  if (const std::string* reason = AllowedReason(finding, hazard)) json["allowed"] = *reason;
  return json;
}

Json FindingJson(const lint::Finding& finding) {
  const sql::Place place = lint::PlaceOf(finding);
  const lint::Report& report = finding.report;
  Json locks = Json::array(), hazards = Json::array();
  for (const lint::RelationLock& lock : report.locks) {
    locks.push_back({{"relation", lock.relation},
                     {"mode", std::string(lint::LockName(lock.mode))},
                     {"held_before", lock.held_before}});
  }
  for (const lint::Hazard& hazard : report.hazards) hazards.push_back(HazardJson(finding, hazard));
  return {{"file", finding.file},
          {"line", place.line},
          {"column", place.column},
          {"statement", finding.statement},
          {"locks", std::move(locks)},
          {"blocks_reads", report.blocks_reads},
          {"blocks_writes", report.blocks_writes},
          {"rewrites", report.rewrites},
          {"scans", report.scans},
          {"transactional", report.transactional},
          {"hazards", std::move(hazards)}};
}

class LintJson : public LintOutput {
 public:
  explicit LintJson(std::ostream& out) : out_(out) {}
  void Add(const lint::Finding& finding) override {
    out_ << (first_ ? "[\n" : ",\n")
         << FindingJson(finding).dump(2, ' ', false, Json::error_handler_t::replace);
    first_ = false;
  }
  void Note(absl::string_view) override {}
  void Finish(const LintCounts&) override { out_ << (first_ ? "[]\n" : "\n]\n"); }

 private:
  std::ostream& out_;
  bool first_ = true;
};

}  // namespace

std::unique_ptr<LintOutput> MakeLintJson(std::ostream& out) { return std::make_unique<LintJson>(out); }

}  // namespace curlew::cli
