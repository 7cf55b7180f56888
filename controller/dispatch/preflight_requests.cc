#include "controller/dispatch/preflight_requests.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "controller/dispatch/signed_words.h"

namespace curlew::dispatch {

void PreflightRequests::Ask(const std::string& target, const v1::CompiledPlan& plan,
                            const v1::StoredPlan& origin, Callback callback) {
  const auto question = [&](int64_t request) {
    v1::ControllerMessage message;
    message.mutable_run_preflight()->set_request(request);
    message.mutable_run_preflight()->set_target(target);
    *message.mutable_run_preflight()->mutable_compiled_plan() = plan;
    if (const TargetEntry* entry = targets_->Find(target); entry != nullptr && entry->requires_signatures) {
      *message.mutable_run_preflight()->mutable_plan() = origin.plan();
      *message.mutable_run_preflight()->mutable_signatures() = SignaturesFor(origin, target);
    }
    return message;
  };
  requests_.Ask(target, question, std::move(callback));
}

void PreflightRequests::Answered(const AgentLink* link, const v1::PreflightReport& report) {
  const bool empty = report.error().empty() && !report.has_preflight();
  requests_.Answered(link, report.request(), empty ? "its report holds nothing" : report.error(),
                     report.preflight());
}

v1::Preflight PreflightNotMade(const absl::Status& why, absl::Time now) {
  v1::Preflight preflight;
  v1::PreflightFinding* finding = preflight.add_findings();
  finding->set_severity(v1::PREFLIGHT_SEVERITY_WARNING);
  finding->set_code("preflight");
  finding->set_message(absl::StrCat("the target was not looked at: ", why.message()));
  finding->set_hint("look at the agent's log, and install this controller's version of it where it is older");
  *preflight.mutable_time() = base::ToProto(now);
  return preflight;
}

}  // namespace curlew::dispatch
