// The store in a PostgreSQL database: for several controllers, of which one leads.
#ifndef CURLEW_CONTROLLER_STORE_POSTGRES_ROLLOUT_STORE_H_
#define CURLEW_CONTROLLER_STORE_POSTGRES_ROLLOUT_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/postgres_record_store.h"
#include "controller/store/postgres_session.h"
#include "controller/store/postgres_token_store.h"
#include "controller/store/rollout_bytes.h"
#include "controller/store/rollout_store.h"

namespace curlew::store {

// A RolloutStore in schema curlew_controller. Every method that writes begins with the fence of its leader:
// ABORTED with base::kReason kNotLeader once another leads. The fence also puts all that is written in one
// order, so numbers of sequences are in the order of commits. After an error it goes on working as soon as
// the cause is gone; a connection that was lost is made anew. UNAVAILABLE says that nothing has changed, save
// with base::kReason STORE_IN_DOUBT: then the next call, of whatever kind, waits until that is decided. Not
// thread-safe.
class PostgresRolloutStore : public RolloutStore {
 public:
  // Connects and brings the schema up to date. `name` is the store's for messages. FAILED_PRECONDITION where
  // it was written by a newer version or is something else; UNAVAILABLE where it cannot be reached.
  static absl::StatusOr<std::unique_ptr<PostgresRolloutStore>> Open(const PostgresStoreOptions& options,
                                                                    const std::string& name,
                                                                    const PostgresFence& fence);

  absl::StatusOr<v1::StoredPlan> PutPlan(const v1::StoredPlan& plan, const Record& record) override;
  absl::StatusOr<v1::StoredPlan> GetPlan(const std::string& name) override;
  absl::StatusOr<v1::StoredPlan> PutPlanSignature(const std::string& plan, const v1::PlanSignature& signature,
                                                  const Record& record) override;
  absl::StatusOr<std::vector<v1::StoredPlan>> ListPlans(const Page& page, std::string* next) override;
  absl::Status PutEnvironments(const std::vector<v1::Environment>& environments,
                               const Record& record) override;
  absl::StatusOr<std::vector<v1::Environment>> ListEnvironments() override;
  absl::StatusOr<int64_t> Commit(const RolloutChange& change) override;
  absl::StatusOr<VersionedRollout> GetRollout(const std::string& name) override;
  absl::StatusOr<std::vector<VersionedRollout>> ListRollouts(const Page& page, std::string* next) override;
  absl::StatusOr<std::vector<v1::Event>> ListEvents(const std::string& rollout, int64_t after,
                                                    int limit) override;
  absl::StatusOr<v1::CompiledPlan> GetCompiledPlan(const std::string& run) override;
  absl::StatusOr<std::vector<OutboxEntry>> PendingOutbox() override;
  RecordStore& records() override { return records_; }
  TokenStore& tokens() override { return tokens_; }

 private:
  PostgresRolloutStore(const PostgresStoreOptions& options, const std::string& name,
                       const PostgresFence& fence)
      : session_(options, name), fence_(fence), records_(&session_, fence), tokens_(&session_, fence) {}

  // One statement outside of writing; all of its rows.
  absl::StatusOr<pg::Result> Read(absl::string_view doing, absl::string_view sql,
                                  const std::vector<pg::Param>& params = {});

  PostgresSession session_;
  const PostgresFence fence_;
  PostgresRecordStore records_;
  PostgresTokenStore tokens_;
  WrittenRuns written_runs_;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_POSTGRES_ROLLOUT_STORE_H_
