#include "controller/service/newest_rollouts.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"

namespace curlew::service {
namespace {

constexpr int kPage = 20;
constexpr size_t kDigestInName = 12;

struct Search : std::enable_shared_from_this<Search> {
  dispatch::Engine* engine = nullptr;
  std::set<std::string> missing;
  NewestRollouts found;
  store::Page page{.size = kPage};
  std::function<void(absl::StatusOr<NewestRollouts>)> callback;

  void Step() {
    std::string next;
    const auto rollouts = engine->store().ListRollouts(page, &next);
    if (!rollouts.ok()) return callback(rollouts.status());
    for (const store::VersionedRollout& stored : *rollouts) {
      const std::string plan = PlanNameOf(stored.rollout.plan());
      if (missing.erase(plan) == 0) continue;
      v1::Rollout& newest = found[plan];
      newest = stored.rollout;
      newest.clear_runs();
      newest.clear_stages();
    }
    if (missing.empty() || next.empty()) return callback(std::move(found));
    page.token = next;
    if (engine->loop().Post([self = shared_from_this()] { self->Step(); })) return;
    callback(absl::UnavailableError("the controller is shutting down; try again later"));
  }
};

}  // namespace

std::string PlanNameOf(absl::string_view plan) {
  if (!absl::ConsumePrefix(&plan, "plans/") || plan.size() < kDigestInName + 2) return "";
  const size_t dash = plan.size() - kDigestInName - 1;
  if (plan[dash] != '-') return "";
  for (const char c : plan.substr(dash + 1)) {
    if (!absl::ascii_isxdigit(c)) return "";
  }
  return std::string(plan.substr(0, dash));
}

void FindNewestRollouts(dispatch::Engine* engine, std::set<std::string> plans,
                        std::function<void(absl::StatusOr<NewestRollouts>)> callback) {
  if (plans.empty()) return callback(NewestRollouts());
  const auto search = std::make_shared<Search>();
  search->engine = engine;
  search->missing = std::move(plans);
  search->callback = std::move(callback);
  search->Step();
}

}  // namespace curlew::service
