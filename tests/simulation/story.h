// What happens in a simulation, and what of it was wrong.
#ifndef CURLEW_TESTS_SIMULATION_STORY_H_
#define CURLEW_TESTS_SIMULATION_STORY_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace curlew::simulation {

// What is counted over any number of seeds.
struct Figures {
  int64_t seeds = 0;
  int64_t events = 0;
  int64_t commits = 0;          // of work, in databases
  int64_t fenced_in_db = 0;     // commits of predecessors, refused by a database
  int64_t fenced_in_store = 0;  // commits of deposed controllers, refused by the store
  int64_t watched = 0;          // events that watchers were told
  int64_t violations = 0;
  std::map<std::string, int64_t> faults;  // by kind
  std::map<std::string, int64_t> ends;    // rollouts by the state that they ended in

  void Add(const Figures& more);
  // All of it in one line.
  std::string Line() const;
};

// Keeps the last lines of the story, a hash of all of it, and every violation.
class Story {
 public:
  // Something happened. An empty text counts in the hash alone.
  void Tell(absl::Duration when, std::string what);
  // A fault was injected.
  void Fault(const char* kind) { ++figures.faults[kind]; }
  // A promise was broken.
  void Violate(std::string what);

  uint64_t hash() const { return hash_; }
  const std::deque<std::string>& last() const { return last_; }
  const std::vector<std::string>& violations() const { return violations_; }

  Figures figures;
  size_t keep = 120;  // lines

 private:
  uint64_t hash_ = 14695981039346656037u;
  std::deque<std::string> last_;
  std::vector<std::string> violations_;
};

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_STORY_H_
