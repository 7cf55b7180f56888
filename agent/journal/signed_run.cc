#include "agent/journal/signed_run.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "common/base/status_macros.h"
#include "google/protobuf/util/json_util.h"

namespace curlew::agent {

absl::Status PinSignedPlan(FencedTransaction& transaction, const std::string& run, const SignedRun& pinned) {
  const std::string& id = pinned.signature.statement().id();
  ASSIGN_OR_RETURN(
      const pg::Result other,
      transaction.Execute("SELECT run FROM curlew.run WHERE signature_id = $1 AND run <> $2", {id, run}));
  if (!other.empty()) {
    return absl::AlreadyExistsError(
        absl::StrCat("signature ", id, " was used already: ", other.Text(0, 0), " was begun by it"));
  }
  RETURN_IF_ERROR(
      transaction
          .Execute("INSERT INTO curlew.run (run, plan_name, compiled_digest, compiled, plan,"
                   " plan_signature, signature_id, snapshot, steps_digest)"
                   " VALUES ($1, $2, $3, $4::json, $5::json, $6::json, $7, $8::json, $9)"
                   " ON CONFLICT (run) DO NOTHING",
                   {run, pinned.compiled.plan_name(), pinned.digest, base::CanonicalJson(pinned.compiled),
                    base::CanonicalJson(pinned.plan), base::CanonicalJson(pinned.signature), id,
                    base::CanonicalJson(pinned.snapshot), pinned.steps_digest})
          .status());
  ASSIGN_OR_RETURN(
      const pg::Result now,
      transaction.Execute("SELECT compiled_digest, coalesce(signature_id, '') FROM curlew.run WHERE run = $1",
                          {run}));
  if (now.Text(0, 0) == pinned.digest && now.Text(0, 1) == id) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("run ", run, " is pinned to the compiled plan ", now.Text(0, 0),
                   now.Text(0, 1).empty() ? " without a signature" : " by signature ", now.Text(0, 1),
                   ", which cannot be replaced by ", pinned.digest, " by signature ", id));
}

absl::Status BarRun(FencedTransaction& transaction, const std::string& run,
                    const std::string& compiled_digest) {
  return transaction
      .Execute(
          "INSERT INTO curlew.run (run, plan_name, compiled_digest, compiled, barred)"
          " VALUES ($1, '', $2, '{}', true) ON CONFLICT (run) DO NOTHING",
          {run, compiled_digest})
      .status();
}

absl::StatusOr<std::optional<std::string>> RunBegunBy(pg::Connection* connection,
                                                      const std::string& signature_id) {
  ASSIGN_OR_RETURN(const pg::Result row,
                   connection->Execute("SELECT run FROM curlew.run WHERE signature_id = $1", {signature_id}));
  if (row.empty()) return std::optional<std::string>();
  return std::optional<std::string>(row.Text(0, 0));
}

absl::Status RecordDecision(FencedTransaction& transaction, const std::string& run,
                            const v1::DecisionSignature& decision) {
  return transaction
      .Execute(
          "INSERT INTO curlew.decision (run, id, step, signature) VALUES ($1, $2, $3, $4::json)"
          " ON CONFLICT (run, id) DO NOTHING",
          {run, decision.statement().id(), decision.statement().step(), base::CanonicalJson(decision)})
      .status();
}

absl::StatusOr<std::vector<v1::DecisionSignature>> ReadDropDecisions(pg::Connection* connection,
                                                                     const std::string& run) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   connection->Execute("SELECT signature::text FROM curlew.decision"
                                       " WHERE run = $1 AND step = '' ORDER BY noted, id",
                                       {run}));
  std::vector<v1::DecisionSignature> decisions;
  for (int64_t i = 0; i < rows.size(); ++i) {
    v1::DecisionSignature decision;
    if (google::protobuf::util::JsonStringToMessage(rows.Text(i, 0), &decision).ok()) {
      decisions.push_back(std::move(decision));
    }
  }
  return decisions;
}

}  // namespace curlew::agent
