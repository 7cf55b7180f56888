#include "cli/names.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "curlew/v1/rollout.pb.h"
#include "google/protobuf/descriptor.h"

namespace curlew::cli {
namespace {

constexpr int kDigestLength = 12;

struct Lock {
  absl::string_view mode;
  absl::string_view blocks;
};

// PostgreSQL's table locks, the weakest first.
constexpr std::array kLocks = {
    Lock{"AccessShareLock", "blocks only DROP and the like"},
    Lock{"RowShareLock", "blocks no reads or writes"},
    Lock{"RowExclusiveLock", "blocks no reads or writes"},
    Lock{"ShareUpdateExclusiveLock", "blocks no reads or writes"},
    Lock{"ShareLock", "blocks writes"},
    Lock{"ShareRowExclusiveLock", "blocks writes"},
    Lock{"ExclusiveLock", "blocks writes"},
    Lock{"AccessExclusiveLock", "blocks reads and writes"},
};

std::string WithCollection(absl::string_view collection, absl::string_view written) {
  return absl::StrContains(written, '/') ? std::string(written) : absl::StrCat(collection, "/", written);
}

}  // namespace

std::string Bare(absl::string_view name) {
  const size_t slash = name.rfind('/');
  return std::string(slash == name.npos ? name : name.substr(slash + 1));
}

std::string RolloutName(absl::string_view written) { return WithCollection("rollouts", written); }
std::string TargetName(absl::string_view written) { return WithCollection("targets", written); }
std::string EnvironmentName(absl::string_view written) { return WithCollection("environments", written); }
std::string TokenName(absl::string_view written) { return WithCollection("tokens", written); }

std::string PlanName(absl::string_view written) {
  if (absl::StrContains(written, '/')) return std::string(written);
  const size_t dash = written.rfind('-');
  if (dash == written.npos) return std::string(written);
  const absl::string_view end = written.substr(dash + 1);
  const bool digest = end.size() == kDigestLength && std::all_of(end.begin(), end.end(), [](char c) {
                        return absl::ascii_isxdigit(static_cast<unsigned char>(c));
                      });
  return digest ? WithCollection("plans", written) : std::string(written);
}

std::string EnumWord(const google::protobuf::EnumDescriptor* descriptor, int value) {
  const auto* known = descriptor->FindValueByNumber(value);
  if (known == nullptr) return absl::StrCat(value);
  absl::string_view prefix = descriptor->FindValueByNumber(0)->name();
  absl::ConsumeSuffix(&prefix, "UNSPECIFIED");
  absl::string_view word = known->name();
  absl::ConsumePrefix(&word, prefix);
  return std::string(word);
}

std::vector<std::string> RunStateWords() {
  std::vector<std::string> words;
  const auto* states = v1::RunState_descriptor();
  for (int i = 0; i < states->value_count(); ++i) {
    const auto state = static_cast<v1::RunState>(states->value(i)->number());
    if (state == v1::RUN_STATE_UNSPECIFIED) continue;
    words.push_back(absl::StrReplaceAll(absl::AsciiStrToLower(Word(state)), {{"_", "-"}}));
  }
  return words;
}

std::string LockName(absl::string_view mode) {
  absl::ConsumeSuffix(&mode, "Lock");
  std::string name;
  for (char c : mode) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !name.empty()) name += ' ';
    name += absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  return name;
}

int LockRank(absl::string_view mode) {
  for (size_t i = 0; i < kLocks.size(); ++i) {
    if (kLocks[i].mode == mode) return static_cast<int>(i) + 1;
  }
  return 0;
}

absl::string_view LockBlocks(absl::string_view mode) {
  const int rank = LockRank(mode);
  return rank == 0 ? "" : kLocks[rank - 1].blocks;
}

}  // namespace curlew::cli
