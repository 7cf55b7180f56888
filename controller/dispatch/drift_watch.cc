#include "controller/dispatch/drift_watch.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/schema/schema.h"
#include "controller/dispatch/names.h"
#include "controller/dispatch/target_record.h"

namespace curlew::dispatch {
namespace {

constexpr char kAction[] = "target.drift";
constexpr char kActor[] = "curlew";
constexpr char kFingerprint[] = "fingerprint";
constexpr int kEntriesInTask = 500;
constexpr size_t kLinesTold = 5;
// Where there are no targets, one may come; where there are many, others have work to do, too.
constexpr absl::Duration kLongestPause = absl::Minutes(1), kShortestPause = absl::Milliseconds(1);

// The first lines, and how many more there are.
std::string FirstLines(const std::vector<std::string>& lines) {
  const size_t told = std::min(lines.size(), kLinesTold);
  std::string text = absl::StrJoin(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(told), "\n");
  if (told < lines.size()) absl::StrAppend(&text, "\nand ", lines.size() - told, " more");
  return text;
}

}  // namespace

void DriftWatch::Start() {
  if (is_on()) RememberNewest();
}

void DriftWatch::RememberNewest() {
  if (stopped_) return;
  const auto head = store_->records().AuditHead();
  if (head.ok()) return Remember(std::max<int64_t>(0, head->number() - options_.entries_read));
  loop_->PostAfter(options_.store_retry, [this] { RememberNewest(); });
}

void DriftWatch::Remember(int64_t after) {
  if (stopped_) return;
  const auto entries = store_->records().ListAudit(after, kEntriesInTask);
  if (!entries.ok()) return loop_->PostAfter(options_.store_retry, [this, after] { Remember(after); });
  for (const v1::AuditEntry& entry : *entries) {
    if (entry.action() != kAction || entry.actor() != kActor) continue;
    const auto fingerprint = entry.details().find(kFingerprint);
    told_[WithoutCollection("targets", entry.resource())] =
        fingerprint == entry.details().end() ? "" : fingerprint->second;
  }
  if (!entries->empty()) {
    loop_->Post([this, last = entries->back().number()] { Remember(last); });
    return;
  }
  begun_ = true;
  Round();
}

void DriftWatch::Round() {
  if (stopped_) return;
  const std::vector<std::string>& names = targets_->names();
  if (!names.empty()) {
    next_ = next_ % names.size();
    Look(names[next_++]);
  }
  const absl::Duration pause =
      names.empty() ? std::min(options_.interval, kLongestPause)
                    : std::max(options_.interval / static_cast<int64_t>(names.size()), kShortestPause);
  loop_->PostAfter(pause, [this] { Round(); });
}

void DriftWatch::Look(const std::string& target) {
  const TargetEntry* entry = targets_->Find(target);
  if (!begun_ || stopped_ || entry == nullptr || !entry->ready || in_motion_(target)) return;
  if (asked_.count(target) > 0) return;
  std::string next;
  const auto on_record = store_->records().ListTargetRecords(target, {.size = 1, .token = ""}, &next);
  if (!on_record.ok() || on_record->empty()) return;
  asked_.insert(target);
  schemas_->Ask(target, v1::Scope(), [this, target](const absl::StatusOr<v1::Schema>& schema) {
    asked_.erase(target);
    if (schema.ok()) return Compare(target, *schema);
    spdlog::debug("{}", base::WithFields(absl::StrCat("cannot look for drift: ", schema.status().message()),
                                         {{"target", target}}));
  });
}

void DriftWatch::Compare(const std::string& target, const v1::Schema& schema) {
  TargetEntry* entry = targets_->Find(target);
  if (stopped_ || entry == nullptr || in_motion_(target)) return;
  const auto record = store_->records().NewestTargetRecord(target);
  if (!record.ok()) return;
  const auto on_record = SchemaOfRecord(*record);
  if (!on_record.ok()) {
    spdlog::debug("{}",
                  base::WithFields(absl::StrCat("cannot look for drift: ", on_record.status().message()),
                                   {{"target", target}}));
    return;
  }
  const std::vector<std::string> lines = schema::Diff(*on_record, schema);
  const std::string fingerprint = lines.empty() ? "" : schema::Fingerprint(schema);
  const std::string text = FirstLines(lines);
  if (told_[target] != fingerprint) {
    const std::string message =
        lines.empty()
            ? absl::StrCat("target \"", target, "\" is as on record again, ", DescribeRecord(*record))
            : absl::StrCat("target \"", target, "\" differs from ", DescribeRecord(*record), ":\n", text);
    if (const absl::Status told = Tell(target, message, *record, fingerprint); !told.ok()) {
      spdlog::error("{}",
                    base::WithFields(absl::StrCat("the store failed, trying again later: ", told.message()),
                                     {{"target", target}}));
      return;
    }
    told_[target] = fingerprint;
    spdlog::log(lines.empty() ? spdlog::level::info : spdlog::level::warn, "{}",
                base::WithFields(message, {{"target", target}, {"record", absl::StrCat(record->number())}}));
  }
  entry->drift = text;
  entry->drift_time = clock_->Now();
}

absl::Status DriftWatch::Tell(const std::string& target, const std::string& message,
                              const v1::TargetRecord& record, const std::string& fingerprint) {
  const absl::Time now = clock_->Now();
  store::Record told;
  v1::AuditEntry& entry = told.audit.emplace_back();
  *entry.mutable_time() = base::ToProto(now);
  entry.set_actor(kActor);
  entry.set_action(kAction);
  entry.set_resource(WithCollection("targets", target));
  entry.set_reason(message);
  (*entry.mutable_details())["record"] = absl::StrCat(record.number());
  if (!fingerprint.empty()) (*entry.mutable_details())[kFingerprint] = fingerprint;
  if (options_.planner) told.notifications = options_.planner(target, message, now);
  return store_->records().Put(told);
}

}  // namespace curlew::dispatch
