// How an attempt ends.
#ifndef CURLEW_AGENT_EXECUTOR_OUTCOME_H_
#define CURLEW_AGENT_EXECUTOR_OUTCOME_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/guard/cancel_token.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

// The end of an attempt.
struct Outcome {
  // SUCCEEDED, FAILED (the work is wrong), ERRORED (the world is; worth another try) or CANCELLED.
  v1::AttemptState state = v1::ATTEMPT_STATE_SUCCEEDED;
  v1::StepError error;
  // Rows that the step wrote, over all its attempts.
  int64_t rows = 0;
  // What is worth knowing of a success, for people.
  std::string summary;
  // What it has made, where it makes a backup.
  std::vector<v1::BackupResult> backups;
  // Whether the agent is no longer the one that serves the target: then the outcome is nobody's to tell.
  bool fenced_out = false;
  // Whether nobody knows it: a COMMIT was not answered and the journal could not be asked. Then nothing is to
  // be told either: the step is sent again once the database is back, and by then the journal tells.
  bool in_doubt = false;
  // Whether the connection to the database is what failed.
  bool database_unreachable = false;
};

// What a step that succeeded has to tell.
struct StepResult {
  // Rows that it wrote, or looked at, over all its attempts.
  int64_t rows = 0;
  // What is worth knowing, for people; may be empty.
  std::string summary;
  // What it has made, where it makes a backup.
  std::vector<v1::BackupResult> backups;
};

Outcome Succeeded(StepResult result = {});

// What a status means for an attempt: CANCELLED where `cancel` asked for it; else by who is to blame
// (common/pg/error.h; statuses that are not PostgreSQL's by their code). The hint is base::kHint of the
// status, or one that fits the SQLSTATE; row keys are base::kRowKeys, one a line.
Outcome FromStatus(const absl::Status& status, const CancelToken& cancel);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_OUTCOME_H_
