#include "cli/progress_view.h"

#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/text.h"
#include "cli/units.h"
#include "common/base/proto_time.h"

namespace curlew::cli {
namespace {

using base::FromProto;

// Above this share of a signal's limit workers are taken away.
constexpr double kCosts = 0.7;

std::string Number(double value) {
  if (std::abs(value) >= 1000 && std::abs(value) < 1e15) return FormatCount(std::llround(value));
  return absl::StrFormat("%.3g", value);
}

std::string Plural(int64_t count, absl::string_view one, absl::string_view many) {
  return absl::StrCat(FormatCount(count), " ", count == 1 ? one : many);
}

std::string BatchText(const v1::WorkerProgress& worker) {
  return absl::StrCat(Plural(worker.batch_rows(), "row", "rows"), " in ",
                      ShortDuration(FromProto(worker.batch_duration())));
}

// The worker whose batches take longest: that is what the application feels.
const v1::WorkerProgress* Slowest(const v1::Progress& progress) {
  const v1::WorkerProgress* slowest = nullptr;
  for (const v1::WorkerProgress& worker : progress.workers()) {
    if (!worker.has_batch_duration()) continue;
    if (slowest == nullptr || FromProto(worker.batch_duration()) > FromProto(slowest->batch_duration())) {
      slowest = &worker;
    }
  }
  return slowest;
}

std::string LoadText(const v1::Load& load) {
  if (!load.reason().empty()) return Printable(load.reason());
  if (load.signal().empty()) return "";
  return absl::StrCat(Printable(load.signal()), " ", Number(load.value()), " of ", Number(load.limit()), " (",
                      std::llround(load.utilisation() * 100), "%)");
}

}  // namespace

std::vector<std::string> ProgressFacts(const v1::Progress& progress) {
  std::vector<std::string> facts;
  if (progress.rows_per_second() > 0) facts.push_back(FormatRate(progress.rows_per_second()));
  if (progress.has_eta()) facts.push_back(absl::StrCat("ETA ", WholeDuration(FromProto(progress.eta()))));
  if (progress.throttle() >= 0.005) {
    facts.push_back(absl::StrCat("throttled ", FormatPercent(progress.throttle())));
  }
  if (facts.empty() && !progress.message().empty()) facts.push_back(Printable(progress.message()));
  return facts;
}

std::vector<std::string> WalkFacts(const v1::Progress& progress, LoadDetail detail) {
  std::vector<std::string> facts;
  if (progress.blocks_total() > 0) {
    facts.push_back(absl::StrCat(FormatCount(progress.blocks_done()), " of ",
                                 Plural(progress.blocks_total(), "block", "blocks")));
  }
  if (!progress.workers().empty()) facts.push_back(Plural(progress.workers_size(), "worker", "workers"));
  if (const v1::WorkerProgress* worker = Slowest(progress)) {
    facts.push_back(absl::StrCat("batch of ", BatchText(*worker)));
  }
  // While all pause, what is waited for says it.
  const bool says_load = progress.waiting().cause() != v1::WAIT_CAUSE_THROTTLE &&
                         (detail == LoadDetail::kAlways || progress.load().utilisation() > kCosts);
  if (std::string load = LoadText(progress.load()); says_load && !load.empty()) {
    facts.push_back(std::move(load));
  }
  if (progress.parts_aside() > 0) {
    facts.push_back(absl::StrCat(Plural(progress.parts_aside(), "part", "parts"), " aside, rows locked"));
  }
  if (progress.rows_quarantined() > 0) {
    facts.push_back(absl::StrCat(Plural(progress.rows_quarantined(), "row", "rows"), " quarantined"));
  }
  return facts;
}

std::string ProgressText(const v1::Progress& progress) {
  std::vector<std::string> facts;
  if (progress.fraction() > 0 || progress.rows_done() > 0) {
    facts.push_back(FormatPercent(progress.fraction()));
  }
  if (progress.rows_done() > 0) {
    std::string rows = FormatCount(progress.rows_done());
    if (progress.rows_total() > 0) absl::StrAppend(&rows, " of about ", FormatCount(progress.rows_total()));
    facts.push_back(absl::StrCat(rows, " rows"));
  }
  for (std::string& fact : ProgressFacts(progress)) facts.push_back(std::move(fact));
  return absl::StrCat(Printable(progress.step()), facts.empty() ? "" : ": ", absl::StrJoin(facts, ", "));
}

std::vector<std::string> WorkerTexts(const v1::Progress& progress) {
  std::vector<std::string> texts;
  for (const v1::WorkerProgress& worker : progress.workers()) {
    std::string text = worker.place().empty() ? "idle" : Printable(worker.place());
    if (worker.has_batch_duration()) absl::StrAppend(&text, ", ", BatchText(worker));
    texts.push_back(std::move(text));
  }
  return texts;
}

std::string TuningText(const v1::Tuning& tuning) {
  std::vector<std::string> parts;
  if (tuning.max_workers() != 0) parts.push_back(absl::StrCat("max_workers ", tuning.max_workers()));
  if (tuning.has_batch_target()) {
    parts.push_back(absl::StrCat("batch_target ", absl::FormatDuration(FromProto(tuning.batch_target()))));
  }
  // By name: a proto's map has no order.
  for (const auto& [name, limit] :
       std::map<std::string, double>(tuning.limits().begin(), tuning.limits().end())) {
    parts.push_back(
        absl::StrCat("limit ", Printable(name), " ", limit < 0 ? "off" : absl::StrFormat("%.15g", limit)));
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace curlew::cli
