// Makes checks over HTTP.
#ifndef CURLEW_CONTROLLER_CHECKS_HTTP_CHECK_RUNNER_H_
#define CURLEW_CONTROLLER_CHECKS_HTTP_CHECK_RUNNER_H_

#include <deque>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/steady_cond_var.h"
#include "controller/checks/check_runner.h"
#include "controller/checks/http_get.h"

namespace curlew::checks {

// A few threads that ask; they come when they are needed. One more looks at the time: a request that takes
// longer than its check's timeout, from when a thread took it up, is answered for and broken off, wherever it
// is. Of an answer 64 KB are read. Thread-safe.
class HttpCheckRunner : public CheckRunner {
 public:
  struct Options {
    int most_threads = 16;
  };

  explicit HttpCheckRunner(Options options) : options_(options) {}
  HttpCheckRunner() : HttpCheckRunner(Options()) {}
  // Stops.
  ~HttpCheckRunner() override;

  // http: PASSING where the answer is 2xx, FAILING where it is another, redirects included. prometheus: as
  // JudgePrometheus. ERROR where there is no answer. Kinds of which it makes none: ERROR.
  void Run(const v1::HealthCheck& check, Done done) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Breaks off what is on its way and ends the threads. All that has not been answered is ERROR. A thread
  // that waits for the system's resolver is waited for. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_, stop_mutex_);

 private:
  struct Job {
    v1::HealthCheck check;
    Done done;  // empty once it was answered
    HttpGet request;
    absl::Time end;  // by the steady clock, see Now
  };
  using JobPtr = std::shared_ptr<Job>;

  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  void Watch() ABSL_LOCKS_EXCLUDED(mutex_);
  // Answers for a job, where nobody has yet.
  void Answer(const JobPtr& job, Outcome outcome) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  absl::Mutex stop_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  absl::Mutex mutex_;
  base::SteadyCondVar changed_;
  std::deque<JobPtr> waiting_ ABSL_GUARDED_BY(mutex_);
  std::list<JobPtr> running_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace curlew::checks

#endif  // CURLEW_CONTROLLER_CHECKS_HTTP_CHECK_RUNNER_H_
