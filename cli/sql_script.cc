#include "cli/sql_script.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/names.h"
#include "cli/sql_script_actions.h"
#include "cli/text.h"
#include "common/compiler/compiler.h"

namespace curlew::cli {
namespace {

constexpr int kWidth = 100;
constexpr char kRule[] =
    "-- --------------------------------------------------------------------------------------------\n";

// Lines of a comment.
std::string Comment(absl::string_view text, absl::string_view head = "-- ",
                    absl::string_view next_head = "") {
  std::string out;
  const int width = kWidth - static_cast<int>(head.size());
  bool first = true;
  for (const std::string& line : Wrap(Printable(text), width)) {
    absl::StrAppend(&out, first || next_head.empty() ? head : next_head, line, "\n");
    first = false;
  }
  return out;
}

// A line that psql prints.
std::string Echo(absl::string_view text) {
  return absl::StrCat("\\echo '", absl::StrReplaceAll(Printable(text), {{"\\", "\\\\"}, {"'", "''"}}), "'\n");
}

// Steps that go together: up to DROP, or DROP, of one stage.
struct Part {
  int stage = 0;
  bool drops = false;
  std::vector<const v1::Step*> steps;
};

std::vector<Part> PartsOf(const v1::CompiledPlan& compiled) {
  std::vector<Part> parts;
  for (const v1::Step& step : compiled.steps()) {
    const bool drops = step.phase() == v1::PHASE_DROP;
    if (parts.empty() || parts.back().stage != step.stage() || parts.back().drops != drops) {
      parts.push_back({.stage = step.stage(), .drops = drops});
    }
    parts.back().steps.push_back(&step);
  }
  return parts;
}

std::string PartTitle(const Part& part, int stages) {
  return absl::StrCat(stages > 1 ? absl::StrCat("stage ", part.stage + 1, ": ") : "",
                      part.drops ? "DROP: the old shape goes; there is no way back"
                                 : "up to DROP; nothing that applications use now is taken away");
}

class Writer {
 public:
  Writer(const v1::CompiledPlan& compiled, const std::string& against)
      : compiled_(compiled), against_(against), digest_(compiler::StepsDigest(compiled)) {
    context_.settings = compiled.settings();
    context_.id = digest_.substr(0, 12);
    context_.plan = compiled.plan_name();
  }

  std::string Do() {
    const std::vector<Part> parts = PartsOf(compiled_);
    const int stages = parts.empty() ? 0 : parts.back().stage + 1;
    Header("SQL of plan ");
    out_ += "--\n-- Parts, one for each run of this script:\n";
    for (size_t i = 0; i < parts.size(); ++i) {
      const std::string how =
          i == 0 ? "psql -X -f FILE" : absl::StrCat("psql -X -v curlew_part=", i + 1, " -f FILE");
      out_ += Comment(absl::StrCat(PartTitle(parts[i], stages), ": ", how),
                      absl::StrCat("--   ", i + 1, "  "), "--      ");
    }
    ByHandList();
    out_ += "\n\\set ON_ERROR_STOP on\n";
    if (parts.size() > 1) ChoosePart(parts.size());
    Schema();
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts.size() > 1) absl::StrAppend(&out_, "\n\\if :curlew_is_", i + 1, "\n");
      WritePart(parts[i], absl::StrCat("Part ", i + 1, ", ", PartTitle(parts[i], stages)));
      const bool last = i + 1 == parts.size();
      if (last) Cleanup();
      out_ += "\n";
      out_ += last ? Echo("Done.")
                   : Echo(absl::StrCat("Done up to here. Next, when ",
                                       parts[i].drops ? "the next stage may begin"
                                                      : "no application uses the old shape any more",
                                       ": psql -X -v curlew_part=", i + 2, " -f FILE"));
      if (parts.size() > 1) out_ += "\\endif\n";
    }
    return std::move(out_);
  }

  std::string Undo() {
    Header("Undo of plan ");
    out_ += Comment(
        "Undoes all that the script does before its first DROP, the last step first; what was "
        "dropped does not come back. Applications must not use the new shape any more.");
    out_ += "\n\\set ON_ERROR_STOP on\n";
    Schema();
    if (compiled_.has_rollback_gate()) {
      absl::StrAppend(&out_, "\n", kRule, Comment(absl::StrCat("First: ", compiled_.rollback_gate().title())),
                      ScriptAction(compiled_.rollback_gate().action(), context_));
    }
    for (int i = compiled_.steps_size() - 1; i >= 0; --i) {
      const v1::Step& step = compiled_.steps(i);
      if (step.stage() > 0 || step.phase() == v1::PHASE_DROP || !step.has_undo()) continue;
      context_.step = step.key();
      absl::StrAppend(&out_, "\n", kRule, Comment(absl::StrCat("Undo of ", step.key(), ": ", step.title())),
                      Echo(absl::StrCat("undo of ", step.key())), ScriptAction(step.undo(), context_));
    }
    Cleanup();
    out_ += "\n" + Echo("Undone.");
    return std::move(out_);
  }

