#include "common/plan/plan_reader.h"

#include "common/base/canonical_json.h"
#include "common/base/status_macros.h"
#include "common/plan/yaml_reader.h"

namespace curlew::plan {

absl::StatusOr<v1::Plan> ReadPlan(absl::string_view text, absl::string_view file) {
  v1::Plan plan;
  Places places;
  RETURN_IF_ERROR(ReadYamlWithPlaces(text, file, &plan, &places));
  if (absl::Status status = Validate(plan); !status.ok()) return AtPlace(status, file, places);
  return plan;
}

std::string Digest(const v1::Plan& plan) { return base::CanonicalDigest(plan); }

}  // namespace curlew::plan
