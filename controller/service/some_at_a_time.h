// Work that is done later, a little at a time.
#ifndef CURLEW_CONTROLLER_SERVICE_SOME_AT_A_TIME_H_
#define CURLEW_CONTROLLER_SERVICE_SOME_AT_A_TIME_H_

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace curlew::service {

// Begins `job` for 0 to count - 1, in order, at most `width` at a time: each must call `ended` exactly once,
// not within the job. Calls `done` when all have ended; at once where there are none. All on the loop's
// thread.
class SomeAtATime : public std::enable_shared_from_this<SomeAtATime> {
 public:
  using Job = std::function<void(size_t index, std::function<void()> ended)>;

  static void Run(size_t count, size_t width, Job job, std::function<void()> done) {
    if (count == 0) return done();
    const std::shared_ptr<SomeAtATime> all(new SomeAtATime(count, std::move(job), std::move(done)));
    for (size_t i = 0; i < std::min(count, width); ++i) all->Next();
  }

 private:
  SomeAtATime(size_t count, Job job, std::function<void()> done)
      : count_(count), job_(std::move(job)), done_(std::move(done)) {}

  void Next() {
    job_(begun_++, [self = shared_from_this()] {
      if (++self->ended_ == self->count_) return self->done_();
      if (self->begun_ < self->count_) self->Next();
    });
  }

  const size_t count_;
  const Job job_;
  const std::function<void()> done_;
  size_t begun_ = 0, ended_ = 0;
};

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_SOME_AT_A_TIME_H_