 private:
  void Header(absl::string_view what) {
    out_ += Comment(absl::StrCat(what, compiled_.plan_name(), ", compiled against ", against_));
    absl::StrAppend(&out_, "--   plan      ", compiled_.plan_digest(), "\n--   steps     ", digest_,
                    "\n--   compiler  ", Printable(compiled_.compiler_version()), "\n--\n");
    out_ += Comment(
        "For psql 11 or later, not for a pool of connections that changes sessions between transactions. It "
        "stops at the first error. A step that failed on a lock time-out (SQLSTATE 55P03) has done nothing: "
        "run the rest of the script again from that step on. Curlew itself tries it again, keeps a journal "
        "of "
        "what is done, lets walks yield to the application, and sees which sessions still use the old shape; "
        "this script does not.");
  }

  void ByHandList() {
    std::string list;
    for (const v1::Step& step : compiled_.steps()) {
      if (const std::string text = ByHand(step.action()); !text.empty()) {
        list += Comment(absl::StrCat(step.key(), ": ", text), "--   ", "--     ");
      }
    }
    if (!list.empty()) absl::StrAppend(&out_, "--\n-- By hand, where the script comes to it:\n", list);
  }

  // Sets curlew_is_1 and so on; another number is an error.
  void ChoosePart(size_t count) {
    out_ += "\\if :{?curlew_part}\n\\else\n  \\set curlew_part 1\n\\endif\nSELECT ";
    std::vector<std::string> numbers;
    for (size_t i = 1; i <= count; ++i) {
      numbers.push_back(absl::StrCat("'", i, "'"));
      absl::StrAppend(&out_, ":'curlew_part' = '", i, "' AS curlew_is_", i, ", ");
    }
    absl::StrAppend(&out_, ":'curlew_part' NOT IN (", absl::StrJoin(numbers, ", "),
                    ") AS curlew_is_none \\gset\n\\if :curlew_is_none\n",
                    DoBlock("BEGIN RAISE EXCEPTION 'the script has no such part'; END"), "\\endif\n");
  }

  // The schema of the plan's functions, and the notes.
  void Schema() {
    const auto& steps = compiled_.steps();
    notes_ =
        std::any_of(steps.begin(), steps.end(), [](const v1::Step& s) { return NeedsNotes(s.action()); });
    if (notes_ || absl::StrContains(compiled_.SerializeAsString(), "curlew.")) {
      out_ += "CREATE SCHEMA IF NOT EXISTS curlew;\n";
      schema_ = true;
    }
    if (notes_) out_ += "CREATE TABLE IF NOT EXISTS curlew.script (key text PRIMARY KEY, value text);\n";
  }

  void WritePart(const Part& part, const std::string& title) {
    absl::StrAppend(&out_, "\n", kRule, Comment(title), kRule);
    v1::Phase phase = v1::PHASE_UNSPECIFIED;
    for (const v1::Step* step : part.steps) {
      if (step->phase() != phase) {
        phase = step->phase();
        absl::StrAppend(&out_, "\n", kRule, "-- Phase ", Word(phase), "\n", kRule);
      }
      WriteStep(*step);
    }
  }

  void WriteStep(const v1::Step& step) {
    context_.step = step.key();
    absl::StrAppend(&out_, "\n", Comment(absl::StrCat(step.key(), ": ", step.title())));
    for (const v1::TableLock& lock : step.locks()) {
      const absl::string_view blocks = LockBlocks(lock.mode());
      out_ += Comment(absl::StrCat("lock on ", lock.table(), ": ", LockName(lock.mode()),
                                   blocks.empty() ? "" : ", ", blocks),
                      "--   ", "--     ");
    }
    if (step.rewrites()) out_ += "--   rewrites the table\n";
    if (step.scans()) out_ += "--   reads the whole table, under a lock that blocks no write\n";
    absl::StrAppend(&out_, Echo(absl::StrCat(step.key(), ": ", step.title())),
                    ScriptAction(step.action(), context_));
  }

  void Cleanup() {
    if (notes_) out_ += "\nDROP TABLE IF EXISTS curlew.script;\n";
    if (!schema_) return;
    absl::StrAppend(&out_, notes_ ? "" : "\n", "-- Only where nothing else is in it.\n",
                    DoBlock("BEGIN\n"
                            "  DROP SCHEMA curlew;\n"
                            "EXCEPTION WHEN dependent_objects_still_exist THEN NULL;\n"
                            "END"));
  }

  const v1::CompiledPlan& compiled_;
  const std::string& against_;
  const std::string digest_;
  ScriptContext context_;
  std::string out_;
  bool notes_ = false;
  bool schema_ = false;
};

}  // namespace

std::string SqlScript(const v1::CompiledPlan& compiled, const std::string& against,
                      ScriptDirection direction) {
  Writer writer(compiled, against);
  return direction == ScriptDirection::kDo ? writer.Do() : writer.Undo();
}

}  // namespace curlew::cli
