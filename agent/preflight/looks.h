// What is looked at before a run begins: one function, and one file, for each.
#ifndef CURLEW_AGENT_PREFLIGHT_LOOKS_H_
#define CURLEW_AGENT_PREFLIGHT_LOOKS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/preflight/needs.h"
#include "agent/preflight/preflight.h"

namespace curlew::agent {

// What a look has at hand. Nothing is owned.
struct Look {
  // In a read-only transaction with short time-outs and search_path pg_catalog, which is the look's own.
  pg::Connection* connection;
  const v1::CompiledPlan& plan;
  const PlanNeeds& needs;
  const PreflightOptions& options;
  const CancelToken& cancel;
};

// Takes what a look finds. Not thread-safe.
class Findings {
 public:
  explicit Findings(absl::string_view code) : code_(code) {}
  // `table` is qualified and quoted; "" for none.
  void Info(std::string message, std::string hint, std::string table = "") {
    Add(v1::PREFLIGHT_SEVERITY_INFO, std::move(message), std::move(hint), std::move(table));
  }
  void Warning(std::string message, std::string hint, std::string table = "") {
    Add(v1::PREFLIGHT_SEVERITY_WARNING, std::move(message), std::move(hint), std::move(table));
  }
  void Error(std::string message, std::string hint, std::string table = "") {
    Add(v1::PREFLIGHT_SEVERITY_ERROR, std::move(message), std::move(hint), std::move(table));
  }
  const std::vector<v1::PreflightFinding>& all() const { return findings_; }

 private:
  void Add(v1::PreflightSeverity severity, std::string message, std::string hint, std::string table);

  const std::string code_;
  std::vector<v1::PreflightFinding> findings_;
};

// All: OK whatever they find; CANCELLED; errors as in common/pg/error.h where something could not be seen.

// The server's version, and what differs from the one that is usual.
absl::Status LookAtVersion(const Look& look, Findings* findings);
// Rights that the steps need.
absl::Status LookAtPrivileges(const Look& look, Findings* findings);
// Room on the database's disk.
absl::Status LookAtDisk(const Look& look, Findings* findings);
// Transactions that are open for long, prepared ones too.
absl::Status LookAtTransactions(const Look& look, Findings* findings);
// Replication slots that are not in use, or keep much WAL.
absl::Status LookAtSlots(const Look& look, Findings* findings);
// Standbys that are behind.
absl::Status LookAtLag(const Look& look, Findings* findings);
// Autovacuum at work on the tables.
absl::Status LookAtAutovacuum(const Look& look, Findings* findings);
// Tables to which an anti-wraparound autovacuum will come soon.
absl::Status LookAtWraparound(const Look& look, Findings* findings);
// Names of Curlew's own that are taken.
absl::Status LookAtNames(const Look& look, Findings* findings);
// What hangs on the tables.
absl::Status LookAtDependents(const Look& look, Findings* findings);
// What the plan's backups need.
absl::Status LookAtBackups(const Look& look, Findings* findings);
// Queries that would read large tables as a whole.
absl::Status LookAtPlans(const Look& look, Findings* findings);

// How long the plan's walks take, by the speed of earlier ones; nothing where there were none.
absl::StatusOr<std::optional<absl::Duration>> EstimateWalks(const Look& look);

// "1.2 GB"; "2h3m"; "2m5s".
std::string Bytes(int64_t bytes);
std::string Age(absl::Duration age);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_PREFLIGHT_LOOKS_H_
