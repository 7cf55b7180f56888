#include "agent/preflight/preflight.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "agent/preflight/looks.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

struct Kind {
  PreflightCode code;
  absl::Status (*look)(const Look&, Findings*);
};

// The only place where they are listed.
const std::vector<Kind>& Kinds() {
  static const std::vector<Kind>* const kKinds = new std::vector<Kind>{
      {{"version", "the server's version, and what differs there"}, LookAtVersion},
      {{"privileges", "rights that the steps need"}, LookAtPrivileges},
      {{"disk", "room on the database's disk for walks and indexes"}, LookAtDisk},
      {{"long-transactions", "transactions that are open for long"}, LookAtTransactions},
      {{"replication-slots", "slots that are not in use, or keep much WAL"}, LookAtSlots},
      {{"replication-lag", "standbys that are behind"}, LookAtLag},
      {{"autovacuum", "autovacuum at work on the tables"}, LookAtAutovacuum},
      {{"wraparound", "tables that will be frozen soon, whatever stands in the way"}, LookAtWraparound},
      {{"names", "names of Curlew's own that are taken"}, LookAtNames},
      {{"dependents", "what hangs on the tables"}, LookAtDependents},
      {{"backup", "what the plan's backups need"}, LookAtBackups},
      {{"query-plan", "queries that would read a large table as a whole"}, LookAtPlans}};
  return *kKinds;
}

absl::StatusOr<std::unique_ptr<pg::Transaction>> BeginLook(pg::Connection* connection) {
  ASSIGN_OR_RETURN(auto transaction,
                   pg::Transaction::Begin(connection, pg::Transaction::Mode::kReadOnlySnapshot));
  RETURN_IF_ERROR(transaction
                      ->Execute("SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '500ms';"
                                " SET LOCAL search_path = pg_catalog")
                      .status());
  return transaction;
}

// Whether nothing more can be seen.
bool EndsAll(const absl::Status& status, const pg::Connection& connection) {
  return absl::IsCancelled(status) || !connection.alive();
}

}  // namespace

void Findings::Add(v1::PreflightSeverity severity, std::string message, std::string hint, std::string table) {
  v1::PreflightFinding& finding = findings_.emplace_back();
  finding.set_severity(severity);
  finding.set_code(code_);
  finding.set_message(std::move(message));
  finding.set_hint(std::move(hint));
  finding.set_table(std::move(table));
}

std::string Bytes(int64_t bytes) {
  double value = static_cast<double>(bytes);
  for (const char* unit : {"B", "kB", "MB", "GB"}) {
    if (value < 1000) return absl::StrFormat(value < 10 ? "%.1f %s" : "%.0f %s", value, unit);
    value /= 1024;
  }
  return absl::StrFormat("%.1f TB", value);
}

std::string Age(absl::Duration age) { return absl::FormatDuration(absl::Floor(age, absl::Seconds(1))); }

absl::StatusOr<v1::Preflight> LookAtTarget(pg::Connection* connection, const v1::CompiledPlan& plan,
                                           const PreflightOptions& options, const CancelToken& cancel) {
  const PlanNeeds needs = NeedsOf(plan);
  const Look look{connection, plan, needs, options, cancel};
  std::vector<v1::PreflightFinding> all;
  for (const Kind& kind : Kinds()) {
    RETURN_IF_ERROR(cancel.Check());
    Findings findings(kind.code.code);
    absl::Status status;
    {
      const auto transaction = BeginLook(connection);
      status = transaction.ok() ? kind.look(look, &findings) : transaction.status();
    }
    RETURN_IF_ERROR(cancel.Check());
    if (EndsAll(status, *connection)) return absl::UnavailableError(std::string(status.message()));
    if (!status.ok()) {
      findings.Warning(absl::StrCat("could not be looked at: ", status.message()),
                       "mend what it says, or look by hand (docs/preflight.md)");
    }
    all.insert(all.end(), findings.all().begin(), findings.all().end());
  }
  v1::Preflight preflight;
  {
    const auto transaction = BeginLook(connection);
    const auto estimate =
        transaction.ok() ? EstimateWalks(look) : absl::StatusOr<std::optional<absl::Duration>>(std::nullopt);
    if (estimate.ok() && estimate->has_value()) *preflight.mutable_estimate() = base::ToProto(**estimate);
  }
  RETURN_IF_ERROR(cancel.Check());
  std::stable_sort(all.begin(), all.end(), [](const v1::PreflightFinding& a, const v1::PreflightFinding& b) {
    return a.severity() > b.severity();
  });
  for (v1::PreflightFinding& finding : all) *preflight.add_findings() = std::move(finding);
  *preflight.mutable_time() = base::ToProto(absl::Now());
  return preflight;
}

const std::vector<PreflightCode>& PreflightCodes() {
  static const std::vector<PreflightCode>* const kCodes = [] {
    auto* codes = new std::vector<PreflightCode>{
        {kSignatureCode, "whether the plan is signed by somebody whom the agent trusts"}};
    for (const Kind& kind : Kinds()) codes->push_back(kind.code);
    return codes;
  }();
  return *kCodes;
}

}  // namespace curlew::agent
