// Races that are there and races that are not: whether the thread sanitizer still tells them apart with
// absl_sync.cc. Each way of passing a number from thread to thread is an argument; ctest expects a report of
// the first two alone. In preset tsan alone.
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

namespace {

struct Passed {
  absl::Mutex mutex, other;
  absl::CondVar changed;
  absl::Notification notified;
  bool ready = false;
  int number = 0;
};

// What one thread does, and what another does at the same time.
struct Way {
  std::function<void(Passed&)> give, take;
};

void Give(Passed& p) {
  absl::MutexLock lock(&p.mutex);
  p.number = 1;
  p.ready = true;
  p.changed.Signal();
}

const std::map<std::string, Way>& Ways() {
  static const auto* const ways = new std::map<std::string, Way>{
      {"after-the-lock",
       {[](Passed& p) {
          { absl::MutexLock lock(&p.mutex); }
          p.number = 1;
        },
        [](Passed& p) {
          { absl::MutexLock lock(&p.mutex); }
          p.number = 2;
        }}},
      {"under-two-locks",
       {[](Passed& p) {
          absl::MutexLock lock(&p.mutex);
          p.number = 1;
        },
        [](Passed& p) {
          absl::MutexLock lock(&p.other);
          p.number = 2;
        }}},
      {"under-one-lock",
       {Give,
        [](Passed& p) {
          absl::MutexLock lock(&p.mutex);
          p.number = 2;
        }}},
      {"await",
       {Give,
        [](Passed& p) {
          absl::MutexLock lock(&p.mutex);
          p.mutex.Await(absl::Condition(&p.ready));
          p.number = 2;
        }}},
      {"lock-when",
       {Give,
        [](Passed& p) {
          absl::MutexLock lock(&p.mutex, absl::Condition(&p.ready));
          p.number = 2;
        }}},
      {"condition-variable",
       {Give,
        [](Passed& p) {
          absl::MutexLock lock(&p.mutex);
          while (!p.ready) p.changed.Wait(&p.mutex);
          p.number = 2;
        }}},
      {"notification",
       {[](Passed& p) {
          p.number = 1;
          p.notified.Notify();
        },
        [](Passed& p) {
          p.notified.WaitForNotification();
          p.number = 2;
        }}},
  };
  return *ways;
}

}  // namespace

int main(int argc, char** argv) {
  const auto way = Ways().find(argc == 2 ? argv[1] : "");
  if (way == Ways().end()) {
    std::fprintf(stderr, "one way is needed\n");
    return 2;
  }
  Passed passed;
  std::thread giver([&] { way->second.give(passed); });
  std::thread taker([&] { way->second.take(passed); });
  giver.join();
  taker.join();
  return passed.number == 0;
}
