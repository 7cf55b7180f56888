// Rollouts in pieces: a change of one run of two thousand need not write the others.
#ifndef CURLEW_CONTROLLER_STORE_ROLLOUT_BYTES_H_
#define CURLEW_CONTROLLER_STORE_ROLLOUT_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "curlew/v1/rollout.pb.h"

namespace curlew::store {

// The bytes of a rollout: without its runs, and each run as the bytes of a Rollout that has only it. One
// after the other they are the bytes of the whole, as the parts of any proto's bytes are. So what is kept
// whole (by an earlier version, or a restored backup) is a rollout with no runs apart.
struct RolloutBytes {
  std::string rollout;
  std::vector<std::string> runs;
};
RolloutBytes SplitRollout(const v1::Rollout& rollout);

// What a store is known to hold of the runs of rollouts, because it has just written it: which of them need
// not be written again. Not thread-safe.
class WrittenRuns {
 public:
  // Keeps at most about that many bytes, and the newest in any case.
  explicit WrittenRuns(size_t most_bytes = 128 << 20) : most_bytes_(most_bytes) {}

  // The runs of the rollout at `version`; nothing where they are not known. They are not known any more then:
  // Keep says what has become of them once that is stored, and nobody does where it fails or is in doubt.
  std::optional<std::vector<std::string>> Take(const std::string& rollout, int64_t version);
  void Keep(const std::string& rollout, int64_t version, std::vector<std::string> runs);

 private:
  struct Kept {
    int64_t version = 0;
    std::vector<std::string> runs;
    size_t bytes = 0;
    int64_t used = 0;
  };

  const size_t most_bytes_;
  std::map<std::string, Kept> kept_;  // by rollout
  size_t bytes_ = 0;
  int64_t uses_ = 0;
};

// What to write of `runs` into a store that has `before`; everything where that is not known.
struct RunsToWrite {
  // Those from this position on are removed first.
  size_t keep = 0;
  bool removes = false;
  std::vector<size_t> positions;
};
RunsToWrite CompareRuns(const std::optional<std::vector<std::string>>& before,
                        const std::vector<std::string>& runs);

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_ROLLOUT_BYTES_H_
