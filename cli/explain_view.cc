#include "cli/explain_view.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/names.h"
#include "cli/sql_view.h"
#include "cli/table.h"

namespace curlew::cli {
namespace {

constexpr int kWidth = 100;
constexpr int kIndent = 6;
constexpr int kLabel = 8;

absl::string_view PhaseMeaning(v1::Phase phase) {
  switch (phase) {
    case v1::PHASE_ADD:
      return "new objects appear; nothing that exists changes meaning";
    case v1::PHASE_DUAL_WRITE:
      return "triggers keep old and new in step";
    case v1::PHASE_BACKFILL:
      return "rows that were there before are filled in small batches";
    case v1::PHASE_CONSTRAIN:
      return "data is verified; indexes and constraints come into force";
    case v1::PHASE_DROP:
      return "the old shape goes, after its gate; there is no way back";
    default:
      return "";
  }
}

// One fact: a label, and lines beside it.
void AppendFact(absl::string_view label, const std::vector<std::string>& lines, const Style& style,
                std::string& out) {
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string head =
        i == 0 ? Paint(PadRight(label, kLabel), Tone::kFaint, style) : std::string(kLabel, ' ');
    absl::StrAppend(
        &out, lines[i].empty() && i > 0 ? "" : absl::StrCat(std::string(kIndent, ' '), head, lines[i]), "\n");
  }
}

std::vector<std::string> SqlLines(const v1::Action& action) {
  std::vector<std::string> lines;
  for (const std::string& statement : ActionSql(action)) {
    for (std::string& line : WrapSql(Printable(statement, LineEnds::kKeep), kWidth - kIndent - kLabel)) {
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

std::vector<std::string> LockLines(const v1::Step& step) {
  std::vector<std::string> lines;
  for (const v1::TableLock& lock : step.locks()) {
    const absl::string_view blocks = LockBlocks(lock.mode());
    const std::string text = absl::StrCat(Printable(lock.table()), ": ", LockName(lock.mode()),
                                          blocks.empty() ? "" : ", ", blocks);
    for (std::string& line : Wrap(text, kWidth - kIndent - kLabel)) lines.push_back(std::move(line));
  }
  if (lines.empty()) lines.push_back("none on tables that exist");
  return lines;
}

std::string Cost(const v1::Step& step) {
  if (step.rewrites()) return "rewrites the table";
  return step.scans() ? "reads the whole table, under a lock that blocks no write"
                      : "neither scans nor rewrites";
}

bool ChangesWhatIsThere(const v1::Action& action) {
  switch (action.kind_case()) {
    case v1::Action::kWait:
    case v1::Action::kVerify:
    case v1::Action::kAnalyze:
    case v1::Action::kBackup:
    case v1::Action::kMeasure:
      return false;
    case v1::Action::kExecuteSql:
    case v1::Action::kExecuteSqlConcurrently:
    case v1::Action::kInstallTrigger:
    case v1::Action::kBackfill:
    case v1::Action::kValidateConstraint:
    case v1::Action::kTransformRows:
    case v1::Action::KIND_NOT_SET:
      break;
  }
  return true;
}

std::vector<std::string> UndoLines(const v1::Step& step) {
  if (step.has_undo()) return SqlLines(step.undo());
  if (step.phase() == v1::PHASE_DROP && !step.preflight() && ChangesWhatIsThere(step.action())) {
    return {"none: this cannot be undone"};
  }
  return {"nothing needs to be undone"};
}

std::string StrongestLock(const v1::Step& step) {
  absl::string_view strongest;
  for (const v1::TableLock& lock : step.locks()) {
    if (LockRank(lock.mode()) > LockRank(strongest)) strongest = lock.mode();
  }
  return strongest.empty() ? "-" : LockName(strongest);
}

void AppendStep(int number, const v1::Step& step, const Style& style, std::string& out) {
  const std::string head = absl::StrCat(PadLeft(absl::StrCat(number), 4), "  ");
  std::string title = absl::StrCat(Printable(step.key()), ": ", Printable(step.title()));
  if (step.preflight()) absl::StrAppend(&title, " (only looks)");
  bool first = true;
  for (const std::string& line : Wrap(title, kWidth - kIndent)) {
    absl::StrAppend(&out, first ? head : std::string(kIndent, ' '), Paint(line, Tone::kStrong, style), "\n");
    first = false;
  }
  AppendFact("does", SqlLines(step.action()), style, out);
  AppendFact("locks", LockLines(step), style, out);
  AppendFact("cost", {Cost(step)}, style, out);
  AppendFact("undo", UndoLines(step), style, out);
  out += '\n';
}

}  // namespace

std::string StepsTable(const v1::CompiledPlan& plan, const Style& style) {
  Table table({"STEP", "STRONGEST LOCK", "COST", "UNDO", "WHAT"});
  for (const v1::Step& step : plan.steps()) {
    table.AddRow({Printable(step.key()), StrongestLock(step),
                  step.rewrites() ? "rewrites"
                  : step.scans()  ? "scans"
                                  : "-",
                  step.has_undo() ? "yes" : "-", Printable(step.title())});
  }
  return table.Render(style, kWidth, 2);
}

std::string RenderExplain(const v1::CompilePlanResponse& compiled, const std::string& against,
                          const Style& style) {
  const v1::CompiledPlan& plan = compiled.compiled_plan();
  std::string out = absl::StrCat("Plan ", Paint(Printable(plan.plan_name()), Tone::kStrong, style), ": ",
                                 plan.steps_size(), " steps, compiled against ", Printable(against), "\n");
  absl::StrAppend(&out, "  plan      ", plan.plan_digest(), "\n  compiled  ", compiled.digest(),
                  "\n  schema    ", plan.schema_fingerprint(), "\n\n", StepsTable(plan, style), "\n");
  v1::Phase phase = v1::PHASE_UNSPECIFIED;
  const int stages = plan.steps().empty() ? 0 : plan.steps(plan.steps_size() - 1).stage() + 1;
  int stage = -1;
  for (int i = 0; i < plan.steps_size(); ++i) {
    const v1::Step& step = plan.steps(i);
    if (stages > 1 && step.stage() != stage) {
      absl::StrAppend(&out,
                      Paint(absl::StrCat("Stage ", step.stage() + 1, " of ", stages), Tone::kStrong, style),
                      "\n\n");
      phase = v1::PHASE_UNSPECIFIED;
    }
    stage = step.stage();
    if (step.phase() != phase) {
      phase = step.phase();
      absl::StrAppend(&out, Paint(Word(phase), Tone::kStrong, style), ": ", PhaseMeaning(phase), "\n\n");
    }
    AppendStep(i + 1, step, style, out);
  }
  if (plan.has_rollback_gate()) {
    absl::StrAppend(&out, Paint("Before a rollback", Tone::kStrong, style), "\n\n");
    for (const std::string& line : Wrap(Printable(plan.rollback_gate().title()), kWidth - kIndent)) {
      absl::StrAppend(&out, std::string(kIndent, ' '), line, "\n");
    }
    AppendFact("does", SqlLines(plan.rollback_gate().action()), style, out);
    out += '\n';
  }
  if (plan.warnings().empty()) {
    absl::StrAppend(&out, "No warnings.\n");
    return out;
  }
  absl::StrAppend(&out, Paint(absl::StrCat("Warnings (", plan.warnings_size(), ")"), Tone::kBusy, style),
                  "\n");
  for (const std::string& warning : plan.warnings()) {
    bool first = true;
    for (const std::string& line : Wrap(Printable(warning), kWidth - 4)) {
      absl::StrAppend(&out, first ? "  * " : "    ", line, "\n");
      first = false;
    }
  }
  return out;
}

}  // namespace curlew::cli
