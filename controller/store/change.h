// The rules of the store's contract that do not depend on where things are kept.
#ifndef CURLEW_CONTROLLER_STORE_CHANGE_H_
#define CURLEW_CONTROLLER_STORE_CHANGE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "controller/store/rollout_store.h"

namespace curlew::store {

// What the store holds of a rollout before a change.
struct StoredState {
  int64_t version = 0;
  int64_t last_event = 0;
  // The oldest event that is kept; looked up only for a change that trims.
  int64_t first_event = 0;
};

// Whether every store can keep `text` beside its protos: valid UTF-8 without NUL.
bool IsStorableText(absl::string_view text);
// INVALID_ARGUMENT where it cannot, with `what` it is ("the name of an environment").
absl::Status CheckStorableText(absl::string_view what, absl::string_view text);
// The same for all names in a change, and in a plan.
absl::Status CheckNames(const RolloutChange& change);
absl::Status CheckPlanNames(const v1::StoredPlan& plan);

// Whether `change` may be made to what is there. ABORTED on a version conflict, ALREADY_EXISTS where a new
// rollout's name is taken; INVALID_ARGUMENT where the rollout has no name, its events do not go on from the
// last one without a gap, an entry of the outbox is of another rollout, or it would trim events so that none
// is left, or without saying so in first_event. Assumes CheckNames.
absl::Status CheckChange(const RolloutChange& change, const std::optional<StoredState>& stored);

// Whether `plan` may be stored beside one of the same name with `stored_digest`. ALREADY_EXISTS where the
// digests differ.
absl::Status CheckSamePlan(const v1::StoredPlan& plan, const std::string& stored_digest);

// Adds a signature to those of the plan; false where it has it already, and nothing changes then. Of all but
// the newest 100, and of what is more than 1 MiB together, the oldest go.
bool AddSignature(const v1::PlanSignature& signature, v1::StoredPlan* plan);
// NOT_FOUND.
absl::Status NoPlan(absl::string_view name);

// Whether `name` is a plan's resource name, and not its bare one.
bool IsPlanResource(const std::string& name);

// Which rows a page of a list holds: the `limit` newest of those below a sequence number.
struct PageRange {
  int limit = 0;
  int64_t below = 0;
};

// INVALID_ARGUMENT for a token that was not made by PageToken. Sizes are at most 500, and 50 where not given.
absl::StatusOr<PageRange> ReadPage(const Page& page);
// The token of the page after the row with this sequence number.
std::string PageToken(int64_t sequence);

// The proto whose bytes are in `store` (its name). DATA_LOSS where it cannot be read.
template <typename Message>
absl::StatusOr<Message> ParseProto(absl::string_view bytes, absl::string_view store) {
  Message message;
  if (message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return message;
  return absl::DataLossError(absl::StrCat("store ", store, ": a ", Message::descriptor()->name(),
                                          " in it cannot be read; restore a copy of the store"));
}

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_CHANGE_H_
