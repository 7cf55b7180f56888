#include "common/compiler/compiler.h"

#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/compiler/safety.h"
#include "common/compiler/stage.h"
#include "common/operations/operation.h"
#include "common/plan/plan_reader.h"
#include "common/plan/settings.h"
#include "common/schema/schema.h"

namespace curlew::compiler {
namespace {

using operations::Operation;

absl::Status BlameFor(const Blame& blame, const v1::Plan& plan) {
  const std::string name = OperationName(plan, blame.operation);
  return base::WithDetail(base::Annotate(blame.status, name), base::kField, name);
}

// All operations of the plan, made.
absl::StatusOr<std::vector<std::unique_ptr<Operation>>> MakeAll(const v1::Plan& plan) {
  if (plan.operations().empty()) return absl::InvalidArgumentError("the plan has no operations");
  std::vector<std::unique_ptr<Operation>> all;
  for (int i = 0; i < plan.operations_size(); ++i) {
    auto operation = operations::MakeOperation(plan.operations(i));
    if (!operation.ok()) return BlameFor({operation.status(), i}, plan);
    all.push_back(*std::move(operation));
  }
  return all;
}

v1::Step WaitUntilUnused(const std::vector<v1::ShapeUse>& uses, const std::vector<std::string>& counters,
                         const v1::PlanSettings& settings, absl::string_view shape) {
  v1::Step step;
  step.set_title(absl::StrCat("wait until no session uses the ", shape, " shape"));
  v1::ShapeUnused* unused = step.mutable_action()->mutable_wait()->mutable_shape_unused();
  unused->mutable_uses()->Assign(uses.begin(), uses.end());
  unused->mutable_counters()->Assign(counters.begin(), counters.end());
  *unused->mutable_quiet() = settings.unused_for();
  unused->set_shape(std::string(shape));
  return step;
}

absl::string_view PhaseName(v1::Phase phase) {
  switch (phase) {
    case v1::PHASE_ADD:
      return "add";
    case v1::PHASE_DUAL_WRITE:
      return "dual-write";
    case v1::PHASE_BACKFILL:
      return "backfill";
    case v1::PHASE_CONSTRAIN:
      return "constrain";
    case v1::PHASE_DROP:
      return "drop";
    case v1::PHASE_UNSPECIFIED:
    default:
      return "none";
  }
}

// What the keys of such steps begin with.
absl::string_view KeyOf(const v1::Step& step) {
  const v1::Action& action = step.action();
  if (action.has_backup()) return "backup";
  if (action.has_measure()) return "measure";
  if (step.preflight()) return step.phase() == v1::PHASE_DROP ? "drop-verify" : "preflight";
  const bool asked = !action.verify().expectations().empty() || !action.verify().unchanged().empty();
  return asked ? "verify" : PhaseName(step.phase());
}

// The gate of DROP: nobody uses the old shape any more, and the triggers have not been lost meanwhile.
void AddWaitBeforeDrop(const v1::PlanSettings& settings, Stage* stage) {
  if (stage->old_shape.empty()) return;
  std::vector<v1::Step> steps = {WaitUntilUnused(stage->old_shape, stage->old_counters, settings, "old")};
  steps.back().set_phase(v1::PHASE_DROP);
  if (v1::Step triggers = TriggersFire(*stage); triggers.has_action()) steps.push_back(std::move(triggers));
  const auto drop = std::find_if(stage->steps.begin(), stage->steps.end(), [](const v1::Step& step) {
    return !step.preflight() && step.phase() == v1::PHASE_DROP;
  });
  stage->steps.insert(drop, steps.begin(), steps.end());
}

}  // namespace

absl::StatusOr<v1::CompiledPlan> Compile(const v1::Plan& plan, const v1::Schema& schema) {
  ASSIGN_OR_RETURN(const std::vector<std::unique_ptr<Operation>> all, MakeAll(plan));
  v1::CompiledPlan compiled;
  compiled.set_plan_name(plan.name());
  compiled.set_plan_digest(plan::Digest(plan));
  compiled.set_schema_fingerprint(schema::Fingerprint(schema));
  compiled.set_compiler_version(kCompilerVersion);
  *compiled.mutable_settings() = plan::DefaultedSettings(plan.settings());

  std::vector<Stage> stages;
  std::vector<int> first_of;
  v1::Schema now = schema;
  for (int first = 0, end = 0; first < plan.operations_size(); first = end) {
    // As many operations as can go together.
    end = plan.operations_size();
    while (true) {
      Blame blame;
      absl::StatusOr<Stage> stage = CompileStage(plan, all, first, end, now, compiled.settings(), &blame);
      if (stage.ok()) {
        now = stage->after;
        stages.push_back(*std::move(stage));
        first_of.push_back(first);
        break;
      }
      if (!operations::IsNeedsLaterStage(blame.status) || blame.operation == first) {
        return BlameFor(blame, plan);
      }
      end = blame.operation;
    }
  }

  RETURN_IF_ERROR(AddSafety(plan, all, first_of, schema, &stages));

  std::map<std::string, int> numbers;
  for (size_t i = 0; i < stages.size(); ++i) {
    Stage& stage = stages[i];
    AddWaitBeforeDrop(compiled.settings(), &stage);
    for (v1::Step& step : stage.steps) {
      const std::string prefix =
          absl::StrCat(stages.size() > 1 ? absl::StrCat("stage-", i + 1, "-") : "", KeyOf(step));
      step.set_key(absl::StrCat(prefix, "-", ++numbers[prefix]));
      step.set_stage(i);
      *compiled.add_steps() = std::move(step);
    }
    for (const std::string& warning : stage.warnings) {
      const auto& known = compiled.warnings();
      if (std::find(known.begin(), known.end(), warning) == known.end()) compiled.add_warnings(warning);
    }
    compiled.mutable_old_shape()->Add(stage.old_shape.begin(), stage.old_shape.end());
  }
  if (stages.size() > 1) {
    compiled.add_warnings(absl::StrCat("the plan has ", stages.size(),
                                       " stages, because operations need what the DROP of earlier ones "
                                       "provides: after the first stage's DROP "
                                       "there is no way back for the whole plan"));
  }
  // A rollback can only begin before the first DROP, so that only the first stage's new shape counts.
  compiled.mutable_new_shape()->Add(stages[0].new_shape.begin(), stages[0].new_shape.end());
  if (!compiled.new_shape().empty()) {
    *compiled.mutable_rollback_gate() =
        WaitUntilUnused(stages[0].new_shape, stages[0].new_counters, compiled.settings(), "new");
    compiled.mutable_rollback_gate()->set_key("rollback-gate");
    compiled.mutable_rollback_gate()->set_phase(v1::PHASE_ADD);
  }
  return compiled;
}

absl::StatusOr<v1::Schema> Apply(const v1::Plan& plan, const v1::Schema& schema) {
  ASSIGN_OR_RETURN(const std::vector<std::unique_ptr<Operation>> all, MakeAll(plan));
  Blame blame;
  absl::StatusOr<Analysis> analysis = Analyse(all, 0, plan.operations_size(), schema, &blame);
  if (!analysis.ok()) return BlameFor(blame, plan);
  return std::move(analysis->before.back());
}

v1::Scope ScopeOf(const v1::Plan& plan) {
  v1::Scope scope;
  auto add = [](const google::protobuf::RepeatedPtrField<std::string>& names,
                google::protobuf::RepeatedPtrField<std::string>* to) {
    for (const std::string& name : names) {
      if (std::find(to->begin(), to->end(), name) == to->end()) *to->Add() = name;
    }
  };
  for (const v1::Operation& proto : plan.operations()) {
    const auto operation = operations::MakeOperation(proto);
    if (!operation.ok()) continue;
    const v1::Scope own = (*operation)->Scope();
    add(own.tables(), scope.mutable_tables());
    add(own.views(), scope.mutable_views());
    add(own.functions(), scope.mutable_functions());
    add(own.types(), scope.mutable_types());
    add(own.sequences(), scope.mutable_sequences());
    add(own.extensions(), scope.mutable_extensions());
  }
  // A scope that names nothing holds all tables.
  if (scope.ByteSizeLong() == 0) return scope;
  for (const std::string& table : SafetyTables(plan)) {
    const auto& known = scope.tables();
    if (std::find(known.begin(), known.end(), table) == known.end()) scope.add_tables(table);
  }
  return scope;
}

std::string Digest(const v1::CompiledPlan& compiled) { return base::CanonicalDigest(compiled); }

std::string StepsDigest(const v1::CompiledPlan& compiled) {
  v1::CompiledPlan executed = compiled;
  executed.clear_schema_fingerprint();
  executed.clear_warnings();
  return base::CanonicalDigest(executed);
}

std::vector<std::string> DiffSteps(const v1::CompiledPlan& proved, const v1::CompiledPlan& other) {
  std::map<std::string, const v1::Step*> expected, found;
  for (const v1::Step& step : proved.steps())
    expected[absl::StrCat(PhaseName(step.phase()), ": ", step.title())] = &step;
  for (const v1::Step& step : other.steps())
    found[absl::StrCat(PhaseName(step.phase()), ": ", step.title())] = &step;
  std::vector<std::string> lines;
  for (const auto& [title, step] : expected) {
    auto same = found.find(title);
    if (same == found.end()) {
      lines.push_back(absl::StrCat("only proved before: ", title));
      continue;
    }
    const std::string a = base::CanonicalJson(step->action()),
                      b = base::CanonicalJson(same->second->action());
    if (a != b) lines.push_back(absl::StrCat("differs: ", title, ": proved ", a, ", here ", b));
  }
  for (const auto& [title, step] : found) {
    if (expected.count(title) == 0) lines.push_back(absl::StrCat("only here: ", title));
  }
  if (lines.empty() && StepsDigest(proved) != StepsDigest(other)) {
    lines.push_back("the order of the steps, their undo or their settings differ");
  }
  return lines;
}

}  // namespace curlew::compiler
