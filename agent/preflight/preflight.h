// A look at a target before anything begins there. Nothing is changed.
#ifndef CURLEW_AGENT_PREFLIGHT_PREFLIGHT_H_
#define CURLEW_AGENT_PREFLIGHT_PREFLIGHT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/backup/backup_config.h"
#include "agent/guard/cancel_token.h"
#include "common/pg/connection.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// From where on something is told.
struct PreflightLimits {
  // Age of transactions that stand in the way of DDL and keep dead rows.
  absl::Duration transaction = absl::Minutes(1);
  // Age from which they are old, not only long.
  absl::Duration old_transaction = absl::Minutes(10);
  // WAL that a replication slot keeps.
  int64_t slot_bytes = int64_t{1} << 30;
  // How far standbys may be behind.
  absl::Duration lag = absl::Seconds(10);
  int64_t lag_bytes = int64_t{256} << 20;
  // From what size on a table should not be read as a whole where the step does not say so.
  int64_t big_bytes = int64_t{1} << 30;
  int64_t big_rows = 1'000'000;
  // Part of autovacuum_freeze_max_age from which an anti-wraparound autovacuum is near.
  double freeze_part = 0.9;
};

// What is looked at, and with what.
struct PreflightOptions {
  std::string target;
  BackupConfig backups;
  PreflightLimits limits;
};

// Looks at the target for what the steps need and what stands in their way, in read-only transactions with
// short time-outs. What cannot be looked at is a WARNING of its own, and the rest goes on. Never fails,
// except with UNAVAILABLE where the connection is lost, and CANCELLED. Findings are sorted, the worst first.
// The connection is used, not kept; it may not be in a transaction.
absl::StatusOr<v1::Preflight> LookAtTarget(pg::Connection* connection, const v1::CompiledPlan& plan,
                                           const PreflightOptions& options, const CancelToken& cancel);

// A code of findings and what it stands for: docs/preflight.md has a row for each.
struct PreflightCode {
  absl::string_view code;
  absl::string_view meaning;
};
// Of the one that is not looked at here: where it is found, nothing else is looked at
// (agent/session/inspector.h).
inline constexpr absl::string_view kSignatureCode = "signature";
// All of them, in the order in which they are looked at.
const std::vector<PreflightCode>& PreflightCodes();

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_PREFLIGHT_PREFLIGHT_H_
