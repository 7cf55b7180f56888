#include "controller/store/row_checker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "controller/store/change.h"
#include "controller/store/token.h"
#include "curlew/v1/operator.pb.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::store {
namespace {

constexpr size_t kMostLines = 20;

std::string Count(int64_t count, absl::string_view one, absl::string_view many) {
  return absl::StrCat(count, " ", count == 1 ? one : many);
}

}  // namespace

void RowChecker::Add(const v1::StoreRow& row) {
  CheckTexts(row);
  switch (row.kind_case()) {
    case v1::StoreRow::kPlan:
      return AddPlan(row.plan());
    case v1::StoreRow::kEnvironment:
      return AddEnvironment(row.environment());
    case v1::StoreRow::kRollout:
      return AddRollout(row.rollout());
    case v1::StoreRow::kEvent:
      return AddEvent(row.event());
    case v1::StoreRow::kOutbox:
      return AddOutbox(row.outbox());
    case v1::StoreRow::kCompiledPlan:
      return AddCompiledPlan(row.compiled_plan());
    case v1::StoreRow::kSequence:
      return AddSequence(row.sequence());
    case v1::StoreRow::kAudit:
      return AddAudit(row.audit());
    case v1::StoreRow::kNotification:
      return AddNotification(row.notification());
    case v1::StoreRow::kTargetRecord:
      return AddTargetRecord(row.target_record());
    case v1::StoreRow::kToken:
      return AddToken(row.token());
    case v1::StoreRow::KIND_NOT_SET:
      return Wrong("a row is of a kind that is not known");
  }
}

// Not every kind of store could take it, and cut off it would be another name.
void RowChecker::CheckTexts(const v1::StoreRow& row) {
  const google::protobuf::FieldDescriptor* kind =
      row.GetReflection()->GetOneofFieldDescriptor(row, row.GetDescriptor()->oneof_decl(0));
  if (kind == nullptr) return;
  const google::protobuf::Message& message = row.GetReflection()->GetMessage(row, kind);
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->type() != google::protobuf::FieldDescriptor::TYPE_STRING) continue;
    const std::string text = message.GetReflection()->GetString(message, field);
    if (!IsStorableText(text)) {
      Wrong(absl::StrCat("a ", kind->name(), " has a ", field->name(), " that is no text: \"",
                         absl::CHexEscape(text), "\""));
    }
  }
}

void RowChecker::Wrong(std::string what) {
  ++wrong_;
  if (lines_.size() < kMostLines) lines_.push_back(std::move(what));
}

void RowChecker::Refer(absl::string_view what, const std::string& rollout) {
  if (!rollouts_.contains(rollout))
    Wrong(absl::StrCat(what, " is of rollout \"", rollout, "\", which is not there"));
}

void RowChecker::AddPlan(const v1::PlanRow& row) {
  ++plans_;
  largest_["plan"] = std::max(largest_["plan"], row.sequence());
  v1::StoredPlan plan;
  if (!plan.ParseFromString(row.stored()))
    return Wrong(absl::StrCat("plan \"", row.name(), "\" cannot be read"));
  if (plan.name() != row.name() || plan.plan().name() != row.plan_name() || plan.digest() != row.digest()) {
    Wrong(absl::StrCat("plan \"", row.name(), "\" holds another name or digest: \"", plan.name(), "\", ",
                       plan.digest()));
  }
}

void RowChecker::AddEnvironment(const v1::EnvironmentRow& row) {
  if (row.position() != environments_) {
    Wrong(absl::StrCat("environment \"", row.name(), "\" has position ", row.position(), ", not ",
                       environments_));
  }
  ++environments_;
  v1::Environment environment;
  if (!environment.ParseFromString(row.environment())) {
    return Wrong(absl::StrCat("environment \"", row.name(), "\" cannot be read"));
  }
  if (environment.name() != row.name()) {
    Wrong(absl::StrCat("environment \"", row.name(), "\" holds another name: \"", environment.name(), "\""));
  }
}

void RowChecker::AddRollout(const v1::RolloutRow& row) {
  largest_["rollout"] = std::max(largest_["rollout"], row.sequence());
  v1::Rollout rollout;
  Events& events = rollouts_[row.name()];
  events = {.first = 1, .last = row.last_event(), .next = 1};
  if (!rollout.ParseFromString(row.rollout())) {
    return Wrong(absl::StrCat("rollout \"", row.name(), "\" cannot be read"));
  }
  if (rollout.has_end_time()) ++ended_;
  events.first = events.next = std::max<int64_t>(rollout.first_event(), 1);
  if (rollout.name() != row.name() || rollout.last_event() != row.last_event() || row.version() <= 0) {
    Wrong(absl::StrCat("rollout \"", row.name(), "\" (version ", row.version(), ", newest event ",
                       row.last_event(), ") holds something else: \"", rollout.name(), "\", newest event ",
                       rollout.last_event()));
  }
}

void RowChecker::AddEvent(const v1::EventRow& row) {
  ++events_;
  const auto rollout = rollouts_.find(row.rollout());
  const std::string what = absl::StrCat("event ", row.number(), " of rollout \"", row.rollout(), "\"");
  if (rollout == rollouts_.end()) return Refer(what, row.rollout());
  Events& events = rollout->second;
  if (row.number() != events.next) {
    Wrong(absl::StrCat(what, " stands where event ", events.next, " belongs"));
  }
  events.next = row.number() + 1;
  v1::Event event;
  if (!event.ParseFromString(row.event())) return Wrong(absl::StrCat(what, " cannot be read"));
  if (event.number() != row.number()) Wrong(absl::StrCat(what, " holds another number: ", event.number()));
}

