#include "agent/guard/lock_modes.h"

namespace curlew::agent {
namespace {

constexpr int kModes = 8;
const char* const kNames[kModes] = {
    "AccessShareLock", "RowShareLock",          "RowExclusiveLock", "ShareUpdateExclusiveLock",
    "ShareLock",       "ShareRowExclusiveLock", "ExclusiveLock",    "AccessExclusiveLock"};
// Row: the mode that is asked for; column: the mode that is held.
constexpr bool kConflicts[kModes][kModes] = {
    {false, false, false, false, false, false, false, true},
    {false, false, false, false, false, false, true, true},
    {false, false, false, false, true, true, true, true},
    {false, false, false, true, true, true, true, true},
    {false, false, true, true, false, true, true, true},
    {false, false, true, true, true, true, true, true},
    {false, true, true, true, true, true, true, true},
    {true, true, true, true, true, true, true, true},
};

}  // namespace

std::vector<std::string> ConflictingModes(const std::string& mode) {
  int row = kModes - 1;
  for (int i = 0; i < kModes; ++i) {
    if (mode == kNames[i]) row = i;
  }
  std::vector<std::string> conflicting;
  for (int i = 0; i < kModes; ++i) {
    if (kConflicts[row][i]) conflicting.push_back(kNames[i]);
  }
  return conflicting;
}

}  // namespace curlew::agent
