// Resource names and the words of enums, as people write and read them.
#ifndef CURLEW_CLI_NAMES_H_
#define CURLEW_CLI_NAMES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/generated_enum_reflection.h"

namespace curlew::cli {

// The last part of a resource name: "x" of "rollouts/x", and of "x".
std::string Bare(absl::string_view name);

// The resource name for what a person wrote: "x" or "rollouts/x", "x" or "targets/x", "x" or
// "environments/x", "x" or "tokens/x".
std::string RolloutName(absl::string_view written);
std::string TargetName(absl::string_view written);
std::string EnvironmentName(absl::string_view written);
std::string TokenName(absl::string_view written);

// "plans/x" stays; "x-0123456789ab", which ends like a digest, becomes "plans/x-0123456789ab"; another bare
// name stays: the controller takes it for the newest plan of that name.
std::string PlanName(absl::string_view written);

// The word of an enum value: "DUAL_WRITE" of PHASE_DUAL_WRITE; its number where this program does not know
// it.
std::string EnumWord(const google::protobuf::EnumDescriptor* descriptor, int value);
template <typename Enum>
std::string Word(Enum value) {
  return EnumWord(google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}

// Every state of a run, as people write it: "failed", "ready-to-drop".
std::vector<std::string> RunStateWords();

// PostgreSQL's documentation's name of a lock: "ACCESS EXCLUSIVE" of "AccessExclusiveLock".
std::string LockName(absl::string_view mode);

// How strong a lock is, from 1; 0 for a mode that is none.
int LockRank(absl::string_view mode);

// What a lock keeps others from doing, in words; "" for a mode that is none.
absl::string_view LockBlocks(absl::string_view mode);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_NAMES_H_
