#include "controller/store/change.h"

#include <algorithm>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace curlew::store {
namespace {

constexpr int kDefaultPageSize = 50;
constexpr int kLargestPageSize = 500;
constexpr absl::string_view kTokenPrefix = "before-";

}  // namespace

absl::Status CheckChange(const RolloutChange& change, const std::optional<StoredState>& stored) {
  const std::string& name = change.rollout.name();
  if (name.empty()) return absl::InvalidArgumentError("a rollout without a name cannot be stored");
  if (change.expected_version == 0 && stored.has_value()) {
    return absl::AlreadyExistsError(absl::StrCat(name, " exists already; choose another id"));
  }
  const int64_t version = stored.has_value() ? stored->version : 0;
  if (change.expected_version != version) {
    return absl::AbortedError(absl::StrCat(name, " has changed meanwhile (version ", version,
                                           ", the change was made from ", change.expected_version,
                                           "); read it again and decide anew"));
  }
  int64_t last_event = stored.has_value() ? stored->last_event : 0;
  for (const v1::Event& event : change.events) {
    if (event.number() != last_event + 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": event ", event.number(), " cannot follow event ", last_event));
    }
    last_event = event.number();
  }
  for (const OutboxEntry& entry : change.outbox) {
    if (entry.rollout != name) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": a command of \"", entry.rollout, "\" is not its own"));
    }
  }
  if (change.rollout.last_event() != last_event) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": last_event is ", change.rollout.last_event(),
                                                   ", but its newest event has number ", last_event));
  }
  const int64_t trim = change.trim_events_below;
  if (trim < 0 || trim > last_event) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": events below ", trim,
                                                   " cannot be removed: the newest has number ", last_event,
                                                   ", and is always kept"));
  }
  if (trim > 0 && stored.has_value() && trim < stored->first_event) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": events below ", trim,
                                                   " cannot be removed: the oldest",
                                                   " that is kept has number ", stored->first_event));
  }
  if (trim > 0 && change.rollout.first_event() != trim) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": first_event is ", change.rollout.first_event(),
                                                   ", but events below ", trim, " are to be removed"));
  }
  return absl::OkStatus();
}

bool IsStorableText(absl::string_view text) {
  return text.find('\0') == absl::string_view::npos && base::FindInvalidUtf8(text) == absl::string_view::npos;
}

absl::Status CheckStorableText(absl::string_view what, absl::string_view text) {
  if (IsStorableText(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " holds a NUL or is not valid UTF-8: \"",
                                                 absl::CHexEscape(text), "\"; choose another"));
}

absl::Status CheckNames(const RolloutChange& change) {
  RETURN_IF_ERROR(CheckStorableText("the name of a rollout", change.rollout.name()));
  for (const OutboxEntry& entry : change.outbox) {
    RETURN_IF_ERROR(CheckStorableText("the target of a command", entry.target));
    RETURN_IF_ERROR(CheckStorableText("the kind of a command", entry.kind));
  }
  if (!change.pin.has_value()) return absl::OkStatus();
  return CheckStorableText("the name of a run", change.pin->run);
}

absl::Status CheckPlanNames(const v1::StoredPlan& plan) {
  RETURN_IF_ERROR(CheckStorableText("the name of a plan", plan.name()));
  RETURN_IF_ERROR(CheckStorableText("the name of a plan", plan.plan().name()));
  return CheckStorableText("the digest of a plan", plan.digest());
}

absl::Status CheckSamePlan(const v1::StoredPlan& plan, const std::string& stored_digest) {
  if (plan.digest() == stored_digest) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(plan.name(), " exists already with another content (digest ",
                                               stored_digest, ", not ", plan.digest(), "); rename the plan"));
}

bool AddSignature(const v1::PlanSignature& signature, v1::StoredPlan* plan) {
  constexpr int kMost = 100;
  constexpr size_t kMostBytes = 1 << 20;
  auto& kept = *plan->mutable_signatures();
  // A signature is of one statement.
  for (const v1::PlanSignature& other : kept) {
    if (other.signature() == signature.signature() && other.public_key() == signature.public_key()) {
      return false;
    }
  }
  *kept.Add() = signature;
  size_t bytes = 0;
  int stay = 0;
  while (stay < kept.size() && stay < kMost) {
    bytes += kept[kept.size() - 1 - stay].ByteSizeLong();
    if (stay > 0 && bytes > kMostBytes) break;
    ++stay;
  }
  kept.DeleteSubrange(0, kept.size() - stay);
  return true;
}

absl::Status NoPlan(absl::string_view name) {
  return absl::NotFoundError(absl::StrCat("no plan \"", name, "\" is stored"));
}

bool IsPlanResource(const std::string& name) { return absl::StartsWith(name, "plans/"); }

absl::StatusOr<PageRange> ReadPage(const Page& page) {
  PageRange range{.limit = page.size <= 0 ? kDefaultPageSize : std::min(page.size, kLargestPageSize),
                  .below = std::numeric_limits<int64_t>::max()};
  if (page.token.empty()) return range;
  absl::string_view digits = page.token;
  if (!absl::ConsumePrefix(&digits, kTokenPrefix) || !absl::SimpleAtoi(digits, &range.below)) {
    return absl::InvalidArgumentError(
        absl::StrCat("page_token \"", page.token, "\" is not one of ours; begin the list again without it"));
  }
  return range;
}

std::string PageToken(int64_t sequence) { return absl::StrCat(kTokenPrefix, sequence); }

}  // namespace curlew::store
