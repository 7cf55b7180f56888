// Every operation through its whole life, with an old and a new client writing: see case.h.
#include "tests/harness/life.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ostream>
#include <set>

#include "absl/random/random.h"
#include "absl/strings/numbers.h"
#include "tests/support/status_matchers.h"

namespace curlew::testing {
namespace {

bool Full() {
  const char* harness = std::getenv("CURLEW_HARNESS");
  return harness != nullptr && std::string(harness) == "full";
}

// One life, and in the full harness one for each spelling.
struct Life {
  Case the_case;
  std::optional<Spelling> spelling;  // else the seed chooses
};

void PrintTo(const Life& life, std::ostream* out) { *out << life.the_case.Name(); }

std::vector<Life> Lives() {
  std::vector<Life> lives;
  for (const Case& the_case : AllCases()) {
    if (!Full()) {
      lives.push_back({the_case, std::nullopt});
      continue;
    }
    for (Spelling spelling : AllSpellings()) lives.push_back({the_case, spelling});
  }
  return lives;
}

std::string NameOf(const ::testing::TestParamInfo<Life>& info) {
  std::string name = info.param.the_case.Name();
  if (info.param.spelling.has_value()) name += "_" + SpellingName(*info.param.spelling);
  return name;
}

uint64_t Seed() {
  uint64_t seed = 0;
  if (const char* given = std::getenv("CURLEW_SEED"); given != nullptr && absl::SimpleAtoi(given, &seed))
    return seed;
  return absl::Uniform<uint32_t>(absl::BitGen());
}

std::optional<Spelling> GivenSpelling() {
  const char* given = std::getenv("CURLEW_SPELLING");
  if (given == nullptr) return std::nullopt;
  for (Spelling spelling : AllSpellings()) {
    if (SpellingName(spelling) == given) return spelling;
  }
  ADD_FAILURE() << "CURLEW_SPELLING: there is no spelling " << given;
  return std::nullopt;
}

class OperationLife : public LifeTest, public ::testing::WithParamInterface<Life> {
 protected:
  // A hostile spelling and a crash, chosen by seed.
  void LiveOnce() {
    const uint64_t seed = Seed();
    std::mt19937_64 random(seed);
    const std::vector<Spelling>& all = AllSpellings();
    // Not the first one, which is plain.
    const Spelling chosen = all[1 + random() % (all.size() - 1)];
    ASSERT_OK(
        Live(GetParam().the_case, GivenSpelling().value_or(chosen), seed, [&](const v1::CompiledPlan& plan) {
          if (const char* given = std::getenv("CURLEW_CRASH"); given != nullptr) return ParseCrash(given);
          std::vector<Crash> crashes = AllCrashes(plan);
          crashes.push_back({.when = Crash::When::kAnyInstant,
                             .delay = absl::Milliseconds(50 + static_cast<int64_t>(random() % 200))});
          return crashes[random() % crashes.size()];
        }));
  }

  // Once for each place at which the run can be killed. All of them in one spelling; in the others the crash
  // after each step, from which the run is resumed.
  void LiveWithEveryCrash() {
    std::vector<Crash> crashes;
    const Spelling spelling = *GetParam().spelling;
    for (size_t i = 0; i == 0 || i < crashes.size(); ++i) {
      ASSERT_OK(Live(GetParam().the_case, spelling, Seed(), [&](const v1::CompiledPlan& plan) {
        if (i == 0) {
          crashes = AllCrashes(plan);
          if (spelling != Spelling::kQuotes) {
            std::erase_if(crashes, [](const Crash& crash) {
              return crash.when != Crash::When::kDo || crash.where != Crash::Where::kAfter;
            });
          }
          for (int delay : {60, 120, 240}) {
            crashes.push_back({.when = Crash::When::kAnyInstant, .delay = absl::Milliseconds(delay)});
          }
        }
        return crashes[i];
      }));
      TearDown();
      if (HasFailure()) return;
    }
  }
};

TEST_P(OperationLife, Holds) {
  if (Full()) {
    LiveWithEveryCrash();
  } else {
    LiveOnce();
  }
}

INSTANTIATE_TEST_SUITE_P(Harness, OperationLife, ::testing::ValuesIn(Lives()), NameOf);

}  // namespace
}  // namespace curlew::testing
