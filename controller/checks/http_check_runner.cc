#include "controller/checks/http_check_runner.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "controller/checks/prometheus_answer.h"

namespace curlew::checks {
namespace {

constexpr size_t kLongestBody = 64 << 10;
constexpr size_t kMostTold = 120;

// The steady clock, as a time since nothing in particular.
absl::Time Now() {
  return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

Outcome Error(std::string message) {
  return {.state = v1::CHECK_STATE_ERROR, .value = "", .message = std::move(message)};
}

// The beginning of an answer, in printable ASCII.
std::string Excerpt(absl::string_view answer) {
  std::string text;
  for (const char c : answer.substr(0, kMostTold)) text.push_back(absl::ascii_isprint(c) ? c : ' ');
  absl::RemoveExtraAsciiWhitespace(&text);
  return text;
}

Outcome JudgeHttp(const Url& url, const Answer& answer) {
  const std::string status = absl::StrCat(answer.status);
  if (answer.status >= 200 && answer.status < 300) {
    return {.state = v1::CHECK_STATE_PASSING, .value = status, .message = ""};
  }
  const std::string excerpt = Excerpt(answer.body);
  return {.state = v1::CHECK_STATE_FAILING,
          .value = status,
          .message = absl::StrCat(url.Shown(), " answers ", status, excerpt.empty() ? "" : ": ", excerpt)};
}

Outcome Make(const v1::HealthCheck& check, HttpGet* request) {
  const bool prometheus = check.has_prometheus();
  if (!prometheus && !check.has_http()) return Error("this kind of check is not made over HTTP");
  const auto url = ParseUrl(prometheus ? check.prometheus().url() : check.http().url());
  if (!url.ok()) return Error(std::string(url.status().message()));
  const Url asked = prometheus ? PrometheusQuery(*url, check.prometheus().query()) : *url;
  const auto answer = request->Run(asked, base::FromProto(check.timeout()), kLongestBody);
  if (!answer.ok()) return Error(std::string(answer.status().message()));
  return prometheus ? JudgePrometheus(*answer) : JudgeHttp(asked, *answer);
}

}  // namespace

HttpCheckRunner::~HttpCheckRunner() { Stop(); }

void HttpCheckRunner::Run(const v1::HealthCheck& check, Done done) {
  auto job = std::make_shared<Job>();
  job->check = check;
  job->done = std::move(done);
  {
    absl::MutexLock lock(&mutex_);
    if (!stopping_) {
      if (threads_.empty()) threads_.emplace_back([this] { Watch(); });
      waiting_.push_back(std::move(job));
      // One of the threads is the watch.
      if (idle_ < static_cast<int>(waiting_.size()) &&
          static_cast<int>(threads_.size()) <= options_.most_threads) {
        threads_.emplace_back([this] { Work(); });
      }
      changed_.Signal();
      return;
    }
  }
  Answer(job, Error("the controller ends"));
}

void HttpCheckRunner::Work() {
  while (true) {
    JobPtr job;
    {
      absl::MutexLock lock(&mutex_);
      ++idle_;
      while (waiting_.empty() && !stopping_) changed_.WaitFor(&mutex_, absl::InfiniteDuration());
      --idle_;
      if (stopping_) return;
      job = std::move(waiting_.front());
      waiting_.pop_front();
      job->end = Now() + base::FromProto(job->check.timeout());
      running_.push_back(job);
      changed_.Signal();  // the watch is to know its end
    }
    Outcome outcome = Make(job->check, &job->request);
    {
      absl::MutexLock lock(&mutex_);
      running_.remove(job);
    }
    Answer(job, std::move(outcome));
  }
}

void HttpCheckRunner::Watch() {
  while (true) {
    JobPtr late;
    {
      absl::MutexLock lock(&mutex_);
      while (late == nullptr && !stopping_) {
        const absl::Time now = Now();
        absl::Duration pause = absl::InfiniteDuration();
        for (const JobPtr& job : running_) {
          if (job->end <= now) late = job;
          pause = std::min(pause, job->end - now);
        }
        if (late == nullptr) changed_.WaitFor(&mutex_, pause);
      }
      if (stopping_) return;
      running_.remove(late);
    }
    // First the word, as what it waits for may not let itself be broken off.
    Answer(late, Error(absl::StrCat("no answer within ",
                                    absl::FormatDuration(base::FromProto(late->check.timeout())))));
    late->request.Interrupt();
  }
}

void HttpCheckRunner::Answer(const JobPtr& job, Outcome outcome) {
  Done done;
  {
    absl::MutexLock lock(&mutex_);
    done = std::exchange(job->done, nullptr);
  }
  if (done) done(std::move(outcome));
}

void HttpCheckRunner::Stop() {
  absl::MutexLock only_one(&stop_mutex_);
  std::vector<std::thread> threads;
  std::vector<JobPtr> open;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    threads = std::exchange(threads_, {});
    open.assign(waiting_.begin(), waiting_.end());
    open.insert(open.end(), running_.begin(), running_.end());
    waiting_.clear();
  }
  changed_.Signal();
  for (const JobPtr& job : open) {
    Answer(job, Error("the controller ends"));
    job->request.Interrupt();
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace curlew::checks
