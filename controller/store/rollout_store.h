// Where plans, environments, rollouts and their events are kept.
#ifndef CURLEW_CONTROLLER_STORE_ROLLOUT_STORE_H_
#define CURLEW_CONTROLLER_STORE_ROLLOUT_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "curlew/v1/operator.pb.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::store {

// A command that was decided and is not known to have arrived. Its content is the caller's; a compiled plan
// or state never stands in it.
struct OutboxEntry {
  int64_t id = 0;  // given by the store, ascending
  std::string rollout;
  std::string target;
  std::string kind;     // "compile", "dispatch" or "cancel"
  std::string payload;  // serialised command
};

// Who asked for a change, and who is to be told of it: stored in the change's own transaction.
struct Record {
  // Number, previous_hash and hash are the store's, which gives them; what stands there is ignored. All
  // texts must be valid UTF-8: INVALID_ARGUMENT else.
  std::vector<v1::AuditEntry> audit;
  // Ids are the store's, too: ascending, never used again.
  std::vector<v1::Notification> notifications;
};

// Everything that one transition changes, stored in ONE transaction.
struct RolloutChange {
  // The state before had this version; 0 for a new rollout. ABORTED where the store's is another.
  int64_t expected_version = 0;
  v1::Rollout rollout;
  std::vector<v1::Event> events;
  std::vector<OutboxEntry> outbox;  // ids are ignored
  // Outbox entries that are done with.
  std::vector<int64_t> outbox_done;
  // Compiled plan of one run, where the transition pins it.
  struct Pin {
    std::string run;
    v1::CompiledPlan plan;
  };
  std::optional<Pin> pin;
  // Events numbered below this are removed; 0 for none. The rollout's first_event says so too.
  int64_t trim_events_below = 0;
  Record record;
};

// A rollout and the version that a change of it must name.
struct VersionedRollout {
  int64_t version = 0;
  v1::Rollout rollout;
};

// A page of a list. Tokens are opaque.
struct Page {
  int size = 50;
  std::string token;
};

// base::kReason of an UNAVAILABLE change that may have been stored or not: only the store knows.
inline constexpr absl::string_view kStoreInDoubt = "STORE_IN_DOUBT";

// The audit log, what somebody outside is to be told, and what is on record of targets. As RolloutStore in
// all that is said there. Entries of the audit log and records of targets are only ever added; entries are
// numbered without a gap and chained (common/base/audit_chain.h), however many controllers there are.
class RecordStore {
 public:
  virtual ~RecordStore() = default;

  // Adds to the audit log, and to what is to be told, where nothing else is changed.
  virtual absl::Status Put(const Record& record) = 0;
  // Entries after `after`, in order, at most `limit`.
  virtual absl::StatusOr<std::vector<v1::AuditEntry>> ListAudit(int64_t after, int limit) = 0;
  // The newest entry; number 0 and a hash of 64 zeros for an empty log. Not signed.
  virtual absl::StatusOr<v1::AuditHead> AuditHead() = 0;

  // What has not been told yet, in order of ids, at most `limit`, all after id `after`.
  virtual absl::StatusOr<std::vector<v1::Notification>> PendingNotifications(int64_t after, int limit) = 0;
  // It was told, or given up: it goes. OK where it is gone.
  virtual absl::Status RemoveNotification(int64_t id) = 0;
  // It was not: replaces what is kept (attempts, not_before, error). NOT_FOUND where it is gone.
  virtual absl::Status UpdateNotification(const v1::Notification& notification) = 0;

  // Adds what is now on record of target_record.target(), and `record` with it; returns it with its number,
  // from 1 without a gap. A run is recorded once: with the rollout and kind of the newest record of the
  // target, that one is returned and nothing is added, no `record` either. What is of no rollout (a baseline)
  // is always added. INVALID_ARGUMENT without a target.
  virtual absl::StatusOr<v1::TargetRecord> AddTargetRecord(const v1::TargetRecord& target_record,
                                                           const Record& record) = 0;
  // The newest record of a target, whole. NOT_FOUND.
  virtual absl::StatusOr<v1::TargetRecord> NewestTargetRecord(const std::string& target) = 0;
  // Without schema_json. Newest first; of all targets, where `target` is "", the newest of each, by name.
  // `next` gets the next page's token or "".
  virtual absl::StatusOr<std::vector<v1::TargetRecord>> ListTargetRecords(const std::string& target,
                                                                          const Page& page,
                                                                          std::string* next) = 0;
};

