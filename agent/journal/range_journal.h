// How far walks have come, as the journal has it: what was handed out to workers, and how far each part is.
#ifndef CURLEW_AGENT_JOURNAL_RANGE_JOURNAL_H_
#define CURLEW_AGENT_JOURNAL_RANGE_JOURNAL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/journal/fenced_transaction.h"
#include "agent/journal/journal.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// One heap of a walk. Places are of the walk's own form; "" lies before all.
struct WalkedLeaf {
  uint32_t leaf = 0;
  std::string leaf_name;  // qualified and quoted
  bool by_key = false;
  int64_t blocks = 0;   // when the walk of it began
  std::string bound;    // places from here on are none of its business
  std::string claimed;  // places before have been handed out
  int64_t rows = 0;     // written in all its ranges, those of earlier walks of it too
  int restarts = 0;     // how often it was begun anew
  bool handed_out() const { return claimed == bound; }
};

// A part of a heap that was handed out.
struct WalkRange {
  int64_t id = 0;
  uint32_t leaf = 0;
  std::string first, last;
  std::string next;  // places before are done in this pass
  int pass = 0;      // of `passes`
  int passes = 1;
  bool single = false;  // the one row at `first`
  int64_t weight = 0;   // units of the walk that it holds
  bool aside = false;   // put aside because rows in it are locked
  int tries = 0;        // how often that was in vain
  // WalkedLeaf::restarts when it was handed out; not read with the range.
  int restarts = 0;
};

// All functions: errors as in common/pg/error.h. Connection and transaction are used, not kept.

// The heaps of a walk, in order of leaves.
absl::StatusOr<std::vector<WalkedLeaf>> ReadWalkedLeaves(pg::Connection* connection, const std::string& run,
                                                         const std::string& step);
// Ranges that are not done, in order.
absl::StatusOr<std::vector<WalkRange>> ReadOpenRanges(pg::Connection* connection, const std::string& run,
                                                      const std::string& step);
// Begins the walk of a heap up to `bound`, or begins it anew: what was handed out is forgotten, rows written
// stay counted. To be called after the bound was read in the same transaction, under a lock on the heap that
// keeps its file.
absl::Status StartLeaf(FencedTransaction& transaction, const StepAttempt& attempt, const Leaf& leaf,
                       bool by_key, const std::string& bound);
// Hands out what lies between leaf.claimed and `end`. Returns the range; ABORTED where leaf.claimed is not
// what the journal has.
absl::StatusOr<WalkRange> ClaimRange(FencedTransaction& transaction, const StepAttempt& attempt,
                                     const WalkedLeaf& leaf, const std::string& end, int passes,
                                     int64_t weight);
// A batch wrote `rows` rows, and the range, which stood at `before`, stands now at `after`; done where
// `done`. False where the range is gone, the heap is not the one that the walk was begun on (VACUUM FULL,
// CLUSTER, TRUNCATE), or `leaf_name`, by which the batch wrote, is another table's by now: then the
// transaction must be rolled back. UNAVAILABLE where the journal does not have
// it at `before`: a server that crashed has lost batches (asynchronous commits), and only the journal knows
// where to go on. To be called in the batch's transaction, which holds a lock on the heap already, after the
// batch.
absl::StatusOr<bool> AdvanceRange(FencedTransaction& transaction, const StepAttempt& attempt,
                                  const std::string& leaf_name, const WalkRange& before,
                                  const WalkRange& after, bool done, int64_t rows);
// Heaps that were walked by place and are not the ones any more on which their walk was begun.
absl::StatusOr<std::vector<uint32_t>> ReadRewrittenLeaves(pg::Connection* connection, const std::string& run,
                                                          const std::string& step);
// Puts a part aside: as a range of its own, whose id is set.
absl::Status AddAside(FencedTransaction& transaction, const StepAttempt& attempt, WalkRange* range);

// A row that could not be written.
struct QuarantinedRow {
  int64_t id = 0;
  uint32_t leaf = 0;
  std::string place;
  std::string key;  // for people
  std::string sqlstate;
  std::string message;
};
// Rows of a step that wait.
absl::StatusOr<std::vector<QuarantinedRow>> ReadQuarantine(pg::Connection* connection, const std::string& run,
                                                           const std::string& step);
// Sets row.id.
absl::Status AddToQuarantine(FencedTransaction& transaction, const StepAttempt& attempt, QuarantinedRow* row);
// `state` is "mended" or "accepted"; who and why are of an acceptance.
absl::Status ResolveQuarantined(FencedTransaction& transaction, int64_t id, const std::string& state,
                                const std::string& actor = "", const std::string& reason = "");

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_JOURNAL_RANGE_JOURNAL_H_
