#include <string>

#include "absl/strings/match.h"
#include "common/base/canonical_json.h"
#include "common/plan/plan_reader.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace curlew::fuzz {
namespace {

constexpr char kFile[] = "fuzz.yaml";

// Whatever is accepted can be written down, and is the same plan when it is read again.
void CheckAccepted(const v1::Plan& plan) {
  const std::string canonical = base::CanonicalJson(plan);
  const std::string digest = plan::Digest(plan);
  Promise(digest.size() == 64, "a digest has 64 digits");
  for (const std::string& text : {canonical, plan::ToYaml(plan)}) {
    const auto again = plan::ReadPlan(text, kFile);
    Promise(again.ok(), absl::StrCat("a plan that was accepted is refused when it is read again: ",
                                     again.status().ToString(), "\n", text));
    Promise(plan::Digest(*again) == digest,
            absl::StrCat("a plan has another digest when it is read again:\n", text, "\n", canonical, "\n",
                         base::CanonicalJson(*again)));
  }
}

void ReadAsYaml(absl::string_view bytes) {
  const auto plan = plan::ReadPlan(bytes, kFile);
  if (plan.ok()) return CheckAccepted(*plan);
  PromiseRefusal(plan.status(), "ReadPlan");
  Promise(absl::StartsWith(plan.status().message(), "fuzz.yaml:"), "a refusal says where");
  const auto environments = plan::ReadEnvironments(bytes, kFile);
  if (environments.ok()) {
    Promise(plan::ValidateEnvironments(*environments).ok(), "environments from a file pass for a request");
  } else {
    PromiseRefusal(environments.status(), "ReadEnvironments");
  }
}

void ReadAsRequest(absl::string_view bytes) {
  v1::Plan plan;
  if (plan.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    if (const absl::Status status = plan::Validate(plan); status.ok()) {
      plan.DiscardUnknownFields();
      CheckAccepted(plan);
    } else {
      PromiseRefusal(status, "Validate");
    }
  }
  v1::ApplyEnvironmentsRequest environments;
  if (environments.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    if (const absl::Status status = plan::ValidateEnvironments(environments); !status.ok())
      PromiseRefusal(status, "ValidateEnvironments");
  }
}

}  // namespace

void FuzzPlan(absl::string_view bytes) {
  if (!bytes.empty() && bytes[0] == '\0') return ReadAsRequest(bytes.substr(1));
  ReadAsYaml(bytes);
}

}  // namespace curlew::fuzz
