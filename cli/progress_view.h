// Progress and tuning of walks, for people to read. Pure functions.
#ifndef CURLEW_CLI_PROGRESS_VIEW_H_
#define CURLEW_CLI_PROGRESS_VIEW_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::cli {

// What progress says beside a bar: rows per second, time left, throttle; where there are none of these, its
// message.
std::vector<std::string> ProgressFacts(const v1::Progress& progress);

// What a walk says beyond that: blocks, workers, the current batch, what bounds it (always, or only where it
// costs workers), parts that are put aside, rows that could not be written. Empty for other steps.
enum class LoadDetail { kAlways, kWhereItCosts };
std::vector<std::string> WalkFacts(const v1::Progress& progress, LoadDetail detail = LoadDetail::kAlways);

// How far it is and how fast, in one line: "backfill-1: 42%, 42,000 of about 100,000 rows, 21,000 rows/s".
std::string ProgressText(const v1::Progress& progress);

// One line for each worker: "public.contacts: blocks 4096 to 4160, 3,200 rows in 48ms".
std::vector<std::string> WorkerTexts(const v1::Progress& progress);

// "max_workers 2, batch_target 20ms, limit replica_lag_ms 500"; "" where nothing is set.
std::string TuningText(const v1::Tuning& tuning);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_PROGRESS_VIEW_H_
