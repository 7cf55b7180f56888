#include "common/compiler/compiler.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/operations/operation.h"
#include "common/plan/plan_reader.h"
#include "common/plan/settings.h"
#include "common/schema/schema.h"

namespace curlew::compiler {
namespace {

using operations::AddedColumn;
using operations::CompileContext;
using operations::Operation;
using operations::StepList;

// What a plan's operations make of a schema, one after the other.
struct Analysis {
  std::vector<std::unique_ptr<Operation>> operations;
  std::vector<v1::Schema> before;  // before[i] is what operation i sees; the last one is the end
  std::vector<AddedColumn> added;
};

std::string OperationName(const v1::Plan& plan, int index) {
  const v1::Operation& proto = plan.operations(index);
  const auto* oneof = v1::Operation::descriptor()->oneof_decl(0);
  const auto* field = proto.GetReflection()->GetOneofFieldDescriptor(proto, oneof);
  return absl::StrCat("operations[", index, "]", field == nullptr ? "" : absl::StrCat(".", field->name()));
}

absl::Status Blame(const absl::Status& status, const v1::Plan& plan, int index) {
  const std::string name = OperationName(plan, index);
  return base::WithDetail(base::Annotate(status, name), base::kField, name);
}

absl::StatusOr<Analysis> Analyse(const v1::Plan& plan, const v1::Schema& schema) {
  if (plan.operations().empty()) return absl::InvalidArgumentError("the plan has no operations");
  Analysis analysis;
  analysis.before.push_back(schema);
  for (int i = 0; i < plan.operations_size(); ++i) {
    auto operation = operations::MakeOperation(plan.operations(i));
    if (!operation.ok()) return Blame(operation.status(), plan, i);
    v1::Schema next = analysis.before.back();
    if (absl::Status s = (*operation)->Apply(&next); !s.ok()) return Blame(s, plan, i);
    auto added = (*operation)->Adds(analysis.before.back());
    if (!added.ok()) return Blame(added.status(), plan, i);
    analysis.added.insert(analysis.added.end(), added->begin(), added->end());
    analysis.operations.push_back(*std::move(operation));
    analysis.before.push_back(std::move(next));
  }
  return analysis;
}

void SetUses(const std::vector<StepList::Use>& uses, google::protobuf::RepeatedPtrField<v1::ShapeUse>* out) {
  for (const StepList::Use& use : uses) {
    v1::ShapeUse* shape = out->Add();
    shape->set_table(use.table.Quoted());
    shape->set_column(use.column);
  }
}

v1::Step WaitUntilUnused(const google::protobuf::RepeatedPtrField<v1::ShapeUse>& uses,
                         absl::string_view shape) {
  v1::Step step;
  step.set_title(absl::StrCat("wait until no session uses the ", shape, " shape"));
  v1::ShapeUnused* unused = step.mutable_action()->mutable_wait()->mutable_shape_unused();
  *unused->mutable_uses() = uses;
  *unused->mutable_quiet() = base::ToProto(absl::Seconds(2));
  unused->set_shape(std::string(shape));
  return step;
}

// Looks at one table become one step: all that is wrong with its data is then reported together, of one
// moment.
void MergeLooks(std::vector<v1::Step>* steps) {
  std::map<std::string, size_t> looks;  // by table
  std::vector<v1::Step> merged;
  for (v1::Step& step : *steps) {
    if (step.preflight() && step.action().has_verify() && step.locks_size() == 1) {
      const auto [known, is_new] = looks.emplace(step.locks(0).table(), merged.size());
      if (!is_new) {
        merged[known->second].mutable_action()->mutable_verify()->mutable_checks()->MergeFrom(
            step.action().verify().checks());
        merged[known->second].set_title(
            absl::StrCat("check the rows of ", step.locks(0).table(), " before anything changes"));
        continue;
      }
    }
    merged.push_back(std::move(step));
  }
  *steps = std::move(merged);
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

}  // namespace

absl::StatusOr<v1::CompiledPlan> Compile(const v1::Plan& plan, const v1::Schema& schema) {
  ASSIGN_OR_RETURN(Analysis analysis, Analyse(plan, schema));
  v1::CompiledPlan compiled;
  compiled.set_plan_name(plan.name());
  compiled.set_plan_digest(plan::Digest(plan));
  compiled.set_schema_fingerprint(schema::Fingerprint(schema));
  compiled.set_compiler_version(kCompilerVersion);
  *compiled.mutable_settings() = plan::DefaultedSettings(plan.settings());

  std::vector<v1::Step> steps;
  std::vector<StepList::Use> old_shape, new_shape;
  for (int i = 0; i < plan.operations_size(); ++i) {
    const CompileContext context{.now = schema,
                                 .before = analysis.before[i],
                                 .after = analysis.before.back(),
                                 .settings = compiled.settings(),
                                 .added = analysis.added};
    StepList list;
    if (absl::Status s = analysis.operations[i]->Compile(context, &list); !s.ok()) return Blame(s, plan, i);
    for (v1::Step& step : list.steps()) {
      step.set_operation_index(i);
      if (step.action().has_backfill()) {
        *step.mutable_action()->mutable_backfill()->mutable_batch_target() =
            compiled.settings().backfill_batch_target();
      }
      steps.push_back(std::move(step));
    }
    for (const std::string& warning : list.warnings()) {
      const auto& known = compiled.warnings();
      if (std::find(known.begin(), known.end(), warning) == known.end()) compiled.add_warnings(warning);
    }
    old_shape.insert(old_shape.end(), list.old_shape().begin(), list.old_shape().end());
    new_shape.insert(new_shape.end(), list.new_shape().begin(), list.new_shape().end());
  }
  SetUses(old_shape, compiled.mutable_old_shape());
  SetUses(new_shape, compiled.mutable_new_shape());
  if (!compiled.old_shape().empty()) {
    v1::Step wait = WaitUntilUnused(compiled.old_shape(), "old");
    wait.set_phase(v1::PHASE_DROP);
    steps.insert(steps.begin(), std::move(wait));
  }
  if (!compiled.new_shape().empty()) {
    *compiled.mutable_rollback_gate() = WaitUntilUnused(compiled.new_shape(), "new");
    compiled.mutable_rollback_gate()->set_key("rollback-gate");
    compiled.mutable_rollback_gate()->set_phase(v1::PHASE_ADD);
  }
  // Looks come first; then phases in order, and within a phase the order of the plan.
  std::stable_sort(steps.begin(), steps.end(), [](const v1::Step& a, const v1::Step& b) {
    return std::make_pair(!a.preflight(), a.phase()) < std::make_pair(!b.preflight(), b.phase());
  });
  MergeLooks(&steps);
  std::map<std::string, int> numbers;
  for (v1::Step& step : steps) {
    const std::string prefix = step.preflight() ? "preflight" : std::string(PhaseName(step.phase()));
    step.set_key(absl::StrCat(prefix, "-", ++numbers[prefix]));
    *compiled.add_steps() = std::move(step);
  }
  return compiled;
}

absl::StatusOr<v1::Schema> Apply(const v1::Plan& plan, const v1::Schema& schema) {
  ASSIGN_OR_RETURN(Analysis analysis, Analyse(plan, schema));
  return std::move(analysis.before.back());
}

std::vector<std::string> TouchedTables(const v1::Plan& plan) {
  std::vector<std::string> tables;
  for (const v1::Operation& proto : plan.operations()) {
    auto operation = operations::MakeOperation(proto);
    if (!operation.ok()) continue;
    for (const std::string& table : (*operation)->Tables()) {
      if (std::find(tables.begin(), tables.end(), table) == tables.end()) tables.push_back(table);
    }
  }
  return tables;
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