void RowChecker::AddOutbox(const v1::OutboxRow& row) {
  ++outbox_;
  if (row.id() <= largest_["outbox"]) Wrong(absl::StrCat("command ", row.id(), " is out of order"));
  largest_["outbox"] = std::max(largest_["outbox"], row.id());
  Refer(absl::StrCat("command ", row.id()), row.rollout());
}

void RowChecker::AddCompiledPlan(const v1::CompiledPlanRow& row) {
  ++compiled_plans_;
  const std::string what = absl::StrCat("the compiled plan of run \"", row.run(), "\"");
  Refer(what, row.rollout());
  v1::CompiledPlan plan;
  if (!plan.ParseFromString(row.compiled_plan())) Wrong(absl::StrCat(what, " cannot be read"));
}

void RowChecker::AddSequence(const v1::SequenceRow& row) { sequences_[row.table()] = row.last(); }

void RowChecker::AddAudit(const v1::AuditRow& row) {
  ++audit_;
  v1::AuditEntry entry;
  if (!entry.ParseFromString(row.entry())) {
    Wrong(absl::StrCat("audit entry ", row.number(), " cannot be read"));
  } else if (entry.number() != row.number() || entry.hash() != row.hash()) {
    Wrong(absl::StrCat("audit entry ", row.number(), " holds another number or hash: ", entry.number(),
                       ", \"", entry.hash(), "\""));
  } else if (const absl::Status chained = base::CheckChain(last_audit_, last_audit_hash_, entry);
             !chained.ok()) {
    Wrong(std::string(chained.message()));
  }
  // What comes after a break is judged by what stands there, so that one break is one finding.
  last_audit_ = row.number();
  last_audit_hash_ = row.hash();
}

void RowChecker::AddNotification(const v1::NotificationRow& row) {
  ++notifications_;
  if (row.id() <= largest_["notification"]) {
    Wrong(absl::StrCat("notification ", row.id(), " is out of order"));
  }
  largest_["notification"] = std::max(largest_["notification"], row.id());
  v1::Notification notification;
  if (!notification.ParseFromString(row.notification())) {
    Wrong(absl::StrCat("notification ", row.id(), " cannot be read"));
  }
}

void RowChecker::AddTargetRecord(const v1::TargetRecordRow& row) {
  const std::string what = absl::StrCat("record ", row.number(), " of target \"", row.target(), "\"");
  int64_t& newest = target_records_[row.target()];
  if (row.number() != newest + 1) {
    Wrong(absl::StrCat(what, " stands where record ", newest + 1, " belongs"));
  }
  newest = row.number();
  v1::TargetRecord record;
  if (!record.ParseFromString(row.record())) return Wrong(absl::StrCat(what, " cannot be read"));
  if (record.target() != row.target() || record.number() != row.number()) {
    Wrong(
        absl::StrCat(what, " holds another target or number: \"", record.target(), "\", ", record.number()));
  }
}

// Hashes are nobody's business, not even of what is damaged.
void RowChecker::AddToken(const v1::TokenRow& row) {
  ++tokens_;
  const std::string what = absl::StrCat("token \"", row.name(), "\"");
  if (row.sequence() <= largest_["token"]) Wrong(absl::StrCat(what, " is out of order"));
  largest_["token"] = std::max(largest_["token"], row.sequence());
  if (!IsTokenHash(row.hash())) Wrong(absl::StrCat(what, " has a hash that is none"));
  if (!token_hashes_.insert(row.hash()).second) Wrong(absl::StrCat(what, " has the hash of another"));
  v1::Token token;
  if (!token.ParseFromString(row.token())) return Wrong(absl::StrCat(what, " cannot be read"));
  if (token.name() != row.name()) Wrong(absl::StrCat(what, " holds another name: \"", token.name(), "\""));
}

absl::Status RowChecker::Finish(absl::string_view store) {
  for (const auto& [name, events] : rollouts_) {
    if (events.next != events.last + 1) {
      Wrong(absl::StrCat("rollout \"", name, "\" counts events up to ", events.last, ", but has them from ",
                         events.first, " up to ", events.next - 1));
    }
  }
  for (const auto& [table, largest] : largest_) {
    if (sequences_[table] < largest) {
      Wrong(absl::StrCat("table ", table, " has number ", largest, ", but counts only up to ",
                         sequences_[table]));
    }
  }
  if (wrong_ == 0) return absl::OkStatus();
  return base::WithDetail(absl::DataLossError(absl::StrCat(
                              store, " is damaged:\n  ", absl::StrJoin(lines_, "\n  "),
                              wrong_ > static_cast<int64_t>(lines_.size())
                                  ? absl::StrCat("\n  ... ", Count(wrong_, "finding", "findings"), " in all")
                                  : "")),
                          base::kReason, "STORE_DAMAGED");
}

std::string RowChecker::Counts() const {
  const int64_t rollouts = static_cast<int64_t>(rollouts_.size());
  return absl::StrCat(
      Count(plans_, "plan", "plans"), ", ", Count(environments_, "environment", "environments"), ", ",
      Count(rollouts, "rollout", "rollouts"), " (", rollouts - ended_, " not ended), ",
      Count(events_, "event", "events"), ", ", Count(compiled_plans_, "compiled plan", "compiled plans"),
      ", ", Count(outbox_, "command", "commands"), " on the way,\n  ",
      Count(audit_, "audit entry", "audit entries"),
      audit_ == 0 ? "" : absl::StrCat(" (up to ", last_audit_, ", hash ", last_audit_hash_, ")"), ", ",
      Count(notifications_, "notification", "notifications"), " to be told, what is on record of ",
      Count(static_cast<int64_t>(target_records_.size()), "target", "targets"), ", ",
      Count(tokens_, "bearer token", "bearer tokens"));
}

}  // namespace curlew::store
