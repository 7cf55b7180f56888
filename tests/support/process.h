// Real processes in tests: start, watch, kill.
#ifndef CURLEW_TESTS_SUPPORT_PROCESS_H_
#define CURLEW_TESTS_SUPPORT_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace curlew::testing {

// What to start.
struct ProcessOptions {
  // The program (looked up in PATH unless it has a slash) and its arguments.
  std::vector<std::string> argv;
  // Added to the environment of the caller.
  std::map<std::string, std::string> env;
  // Where stdout and stderr go besides output(), for people to read afterwards; empty for nowhere.
  std::string log_path;
  // What the process reads from stdin.
  std::string input;
};

// A child process in a process group of its own. Thread-safe, but only one thread may Wait. The destructor
// kills what is left of the group. The child is killed too when the thread that started it ends.
class Process {
 public:
  // NOT_FOUND where the program cannot be started.
  static absl::StatusOr<std::unique_ptr<Process>> Start(ProcessOptions options);
  // Starts, waits and returns what it wrote; DEADLINE_EXCEEDED, or INTERNAL with the output where it does not
  // exit with 0.
  static absl::StatusOr<std::string> Run(ProcessOptions options, absl::Duration timeout = absl::Seconds(60));
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Sends a signal to the process alone; nothing where it has ended.
  void Kill(int signal);
  // Its exit status, or 128 + the signal that ended it, as a shell has it. DEADLINE_EXCEEDED with the last of
  // the output where it still runs.
  absl::StatusOr<int> Wait(absl::Duration timeout);
  // Until stdout and stderr together hold a match of `regex` (ECMAScript), searched from `from` on. Returns
  // the offset after the match. DEADLINE_EXCEEDED, or ABORTED where the process closed its output before.
  absl::StatusOr<size_t> WaitForOutput(absl::string_view regex, absl::Duration timeout, size_t from = 0);
  // What it wrote so far.
  std::string output() const;
  bool running();

 private:
  Process(pid_t pid, int pidfd, int out, int stop, std::string log_path);
  void Read();
  std::string Tail() const;

  const pid_t pid_;
  const int pidfd_;
  const int out_;   // the read end of the child's stdout and stderr
  const int stop_;  // an eventfd that ends the reader
  const std::string log_path_;
  mutable absl::Mutex mutex_;
  std::string output_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<int> exit_ ABSL_GUARDED_BY(mutex_);
  std::thread reader_;
};

// A TCP port of 127.0.0.1 that was free a moment ago.
int FreePort();

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_SUPPORT_PROCESS_H_
