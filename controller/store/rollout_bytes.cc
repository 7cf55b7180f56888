#include "controller/store/rollout_bytes.h"

#include <algorithm>
#include <utility>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace curlew::store {

RolloutBytes SplitRollout(const v1::Rollout& rollout) {
  using google::protobuf::internal::WireFormatLite;
  const std::string bytes = rollout.SerializeAsString();
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes.data()),
                                               static_cast<int>(bytes.size()));
  RolloutBytes split;
  split.runs.reserve(rollout.runs_size());
  size_t begin = 0;
  while (const uint32_t tag = input.ReadTag()) {
    WireFormatLite::SkipField(&input, tag);
    const size_t end = static_cast<size_t>(input.CurrentPosition());
    if (WireFormatLite::GetTagFieldNumber(tag) == v1::Rollout::kRunsFieldNumber) {
      split.runs.emplace_back(bytes, begin, end - begin);
    } else {
      split.rollout.append(bytes, begin, end - begin);
    }
    begin = end;
  }
  return split;
}

std::optional<std::vector<std::string>> WrittenRuns::Take(const std::string& rollout, int64_t version) {
  const auto found = kept_.find(rollout);
  if (found == kept_.end()) return std::nullopt;
  Kept kept = std::move(found->second);
  kept_.erase(found);
  bytes_ -= kept.bytes;
  if (kept.version != version) return std::nullopt;
  return std::move(kept.runs);
}

void WrittenRuns::Keep(const std::string& rollout, int64_t version, std::vector<std::string> runs) {
  (void)Take(rollout, version);
  Kept kept{.version = version, .runs = std::move(runs), .used = ++uses_};
  for (const std::string& run : kept.runs) kept.bytes += run.size();
  bytes_ += kept.bytes;
  kept_[rollout] = std::move(kept);
  while (bytes_ > most_bytes_ && kept_.size() > 1) {
    const auto oldest = std::min_element(kept_.begin(), kept_.end(), [](const auto& a, const auto& b) {
      return a.second.used < b.second.used;
    });
    bytes_ -= oldest->second.bytes;
    kept_.erase(oldest);
  }
}

RunsToWrite CompareRuns(const std::optional<std::vector<std::string>>& before,
                        const std::vector<std::string>& runs) {
  RunsToWrite write;
  const size_t known = before.has_value() ? before->size() : 0;
  write.keep = std::min(known, runs.size());
  write.removes = !before.has_value() || known > runs.size();
  for (size_t i = 0; i < runs.size(); ++i) {
    if (i >= known || (*before)[i] != runs[i]) write.positions.push_back(i);
  }
  return write;
}

}  // namespace curlew::store
