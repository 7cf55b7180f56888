// Values that the tests of the stores put into them.
#ifndef CURLEW_TESTS_CONTROLLER_STORE_BUILDERS_H_
#define CURLEW_TESTS_CONTROLLER_STORE_BUILDERS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/store/rollout_store.h"

namespace curlew::store {

// Compares protos by their bytes, which is enough for messages without maps.
template <typename A, typename B>
bool SameProto(const A& a, const B& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

inline v1::StoredPlan MakePlan(const std::string& plan_name, const std::string& digest) {
  v1::StoredPlan plan;
  plan.set_name(absl::StrCat("plans/", plan_name, "-", digest));
  plan.set_digest(digest);
  plan.mutable_plan()->set_name(plan_name);
  plan.set_creator("ada");
  return plan;
}

// A change from `version`, which holds `events` more events than the `last_event` before it.
inline RolloutChange MakeChange(const std::string& name, int64_t version, int64_t last_event, int events) {
  RolloutChange change;
  change.expected_version = version;
  change.rollout.set_name(name);
  change.rollout.set_reason(absl::StrCat("change of version ", version));
  for (int i = 1; i <= events; ++i) {
    v1::Event event;
    event.set_number(last_event + i);
    event.set_message(absl::StrCat("event ", last_event + i));
    change.events.push_back(event);
  }
  change.rollout.set_last_event(last_event + events);
  return change;
}

inline OutboxEntry MakeEntry(const std::string& rollout, const std::string& target, const std::string& kind,
                             std::string payload) {
  return {.rollout = rollout, .target = target, .kind = kind, .payload = std::move(payload)};
}

// Entries with these actions, and notifications with these messages.
inline Record MakeRecord(const std::vector<std::string>& actions,
                         const std::vector<std::string>& messages = {}) {
  Record record;
  for (const std::string& action : actions) {
    v1::AuditEntry& entry = record.audit.emplace_back();
    entry.set_action(action);
    entry.set_actor("ada");
    entry.mutable_time()->set_seconds(1'750'000'000);
  }
  for (const std::string& message : messages) {
    v1::Notification& notification = record.notifications.emplace_back();
    notification.set_sink("chat");
    notification.set_message(message);
  }
  return record;
}

// Of a run that succeeded; a baseline where `rollout` is "".
inline v1::TargetRecord MakeTargetRecord(const std::string& target, const std::string& rollout) {
  v1::TargetRecord record;
  record.set_target(target);
  record.set_rollout(rollout);
  record.set_kind(rollout.empty() ? v1::TARGET_RECORD_KIND_BASELINE : v1::TARGET_RECORD_KIND_SUCCEEDED);
  record.set_schema_fingerprint(absl::StrCat("print of ", rollout));
  record.set_schema_json(absl::StrCat("{\"of\":\"", rollout, "\"}"));
  return record;
}

// A token of which `letter`, one of a to f, makes the hash; made at that second, and counting for 100.
inline TokenEntry MakeToken(const std::string& name, char letter, int64_t second) {
  TokenEntry entry{.hash = std::string(64, letter), .token = {}};
  entry.token.set_name(name);
  entry.token.mutable_create_time()->set_seconds(second);
  entry.token.mutable_expire_time()->set_seconds(second + 100);
  entry.token.set_creator("ada");
  entry.token.set_purpose("deploys");
  return entry;
}

// What says that a token was revoked at that second.
inline v1::Token MakeRevocation(const std::string& name, int64_t second) {
  v1::Token revocation;
  revocation.set_name(name);
  revocation.mutable_revoke_time()->set_seconds(second);
  revocation.set_revoker("eve");
  return revocation;
}

}  // namespace curlew::store

#endif  // CURLEW_TESTS_CONTROLLER_STORE_BUILDERS_H_
