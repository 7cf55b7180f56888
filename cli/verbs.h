// Every verb: each function adds one to its group, and lives in the file of its name.
#ifndef CURLEW_CLI_VERBS_H_
#define CURLEW_CLI_VERBS_H_

#include "CLI/CLI.hpp"
#include "cli/context.h"

namespace curlew::cli {

// The context must outlive the app.
void AddPlanValidate(CLI::App& group, Context& context);
void AddPlanExplain(CLI::App& group, Context& context);
void AddPlanSql(CLI::App& group, Context& context);
void AddPlanFromSql(CLI::App& group, Context& context);
void AddPlanSubmit(CLI::App& group, Context& context);
void AddPlanList(CLI::App& group, Context& context);
void AddPlanShow(CLI::App& group, Context& context);
void AddPlanSign(CLI::App& group, Context& context);

void AddRolloutStart(CLI::App& group, Context& context);
void AddRolloutList(CLI::App& group, Context& context);
void AddRolloutShow(CLI::App& group, Context& context);
void AddRolloutRuns(CLI::App& group, Context& context);
void AddRolloutWatch(CLI::App& group, Context& context);
void AddRolloutApprove(CLI::App& group, Context& context);
void AddRolloutSkipGate(CLI::App& group, Context& context);
void AddRolloutReportCheck(CLI::App& group, Context& context);
void AddRolloutOverride(CLI::App& group, Context& context);
void AddRolloutTune(CLI::App& group, Context& context);
void AddRolloutRows(CLI::App& group, Context& context);
void AddRolloutPause(CLI::App& group, Context& context);
void AddRolloutResume(CLI::App& group, Context& context);
void AddRolloutRetry(CLI::App& group, Context& context);
void AddRolloutSkip(CLI::App& group, Context& context);
void AddRolloutSkipTarget(CLI::App& group, Context& context);
void AddRolloutAbort(CLI::App& group, Context& context);
void AddRolloutRollback(CLI::App& group, Context& context);
void AddRolloutReport(CLI::App& group, Context& context);
void AddRolloutRestoreHint(CLI::App& group, Context& context);

void AddTargetList(CLI::App& group, Context& context);
void AddTargetShow(CLI::App& group, Context& context);
void AddTargetBaseline(CLI::App& group, Context& context);

void AddSchemaSnapshot(CLI::App& group, Context& context);

void AddEnvApply(CLI::App& group, Context& context);
void AddEnvList(CLI::App& group, Context& context);

void AddAuditList(CLI::App& group, Context& context);
void AddAuditVerify(CLI::App& group, Context& context);

void AddKeyCreate(CLI::App& group, Context& context);
void AddKeyShow(CLI::App& group, Context& context);

void AddTokenCreate(CLI::App& group, Context& context);
void AddTokenList(CLI::App& group, Context& context);
void AddTokenRevoke(CLI::App& group, Context& context);

void AddPkiInit(CLI::App& group, Context& context);
void AddPkiIssue(CLI::App& group, Context& context);
void AddPkiRevoke(CLI::App& group, Context& context);
void AddPkiShow(CLI::App& group, Context& context);

void AddLint(CLI::App& root, Context& context);
void AddDrift(CLI::App& root, Context& context);
void AddHistory(CLI::App& root, Context& context);
void AddCurrent(CLI::App& root, Context& context);
void AddCompletion(CLI::App& root, Context& context);
void AddVersion(CLI::App& root, Context& context);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_VERBS_H_
