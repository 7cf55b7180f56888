// Programs that the agent runs.
#ifndef CURLEW_AGENT_BACKUP_CHILD_PROCESS_H_
#define CURLEW_AGENT_BACKUP_CHILD_PROCESS_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/guard/cancel_token.h"

namespace curlew::agent {

// What to run.
struct ChildOptions {
  // The program, a path with a slash, and its arguments.
  std::vector<std::string> argv;
  // All of its environment.
  std::map<std::string, std::string> environment;
  absl::Duration timeout = absl::InfiniteDuration();
  // Of stdout the first bytes are kept, of stderr the last.
  size_t output_bytes = 64 * 1024;
  // Called about once a second while it runs; may be empty.
  std::function<void()> tick;
};

// How it ended. A password of its environment (PGPASSWORD) that it has said itself stands there as "***".
struct ChildResult {
  // Its exit status, or 128 + the signal that ended it, as a shell has it.
  int exit_code = 0;
  std::string output;  // stdout
  std::string errors;  // stderr
  // The last `lines` lines of stderr, for people; "it said nothing" where it did.
  std::string LastWords(int lines = 5) const;
};

// Runs a program to its end, in a process group of its own, without any file of the agent's, with the files
// that it makes for its user alone. It is killed, and what is left of its group with it, within a fraction of
// a second where `cancel` asks for it or its time is over; the program itself also where the agent dies.
// OK however it exited; NOT_FOUND, PERMISSION_DENIED or FAILED_PRECONDITION where it cannot be started;
// RESOURCE_EXHAUSTED where there is no process or file left; DEADLINE_EXCEEDED; CANCELLED. To be called on a
// thread that lives as long as the call.
absl::StatusOr<ChildResult> RunChild(const ChildOptions& options, const CancelToken& cancel);

// Whether a child gets the agent's variables of libpq (PG...), by which connection strings are completed.
enum class PgVariables { kLeftOut, kKept };
// The agent's environment for a child: never with its own variables (CURLEW_...), which may hold secrets.
std::map<std::string, std::string> ChildEnvironment(PgVariables pg);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKUP_CHILD_PROCESS_H_
