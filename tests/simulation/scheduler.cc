#include "tests/simulation/scheduler.h"

#include <algorithm>

namespace curlew::simulation {

void Scheduler::After(absl::Duration delay, ProcessPtr process, std::string what, Task task) {
  events_.emplace(std::make_pair(now_ + std::max(delay, absl::ZeroDuration()), sequence_++),
                  Event{std::move(process), std::move(what), std::move(task)});
}

bool Scheduler::Step() {
  while (!events_.empty()) {
    auto node = events_.extract(events_.begin());
    now_ = std::max(now_, node.key().first);
    Event event = std::move(node.mapped());
    if (event.process != nullptr && !event.process->alive) continue;
    if (event.process != nullptr && event.process->frozen) {
      event.process->backlog.push_back({std::move(event.what), std::move(event.task)});
      continue;
    }
    ++story_->figures.events;
    story_->Tell(now_, std::move(event.what));
    event.task();
    return true;
  }
  return false;
}

void Scheduler::Kill(const ProcessPtr& process) {
  process->alive = false;
  process->backlog.clear();
}

void Scheduler::Freeze(const ProcessPtr& process, absl::Duration how_long) {
  if (!process->alive || process->frozen) return;
  process->frozen = true;
  After(how_long, nullptr, "", [this, process] { Thaw(process); });
}

void Scheduler::Thaw(const ProcessPtr& process) {
  if (!process->alive || !process->frozen) return;
  process->frozen = false;
  Tell(process->name + " goes on");
  for (Process::Late& late : std::exchange(process->backlog, {})) {
    After(absl::ZeroDuration(), process, std::move(late.what), std::move(late.task));
  }
}

}  // namespace curlew::simulation
