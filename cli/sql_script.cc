#include "cli/sql_script.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/names.h"
#include "cli/sql_script_actions.h"
#include "cli/text.h"
#include "common/compiler/compiler.h"
#include "common/sql/identifier.h"

namespace curlew::cli {
namespace {

using sql::Literal;

constexpr int kWidth = 100;
constexpr char kSayBackup[] = "; then say so: psql -v curlew_backup_done=1";
// Before every step: what is cut off, and run by itself, stops as well.
constexpr char kStop[] = "\\set ON_ERROR_STOP on\n";
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

// Raises an error.
std::string Raise(absl::string_view message, absl::string_view hint) {
  return absl::StrCat("    RAISE EXCEPTION USING MESSAGE = ", Literal(message),
                      ",\n      HINT = ", Literal(hint), ";\n");
}

bool IsBackupByHand(const v1::Step& step) {
  return step.action().has_backup() && !ByHand(step.action()).empty();
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
    absl::StrAppend(&out_, "\n", kStop);
    if (parts.size() > 1) ChoosePart(parts.size());
    Begin();
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts.size() > 1) absl::StrAppend(&out_, "\n\\if :curlew_is_", i + 1, "\n");
      WritePart(parts[i], i + 1, absl::StrCat("Part ", i + 1, ", ", PartTitle(parts[i], stages)));
      const bool last = i + 1 == parts.size();
      absl::StrAppend(&out_, "\n", kStop);
      if (last) {
        End(parts[i].drops);
      } else {
        out_ += Note(absl::StrCat("part ", i + 1), "done");
      }
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
        "Undoes all that the script has begun or done before its first DROP, the last step first; what was "
        "dropped does not come back, and once a DROP part has begun nothing is undone. Applications must not "
        "use the new shape any more.");
    absl::StrAppend(&out_, "\n", kStop);
    BeginUndo();
    if (compiled_.has_rollback_gate()) {
      absl::StrAppend(&out_, "\n", kRule, Comment(absl::StrCat("First: ", compiled_.rollback_gate().title())),
                      ScriptAction(compiled_.rollback_gate().action(), context_));
    }
    for (int i = compiled_.steps_size() - 1; i >= 0; --i) {
      const v1::Step& step = compiled_.steps(i);
      if (step.stage() > 0 || step.phase() == v1::PHASE_DROP || !step.has_undo()) continue;
      WriteUndo(step);
    }
    absl::StrAppend(&out_, "\n", kStop);
    Cleanup("");
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
        "stops at the first error; a step that failed on a lock time-out (SQLSTATE 55P03) has done nothing. "
        "Then run it again, the whole of it: what is done is noted in table curlew.script, and passed over. "
        "Curlew itself tries again, lets walks yield to the application, and sees which sessions still use "
        "the old shape; this script does not.");
  }

  void ByHandList() {
    std::string list;
    for (const v1::Step& step : compiled_.steps()) {
      if (const std::string text = ByHand(step.action()); !text.empty()) {
        list += Comment(absl::StrCat(step.key(), ": ", text, IsBackupByHand(step) ? kSayBackup : ""), "--   ",
                        "--     ");
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

  std::string Key(absl::string_view what, absl::string_view name = "") const {
    return name.empty() ? Literal(absl::StrCat(context_.id, " ", what)) : NoteKey(context_, what, name);
  }

  std::string HasNote(const std::string& key, absl::string_view condition = "") const {
    return absl::StrCat("EXISTS (SELECT FROM curlew.script WHERE key = ", key, condition, ")");
  }

  // A statement that notes something of the plan.
  std::string Note(absl::string_view what, absl::string_view value) const {
    return absl::StrCat("INSERT INTO curlew.script (key, value) VALUES (", Key(what), ", ", Literal(value),
                        ") ON CONFLICT (key) DO NOTHING;\n");
  }

  // In a DO block: an error where `condition` holds.
  std::string RaiseWhere(absl::string_view condition, absl::string_view message,
                         absl::string_view hint) const {
    return absl::StrCat("  IF ", condition, " THEN\n", Raise(message, hint), "  END IF;\n");
  }

  std::string ForgetHint(absl::string_view why) const {
    return absl::StrCat(why, ": DELETE FROM curlew.script WHERE left(key, ", context_.id.size() + 1, ") = '",
                        context_.id, " '");
  }

  // The schema of the plan's functions, and the notes.
  void Begin() {
    absl::StrAppend(
        &out_, "CREATE SCHEMA IF NOT EXISTS curlew;\n",
        "CREATE TABLE IF NOT EXISTS curlew.script (key text PRIMARY KEY, value text);\n",
        DoBlock(absl::StrCat(
            "BEGIN\n",
            RaiseWhere(HasNote(Key("finished")), "this script has been run to its end in this database",
                       ForgetHint("There is nothing to do. To run it once more all the same, forget it")),
            "END")),
        Note("plan", context_.plan));
  }

  void BeginUndo() {
    const std::string never = "this script's plan has not been begun in this database, or has been undone";
    const std::string together = absl::StrCat(
        "The notes are in table curlew.script, under ", context_.id,
        ". An undo goes with the script that was written with it, from the same plan and the same schema.");
    out_ += DoBlock(absl::StrCat(
        "BEGIN\n", RaiseWhere("to_regclass('curlew.script') IS NULL", never, together),
        RaiseWhere(HasNote(Key("drop")), "DROP of this plan has begun in this database: there is no way back",
                   "The undo would take away the only copy of data. Go forward: run the DROP part again, or "
                   "restore a backup, which has no such note in table curlew.script."),
        RaiseWhere(absl::StrCat("NOT ", HasNote(Key("plan"))), never, together), "END"));
    out_ += "-- No part is complete any more.\n";
    absl::StrAppend(&out_, "DELETE FROM curlew.script WHERE key IN (", Key("finished"), ", ", Key("part 1"),
                    ");\n");
  }

  void WritePart(const Part& part, size_t number, const std::string& title) {
    absl::StrAppend(&out_, "\n", kRule, Comment(title), kRule);
    if (number > 1) {
      const std::string before = absl::StrCat("part ", number - 1);
      out_ += DoBlock(absl::StrCat(
          "BEGIN\n",
          RaiseWhere(absl::StrCat("NOT ", HasNote(Key(before))),
                     absl::StrCat(before, " of this script has not come to its end in this database"),
                     absl::StrCat("Run it first: psql -X -v curlew_part=", number - 1, " -f FILE")),
          "END"));
    }
    if (part.drops)
      absl::StrAppend(&out_, "-- From here on the undo refuses.\n", Note("drop", context_.plan));
    v1::Phase phase = v1::PHASE_UNSPECIFIED;
    std::string backups;
    for (auto step = part.steps.begin(); step != part.steps.end(); ++step) {
      if (!IsBackupByHand(**step)) AskForBackups(&backups);
      if ((*step)->phase() != phase) {
        phase = (*step)->phase();
        absl::StrAppend(&out_, "\n", kRule, "-- Phase ", Word(phase), "\n", kRule);
      }
      if (IsBackupByHand(**step)) {
        absl::StrAppend(&backups, backups.empty() ? "" : "; ", ByHand((*step)->action()));
        StepTitle(**step);
        out_ += absl::StrCat(Echo(TitleOf(**step)), ScriptAction((*step)->action(), context_));
        continue;
      }
      const auto next =
          std::find_if(step + 1, part.steps.end(), [](const v1::Step* s) { return Changes(s->action()); });
      WriteStep(**step, next == part.steps.end() ? nullptr : *next);
    }
    AskForBackups(&backups);
  }

  // Stops where nobody has said that the backups which are made by hand, in words, are made.
  void AskForBackups(std::string* backups) {
    if (backups->empty()) return;
    absl::StrAppend(
        &out_, "\n", kStop, "-- Not before the backups are made.\nSELECT ", HasNote(Key("backups")),
        " AS curlew_done \\gset\n\\if :curlew_done\n\\elif :{?curlew_backup_done}\n", Note("backups", "made"),
        "\\else\n",
        DoBlock(absl::StrCat("BEGIN\n",
                             Raise("nobody has said that the backups are made; nothing has been changed",
                                   absl::StrCat("Make them (", *backups,
                                                "), then run this part again, with: psql -v "
                                                "curlew_backup_done=1")),
                             "END")),
        "\\endif\n");
    backups->clear();
  }

  static std::string TitleOf(const v1::Step& step) { return absl::StrCat(step.key(), ": ", step.title()); }

  void StepTitle(const v1::Step& step) {
    absl::StrAppend(&out_, "\n", kStop, Comment(TitleOf(step)));
    for (const v1::TableLock& lock : step.locks()) {
      const absl::string_view blocks = LockBlocks(lock.mode());
      out_ += Comment(absl::StrCat("lock on ", lock.table(), ": ", LockName(lock.mode()),
                                   blocks.empty() ? "" : ", ", blocks),
                      "--   ", "--     ");
    }
    if (step.rewrites()) out_ += "--   rewrites the table\n";
    if (step.scans()) out_ += "--   reads the whole table, under a lock that blocks no write\n";
  }

  // `next` is the first step after it, in its part, that changes something; null where there is none.
  void WriteStep(const v1::Step& step, const v1::Step* next) {
    ScriptContext context = context_;
    context.step = step.key();
    const std::string key = Key("step", step.key());
    const std::string note = absl::StrCat("INSERT INTO curlew.script (key, value) VALUES (", key, ", ");
    context.begun = absl::StrCat(note, "'begun') ON CONFLICT (key) DO NOTHING;\n");
    context.done = absl::StrCat(note, "'done') ON CONFLICT (key) DO UPDATE SET value = excluded.value;\n");
    StepTitle(step);
    // A look is repeated until what follows it has begun: what it saw then need not be so now.
    const std::string done = Looks(step.action()) && next != nullptr ? HasNote(Key("step", next->key()))
                                                                     : HasNote(key, " AND value = 'done'");
    absl::StrAppend(&out_, "SELECT ", done, " AS curlew_done \\gset\n\\if :curlew_done\n",
                    Echo(absl::StrCat(step.key(), ": done before")), "\\else\n", Echo(TitleOf(step)),
                    ScriptAction(step.action(), context), "\\endif\n");
  }

  void WriteUndo(const v1::Step& step) {
    ScriptContext context = context_;
    context.step = absl::StrCat("undo of ", step.key());
    context.done = absl::StrCat("DELETE FROM curlew.script WHERE key IN (", Key("step", step.key()), ", ",
                                Key("upto", step.key()), ", ", Key("bound", step.key()), ");\n");
    absl::StrAppend(
        &out_, "\n", kRule, kStop, Comment(absl::StrCat("Undo of ", step.key(), ": ", step.title())),
        "SELECT ", HasNote(Key("step", step.key())), " AS curlew_done \\gset\n\\if :curlew_done\n",
        Echo(absl::StrCat("undo of ", step.key())), ScriptAction(step.undo(), context), "\\endif\n");
  }

  // The end of the last part. After DROP there is nothing to undo: the notes of steps go.
  void End(bool dropped) {
    out_ += Note("finished", context_.plan);
    if (dropped) {
      out_ += "-- So that the undo refuses, and nothing is done twice, two notes stay.\n";
      Cleanup(absl::StrCat(" AND key NOT IN (", Key("drop"), ", ", Key("finished"), ")"));
    } else {
      out_ += Comment(ForgetHint("The undo needs the notes. When nobody will undo it any more"));
    }
  }

  // Removes the plan's notes for which `condition` holds, and what nothing else is in.
  void Cleanup(absl::string_view condition) {
    out_ += DoBlock(
        absl::StrCat("BEGIN\n"
                     "  LOCK TABLE curlew.script IN ACCESS EXCLUSIVE MODE;\n"
                     "  DELETE FROM curlew.script WHERE left(key, ",
                     context_.id.size() + 1, ") = '", context_.id, " '", condition,
                     ";\n"
                     "  IF NOT EXISTS (SELECT FROM curlew.script) THEN\n"
                     "    DROP TABLE curlew.script;\n"
                     "    BEGIN\n"
                     "      DROP SCHEMA curlew;\n"
                     "    EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;\n"
                     "    END;\n"
                     "  END IF;\n"
                     "END"));
  }

  const v1::CompiledPlan& compiled_;
  const std::string& against_;
  const std::string digest_;
  ScriptContext context_;
  std::string out_;
};

}  // namespace

std::string SqlScript(const v1::CompiledPlan& compiled, const std::string& against,
                      ScriptDirection direction) {
  Writer writer(compiled, against);
  return direction == ScriptDirection::kDo ? writer.Do() : writer.Undo();
}

}  // namespace curlew::cli
