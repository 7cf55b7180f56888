// What gates and freezes wait for, judged from what is stored and the time; nothing is changed here. Internal
// to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_CONDITIONS_H_
#define CURLEW_CONTROLLER_ROLLOUT_CONDITIONS_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::rollout {

// Where a gate stands: before a stage or its DROP, or before a wave of it.
struct GatePlace {
  const v1::EnvironmentStage* stage = nullptr;
  const v1::Wave* wave = nullptr;  // null for the stage's own
};

// How a gate stands.
struct Verdict {
  bool approved = false;                       // the approvals are there
  bool passable = false;                       // soak, windows and checks hold, or need not
  bool by_windows = true;                      // at most windows keep it closed: no news
  std::vector<v1::Waiting> causes;             // what it waits for; empty where it is open
  absl::Time change = absl::InfiniteFuture();  // when it may stand otherwise by itself
  bool open() const { return approved && passable; }
};

// Judges a gate that has been reached. Approvals count that are neither void nor expired.
Verdict Judge(const v1::Rollout& rollout, const GatePlace& place, const v1::Gate& gate, absl::Time now);

// The freeze of the stage's environment that is on and ends last, as what is waited for.
std::optional<v1::Waiting> FrozenBy(const v1::EnvironmentStage& stage, absl::Time now);

// Whether the policy asks for anything at all.
bool HasConditions(const v1::GatePolicy& policy);
// How many approvals of the gate count.
int CountedApprovals(const v1::Gate& gate, absl::Time now);

// --- Checks. ---

// Whether the check is made for each target, and not once for all.
bool IsPerTarget(const v1::HealthCheck& check);
// The check with its interval, timeout and failure_threshold, where it leaves them out.
v1::HealthCheck WithDefaults(v1::HealthCheck check);
absl::Duration IntervalOf(const v1::HealthCheck& check);
// Targets for which the checks of a gate at `place` are made: not those that are left out or failed, nor
// those that are set aside and cannot be reached.
std::vector<std::string> CheckedTargets(const v1::Rollout& rollout, const GatePlace& place);

// Statuses by check and target. Valid as long as what it was made from.
class StatusIndex {
 public:
  explicit StatusIndex(const google::protobuf::RepeatedPtrField<v1::CheckStatus>& statuses);
  // Null where the check was not made yet.
  const v1::CheckStatus* Find(const std::string& check, const std::string& target) const;

 private:
  std::map<std::pair<absl::string_view, absl::string_view>, const v1::CheckStatus*> by_name_;
};

// When what a status says is too old to count: several times its interval ago, or the word has expired.
absl::Time StaleAt(const v1::HealthCheck& check, const v1::CheckStatus& status);

// --- Words. ---

v1::Waiting NewWaiting(v1::WaitCause cause, std::string message, absl::Time since);
// "2026-11-28 10:00:00 UTC".
std::string TimeText(absl::Time time);
// "a, b, c and 7 more".
std::string Some(const std::vector<std::string>& names, size_t most);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_CONDITIONS_H_
