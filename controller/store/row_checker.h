// Whether the rows of a store make sense, alone and together.
#ifndef CURLEW_CONTROLLER_STORE_ROW_CHECKER_H_
#define CURLEW_CONTROLLER_STORE_ROW_CHECKER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/base/audit_chain.h"
#include "curlew/v1/store.pb.h"

namespace curlew::store {

// Is given every row of a store, in the order of a backup. Sees that each proto can be read and says the same
// as the columns beside it; that events are numbered without a gap from the first that is kept to the last
// that the rollout counts; that what refers to a rollout finds it; that no number will be given twice; that
// the audit log is whole, each entry hashed and chained to the one before it; that records of a target are
// numbered without a gap; that of each token there is a hash, and of no two the same.
class RowChecker {
 public:
  void Add(const v1::StoreRow& row);
  // After the last row. DATA_LOSS with what is wrong, in lines, at most 20; `store` for the message.
  absl::Status Finish(absl::string_view store);
  // What it was given, in words: "2 plans, 1 environment, ...". After Finish.
  std::string Counts() const;

 private:
  struct Events {
    int64_t first = 0;
    int64_t last = 0;
    int64_t next = 0;  // the number that comes next
  };

  void CheckTexts(const v1::StoreRow& row);
  void AddPlan(const v1::PlanRow& row);
  void AddEnvironment(const v1::EnvironmentRow& row);
  void AddRollout(const v1::RolloutRow& row);
  void AddEvent(const v1::EventRow& row);
  void AddOutbox(const v1::OutboxRow& row);
  void AddCompiledPlan(const v1::CompiledPlanRow& row);
  void AddSequence(const v1::SequenceRow& row);
  void AddAudit(const v1::AuditRow& row);
  void AddNotification(const v1::NotificationRow& row);
  void AddTargetRecord(const v1::TargetRecordRow& row);
  void AddToken(const v1::TokenRow& row);
  void Wrong(std::string what);
  // `what` refers to `rollout`.
  void Refer(absl::string_view what, const std::string& rollout);

  std::map<std::string, Events> rollouts_;
  std::map<std::string, int64_t> largest_;    // number by table
  std::map<std::string, int64_t> sequences_;  // count by table
  int64_t plans_ = 0, environments_ = 0, ended_ = 0, events_ = 0, outbox_ = 0, compiled_plans_ = 0;
  int64_t audit_ = 0, notifications_ = 0;
  int64_t last_audit_ = 0;  // its number
  std::string last_audit_hash_{base::kNoAuditHash};
  std::map<std::string, int64_t> target_records_;  // newest number by target
  std::set<std::string> token_hashes_;
  int64_t tokens_ = 0;
  int64_t wrong_ = 0;
  std::vector<std::string> lines_;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_ROW_CHECKER_H_
