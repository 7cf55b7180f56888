#include "common/compiler/safety.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/compiler/verifications.h"
#include "common/operations/policy.h"
#include "common/plan/scalar.h"
#include "common/schema/schema.h"
#include "common/sql/identifier.h"

namespace curlew::compiler {
namespace {

using sql::TableName;

// --- Backups. ---

// Those that the plan gives, or those that its operations name and that exist.
absl::StatusOr<std::vector<std::string>> DumpTables(const v1::Plan& plan, const Operations& all,
                                                    const v1::Schema& schema,
                                                    std::vector<std::string>* warnings) {
  std::set<std::string> tables;
  const auto& given = plan.backup().dump().tables();
  for (int i = 0; i < given.size(); ++i) {
    const std::string field = absl::StrCat("backup.dump.tables[", i, "]");
    ASSIGN_OR_RETURN(const TableName name, sql::ParseTableName(given[i]));
    if (schema::FindTable(schema, name) == nullptr) {
      return Refuse(field,
                    absl::StrCat("table ", name.Quoted(), " does not exist; ", TablesOf(schema),
                                 "; correct the name, or leave it out, as nothing can be dumped of what the "
                                 "plan makes"));
    }
    tables.insert(name.Quoted());
  }
  if (given.empty()) {
    for (const auto& operation : all) {
      const v1::Scope scope = operation->Scope();
      for (const std::string& table : scope.tables()) {
        const auto name = sql::ParseTableName(table);
        if (name.ok() && schema::FindTable(schema, *name) != nullptr) tables.insert(name->Quoted());
      }
    }
    if (tables.empty()) {
      return Refuse("backup.dump",
                    "the plan's operations name no table that exists; give `tables`, or leave the dump out");
    }
    if (std::any_of(plan.operations().begin(), plan.operations().end(),
                    [](const v1::Operation& operation) { return operation.has_sql(); })) {
      warnings->push_back(absl::StrCat("backup.dump: what `sql` changes cannot be told for sure; dumped are ",
                                       absl::StrJoin(tables, ", "), " (`tables` names others)"));
    }
  }
  return std::vector<std::string>(tables.begin(), tables.end());
}

// What may tell that there is no way back comes first, the point to go back to last.
absl::StatusOr<std::vector<v1::Step>> Backups(const v1::Plan& plan, const Operations& all,
                                              const v1::Schema& schema, std::vector<std::string>* warnings) {
  std::vector<v1::Step> steps;
  const v1::BackupPolicy& policy = plan.backup();
  const auto add = [&](std::string title) {
    steps.push_back(NewStep(v1::PHASE_ADD, std::move(title)));
    return steps.back().mutable_action()->mutable_backup();
  };
  if (policy.has_archived_within()) {
    *add(absl::StrCat("check that WAL is archived: the newest segment no longer ago than ",
                      plan::DurationText(policy.archived_within())))
         ->mutable_archive()
         ->mutable_within() = policy.archived_within();
  }
  if (policy.has_dump()) {
    ASSIGN_OR_RETURN(const std::vector<std::string> tables, DumpTables(plan, all, schema, warnings));
    v1::BackupDump* dump =
        add(absl::StrCat("dump ", absl::StrJoin(tables, ", "), " by pg_dump"))->mutable_dump();
    dump->mutable_tables()->Assign(tables.begin(), tables.end());
    for (const std::string& table : tables) Reads(table, &steps.back());
  }
  for (const std::string& command : policy.commands()) {
    add(absl::StrCat("run the agent's backup command ", command))->mutable_command()->set_name(command);
  }
  if (policy.has_restore_point()) add("make a named restore point")->mutable_restore_point();
  return steps;
}

// --- The look before DROP. ---

std::vector<v1::TriggerCheck> TriggersOf(const Stage& stage) {
  std::vector<v1::TriggerCheck> checks;
  for (const v1::Step& step : stage.steps) {
    // What is changed in place in DROP has triggers of its own, which come and go there.
    if (step.phase() != v1::PHASE_DUAL_WRITE || !step.action().has_install_trigger()) continue;
    v1::TriggerCheck& check = checks.emplace_back();
    check.set_table(step.action().install_trigger().table());
    *check.mutable_triggers() = step.action().install_trigger().triggers();
  }
  return checks;
}

// The look at every row of BACKFILL, once more; nothing is filled any more.
v1::RowScan LookOnly(v1::RowScan scan) {
  scan.clear_repair();
  for (v1::RowCheck& check : *scan.mutable_checks()) {
    if (!check.pending()) continue;
    check.set_hint(
        "Something wrote these rows past the triggers (a trigger that was disabled for a while). Write them "
        "once more with the triggers in force (any UPDATE fills them), then resume the rollout.");
  }
  return scan;
}

std::string Bare(const std::string& table) {
  const auto name = sql::ParseTableName(table);
  return name.ok() ? sql::Ident(name->name) : table;
}

// One step for all that is looked at under one search_path, as a rule for everything.
std::vector<v1::Step> LooksBeforeDrop(const Stage& stage, const Verifications& verifications, Answers which) {
  std::vector<v1::Step> steps;
  std::vector<std::vector<std::string>> titles;
  const auto step_for = [&](const std::string& search_path) {
    size_t i = 0;
    while (i < steps.size() && steps[i].action().verify().search_path() != search_path) ++i;
    if (i == steps.size()) {
      titles.emplace_back();
      steps.push_back(NewStep(v1::PHASE_DROP, ""));
      steps.back().set_preflight(true);
      steps.back().mutable_action()->mutable_verify()->set_search_path(search_path);
    }
    return i;
  };
  std::map<std::string, std::vector<std::string>> scanned;  // search_path -> tables
  for (const v1::Step& step : stage.steps) {
    if (step.phase() != v1::PHASE_BACKFILL || step.action().verify().scans().empty()) continue;
    const v1::Verify& verify = step.action().verify();
    v1::Step& look = steps[step_for(verify.search_path())];
    for (const v1::RowScan& scan : verify.scans()) {
      *look.mutable_action()->mutable_verify()->add_scans() = LookOnly(scan);
      Reads(scan.table(), &look);
      scanned[verify.search_path()].push_back(Bare(scan.table()));
    }
  }
  const std::vector<v1::TriggerCheck> triggers = TriggersOf(stage);
  if (!triggers.empty()) {
    const size_t i = steps.empty() ? step_for(kPublicPath) : 0;
    steps[i].mutable_action()->mutable_verify()->mutable_triggers()->Add(triggers.begin(), triggers.end());
    titles[i].push_back(absl::StrCat("the triggers of ",
                                     absl::StrJoin(triggers, ", ", [](std::string* out, const auto& check) {
                                       out->append(Bare(check.table()));
                                     })));
  }
  for (const auto& [search_path, tables] : scanned) {
    titles[step_for(search_path)].push_back(absl::StrCat("every row of ", absl::StrJoin(tables, ", ")));
  }
  const std::vector<std::string> names = verifications.Names(which);
  if (!names.empty()) {
    const size_t i = step_for(kPublicPath);
    verifications.AddTo(which, &steps[i]);
    titles[i].push_back(absl::StrCat(absl::StrJoin(names, ", "), ", as the plan asks"));
  }
  for (size_t i = 0; i < steps.size(); ++i) {
    steps[i].set_title(
        absl::StrCat("verify once more before anything goes: ", absl::StrJoin(titles[i], "; ")));
  }
  return steps;
}

auto FirstAfterLooks(std::vector<v1::Step>& steps) {
  return std::find_if(steps.begin(), steps.end(), [](const v1::Step& step) { return !step.preflight(); });
}

auto FirstOfDrop(std::vector<v1::Step>& steps) {
  return std::find_if(steps.begin(), steps.end(), [](const v1::Step& step) {
    return !step.preflight() && step.phase() == v1::PHASE_DROP;
  });
}

// What is compared has to be seen in whole.
void LookForHiddenRows(const Verifications& verifications, const v1::Schema& schema, Stage* first) {
  operations::StepList looks;
  std::set<std::string> tables;
  for (const Measured& m : verifications.measured()) {
    const auto name = sql::ParseTableName(m.table);
    if (!name.ok() || !tables.insert(m.table).second) continue;
    operations::AppendSeesAllRowsPreflight(*schema::FindTable(schema, *name), &looks);
  }
  if (looks.steps().empty()) return;
  first->steps.insert(FirstAfterLooks(first->steps), looks.steps().begin(), looks.steps().end());
  first->steps = MergeLooks(std::move(first->steps));
}

}  // namespace

absl::Status AddSafety(const v1::Plan& plan, const Operations& all, const std::vector<int>& first_of,
                       const v1::Schema& schema, std::vector<Stage>* stages) {
  Analysis analysis;
  if (plan.verify_size() > 0) {
    Blame blame;
    ASSIGN_OR_RETURN(analysis, Analyse(all, 0, plan.operations_size(), schema, &blame));
  }
  Stage& first = stages->front();
  Verifications verifications(plan, all, analysis.before, first_of);
  RETURN_IF_ERROR(verifications.Read(&first.warnings));
  LookForHiddenRows(verifications, schema, &first);
  ASSIGN_OR_RETURN(std::vector<v1::Step> begin, Backups(plan, all, schema, &first.warnings));
  if (!verifications.measured().empty()) begin.push_back(verifications.MeasureStep());
  first.steps.insert(FirstAfterLooks(first.steps), begin.begin(), begin.end());
  for (Stage& stage : *stages) {
    const bool is_last = &stage == &stages->back();
    std::vector<v1::Step> steps;
    if (is_last && plan.verify_size() > 0) steps.push_back(verifications.VerifyStep());
    const auto drop = FirstOfDrop(stage.steps);
    if (drop != stage.steps.end()) {
      const std::vector<v1::Step> looks =
          LooksBeforeDrop(stage, verifications, is_last ? Answers::kAll : Answers::kMeasuredOnly);
      steps.insert(steps.end(), looks.begin(), looks.end());
    }
    stage.steps.insert(drop, steps.begin(), steps.end());
  }
  return absl::OkStatus();
}

v1::Step TriggersFire(const Stage& stage) {
  const std::vector<v1::TriggerCheck> triggers = TriggersOf(stage);
  v1::Step step;
  if (triggers.empty()) return step;
  step = NewStep(v1::PHASE_DROP, "check that the triggers fire still, after the wait");
  step.set_preflight(true);
  v1::Verify* verify = step.mutable_action()->mutable_verify();
  verify->set_search_path(kPublicPath);
  verify->mutable_triggers()->Add(triggers.begin(), triggers.end());
  return step;
}

std::vector<std::string> SafetyTables(const v1::Plan& plan) {
  std::vector<std::string> tables(plan.backup().dump().tables().begin(), plan.backup().dump().tables().end());
  for (const v1::Verification& verification : plan.verify()) {
    if (verification.has_row_count()) tables.push_back(verification.row_count().table());
    if (verification.has_checksum()) tables.push_back(verification.checksum().table());
  }
  return tables;
}

}  // namespace curlew::compiler
