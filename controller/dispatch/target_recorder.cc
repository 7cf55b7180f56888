#include "controller/dispatch/target_recorder.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "controller/dispatch/holders.h"
#include "controller/dispatch/target_record.h"

namespace curlew::dispatch {
namespace {

// How many of the newest rollouts are looked at.
constexpr int kRolloutsLookedAt = 50;

// What a run in this state is on record as; unspecified where it is not.
v1::TargetRecordKind KindOf(const v1::Run& run) {
  // One that was never begun has left nothing.
  if (run.compiled_digest().empty() || !run.has_start_time()) return v1::TARGET_RECORD_KIND_UNSPECIFIED;
  if (run.state() == v1::RUN_STATE_SUCCEEDED) return v1::TARGET_RECORD_KIND_SUCCEEDED;
  if (run.state() == v1::RUN_STATE_ROLLED_BACK) return v1::TARGET_RECORD_KIND_ROLLED_BACK;
  return v1::TARGET_RECORD_KIND_UNSPECIFIED;
}

}  // namespace

absl::Status TargetRecorder::LookUp() {
  std::map<std::string, v1::TargetRecord> newest;
  store::Page page{.size = 500};
  do {
    std::string next;
    ASSIGN_OR_RETURN(auto records, store_->records().ListTargetRecords("", page, &next));
    for (v1::TargetRecord& record : records) newest[record.target()] = std::move(record);
    page.token = next;
  } while (!page.token.empty());
  std::set<std::string> seen;  // targets whose newest run was looked at
  page = {.size = 10};
  for (int looked_at = 0; looked_at < kRolloutsLookedAt; looked_at += page.size) {
    std::string next;
    ASSIGN_OR_RETURN(const auto rollouts, store_->ListRollouts(page, &next));
    LookAt(rollouts, newest, &seen);
    if (next.empty()) break;
    page.token = next;
  }
  return absl::OkStatus();
}

void TargetRecorder::LookAt(const std::vector<store::VersionedRollout>& rollouts,
                            const std::map<std::string, v1::TargetRecord>& newest,
                            std::set<std::string>* seen) {
  for (const store::VersionedRollout& stored : rollouts) {
    for (const v1::Run& run : stored.rollout.runs()) {
      const v1::TargetRecordKind kind = KindOf(run);
      if (kind == v1::TARGET_RECORD_KIND_UNSPECIFIED && !IsAtWork(run)) continue;
      if (!seen->insert(run.target()).second || kind == v1::TARGET_RECORD_KIND_UNSPECIFIED) continue;
      if (const auto record = newest.find(run.target()); record != newest.end()) {
        const bool this_one =
            record->second.rollout() == stored.rollout.name() && record->second.kind() == kind;
        const bool later =
            run.has_end_time() && base::FromProto(record->second.time()) >= base::FromProto(run.end_time());
        if (this_one || later) continue;
      }
      Add(stored.rollout, run);
    }
  }
}

void TargetRecorder::Changed(const v1::Rollout& before, const v1::Rollout& after) {
  if (stopped_) return;
  for (int i = 0; i < after.runs_size() && i < before.runs_size(); ++i) {
    const v1::Run& run = after.runs(i);
    if (before.runs(i).state() == run.state() || KindOf(run) == v1::TARGET_RECORD_KIND_UNSPECIFIED) continue;
    Add(after, run);
    Ask(run.target());
  }
}

void TargetRecorder::TargetReady(const std::string& target) { Ask(target); }

void TargetRecorder::Add(const v1::Rollout& rollout, const v1::Run& run) {
  v1::TargetRecord record;
  record.set_target(run.target());
  record.set_kind(KindOf(run));
  record.set_rollout(rollout.name());
  record.set_plan(rollout.plan());
  record.set_plan_digest(rollout.plan_digest());
  record.set_compiled_digest(run.compiled_digest());
  record.set_actor(rollout.creator());
  if (record.kind() == v1::TARGET_RECORD_KIND_ROLLED_BACK) record.set_reason(rollout.reason());
  *record.mutable_labels() = rollout.labels();
  *record.mutable_start_time() = run.start_time();
  *record.mutable_time() = run.has_end_time() ? run.end_time() : base::ToProto(clock_->Now());
  pending_[run.target()].push_back(std::move(record));
}

void TargetRecorder::Ask(const std::string& target) {
  const auto pending = pending_.find(target);
  const TargetEntry* entry = targets_->Find(target);
  if (stopped_ || pending == pending_.end() || entry == nullptr || !entry->ready) return;
  if (!asked_.insert(target).second) return;
  schemas_->Ask(target, v1::Scope(),
                [this, target, asked = pending->second.size()](absl::StatusOr<v1::Schema> schema) {
                  Answered(target, asked, std::move(schema));
                });
}

void TargetRecorder::AskLater(const std::string& target, absl::Duration after) {
  loop_->PostAfter(after, [this, target] { Ask(target); });
}

void TargetRecorder::Answered(const std::string& target, size_t asked, absl::StatusOr<v1::Schema> schema) {
  asked_.erase(target);
  const auto found = pending_.find(target);
  if (stopped_ || found == pending_.end()) return;
  if (base::Detail(schema.status(), base::kReason) == kTargetNotServed) return;  // who comes next is asked
  if (!schema.ok()) {
    spdlog::warn("{}", base::WithFields(absl::StrCat("the schema cannot be put on record, trying again: ",
                                                     schema.status().message()),
                                        {{"target", target}}));
    return AskLater(target, options_.agent_retry);
  }
  std::deque<v1::TargetRecord>& records = found->second;
  // Another run has ended since: it may be from before that.
  if (records.size() != asked) return Ask(target);
  while (!records.empty()) {
    v1::TargetRecord record = records.front();
    if (records.size() == 1 && !at_work_(target)) {
      record.MergeFrom(RecordOfSchema(target, *schema, clock_->Now()));
    }
    const auto stored = store_->records().AddTargetRecord(record, {});
    if (!stored.ok()) {
      spdlog::error(
          "{}", base::WithFields(absl::StrCat("the store failed, trying again: ", stored.status().message()),
                                 {{"target", target}, {"rollout", record.rollout()}}));
      return AskLater(target, options_.store_retry);
    }
    spdlog::info("{}",
                 base::WithFields("target is on record", {{"target", target},
                                                          {"record", absl::StrCat(stored->number())},
                                                          {"rollout", stored->rollout()},
                                                          {"fingerprint", stored->schema_fingerprint()}}));
    records.pop_front();
  }
  pending_.erase(found);
  if (observer_) observer_(target);
}

}  // namespace curlew::dispatch