// A bearer token as it is kept: never what is shown, only the SHA-256 of that, 64 lower-case hexadecimal
// digits.
struct TokenEntry {
  std::string hash;
  v1::Token token;
};

// Bearer tokens. As RolloutStore in all that is said there. None is ever removed; of a name only the newest
// may count.
class TokenStore {
 public:
  virtual ~TokenStore() = default;

  // Adds one, and `record` with it. ALREADY_EXISTS where the newest of its name counts still at the new one's
  // create_time, or the hash is there; INVALID_ARGUMENT where name or hash is none.
  virtual absl::Status AddToken(const TokenEntry& entry, const Record& record) = 0;
  // Gives the newest token of revocation.name() the revoke_time and revoker of `revocation`, and returns it.
  // One that is revoked stays as it is, and nothing is recorded. NOT_FOUND.
  virtual absl::StatusOr<v1::Token> RevokeToken(const v1::Token& revocation, const Record& record) = 0;
  // Newest first; `next` gets the next page's token or "".
  virtual absl::StatusOr<std::vector<TokenEntry>> ListTokens(const Page& page, std::string* next) = 0;
};

// Durable storage. Not thread-safe: one thread owns it. Every method is one transaction, durable when it
// returns OK. UNAVAILABLE where the disk is full or the store cannot be reached: nothing has changed then,
// save with kStoreInDoubt. Texts that stand beside the protos (names, targets, kinds) are valid UTF-8 without
// NUL: INVALID_ARGUMENT else, and such a name is never found.
class RolloutStore {
 public:
  virtual ~RolloutStore() = default;

  // Stores a plan; the one that is there already, and no record, where name and digest are the same.
  virtual absl::StatusOr<v1::StoredPlan> PutPlan(const v1::StoredPlan& plan, const Record& record) = 0;
  // By resource name, or the newest with that bare plan name. NOT_FOUND.
  virtual absl::StatusOr<v1::StoredPlan> GetPlan(const std::string& name) = 0;
  // Keeps a signature beside the plan with that resource name, and returns the plan with it; the plan as it
  // is, and no record, where it has that signature. Of more than AddSignature keeps the oldest go. NOT_FOUND.
  virtual absl::StatusOr<v1::StoredPlan> PutPlanSignature(const std::string& plan,
                                                          const v1::PlanSignature& signature,
                                                          const Record& record) = 0;
  // Newest first; `next` gets the next page's token or "".
  virtual absl::StatusOr<std::vector<v1::StoredPlan>> ListPlans(const Page& page, std::string* next) = 0;

  // Replaces the pipeline.
  virtual absl::Status PutEnvironments(const std::vector<v1::Environment>& environments,
                                       const Record& record) = 0;
  virtual absl::StatusOr<std::vector<v1::Environment>> ListEnvironments() = 0;

  // Applies a change. ABORTED on a version conflict, ALREADY_EXISTS where a new rollout's name is taken.
  // Returns the new version.
  virtual absl::StatusOr<int64_t> Commit(const RolloutChange& change) = 0;
  virtual absl::StatusOr<VersionedRollout> GetRollout(const std::string& name) = 0;
  // Newest first.
  virtual absl::StatusOr<std::vector<VersionedRollout>> ListRollouts(const Page& page, std::string* next) = 0;
  // Events after `after`, in order, at most `limit`.
  virtual absl::StatusOr<std::vector<v1::Event>> ListEvents(const std::string& rollout, int64_t after,
                                                            int limit) = 0;
  // NOT_FOUND where the run has not been compiled.
  virtual absl::StatusOr<v1::CompiledPlan> GetCompiledPlan(const std::string& run) = 0;
  // All entries that are not done, in order of their ids.
  virtual absl::StatusOr<std::vector<OutboxEntry>> PendingOutbox() = 0;

  // What stands beside the rollouts, in the same store: PutPlan and PutEnvironments with a record are the
  // same transaction, as is Commit with its own.
  virtual RecordStore& records() = 0;
  virtual TokenStore& tokens() = 0;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_ROLLOUT_STORE_H_
