#include "common/compiler/stage.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/compiler/rows.h"
#include "common/operations/dual_write.h"
#include "common/schema/schema.h"
#include "common/sql/parser.h"

namespace curlew::compiler {
namespace {

using operations::AddedColumn;
using operations::CompileContext;
using operations::DualWrite;
using operations::Operation;
using operations::StepList;
using operations::TableWork;
using sql::SqlText;
using sql::TableName;

// Whether `text` is the name, or names it among other SQL.
bool Names(absl::string_view text, absl::string_view name) {
  if (text == name) return true;
  const auto tokens = sql::Scan(text);
  if (!tokens.ok()) return false;
  return std::any_of(tokens->begin(), tokens->end(), [&](const sql::Token& token) {
    return sql::TokenName(text.substr(token.start, token.end - token.start)) == name;
  });
}

// Whether a text field of `message`, or of what it holds, names it.
bool AnyFieldNames(const google::protobuf::Message& message, absl::string_view name) {
  const auto* reflection = message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    const int size = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < size; ++i) {
      if (field->cpp_type() == field->CPPTYPE_STRING) {
        const std::string text = field->is_repeated() ? reflection->GetRepeatedString(message, field, i)
                                                      : reflection->GetString(message, field);
        if (Names(text, name)) return true;
      } else if (field->cpp_type() == field->CPPTYPE_MESSAGE) {
        if (AnyFieldNames(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                               : reflection->GetMessage(message, field),
                          name)) {
          return true;
        }
      }
    }
  }
  return false;
}

// One ALTER TABLE that adds columns, for operations that follow each other.
struct Add {
  TableName table;
  std::vector<SqlText> clauses, after;
  std::vector<std::string> columns, titles;
};

std::string Joined(const std::vector<SqlText>& parts) {
  return absl::StrJoin(parts, ", ", [](std::string* out, const SqlText& part) { out->append(part.str()); });
}

// Steps of a stage while they are put together: what operations give one by one, and what is shared.
class StageBuilder {
 public:
  StageBuilder(const v1::Schema& now, const v1::PlanSettings& settings) : now_(now), settings_(settings) {}

  absl::Status Take(StepList list, int operation) {
    // Before its columns: they may be of a type that it makes.
    for (v1::Step& step : list.steps()) {
      // A table that the stage creates has nothing to look at before.
      if (step.preflight() && step.locks_size() > 0 && !ExistsNow(step.locks(0).table())) continue;
      step.set_operation_index(operation);
      pieces_.push_back({std::move(step), std::nullopt});
    }
    for (const TableWork& work : list.works()) {
      const TableName name = schema::NameOf(work.table);
      const bool shares = !work.links.empty() || !work.insert_defaults.empty();
      if (shares && schema::FindTable(now_, name) == nullptr) {
        return operations::NeedsLaterStage(absl::StrCat(
            "table ", name.Quoted(), " is created by this very plan; give it its columns at once"));
      }
      if (!work.add_clauses.empty()) TakeAdd(work, operation);
      auto known = std::find_if(works_.begin(), works_.end(),
                                [&](const Shared& s) { return schema::NameOf(s.work.table) == name; });
      if (known == works_.end()) {
        TableWork empty;
        empty.table = work.table;
        works_.push_back({std::move(empty), operation, operation});
        known = works_.end() - 1;
      }
      known->last = operation;
      RETURN_IF_ERROR(known->work.Merge(work));
    }
    Extend(list.last_steps(), operation, &last_);
    ends_.push_back(pieces_.size());
    return absl::OkStatus();
  }

  // The steps in order, and the counters. `first` is the number of the first operation.
  std::vector<v1::Step> Build(int first, Stage* stage) {
    std::vector<v1::Step> steps;
    StepList shared;
    size_t begin = 0;
    for (const Shared& s : works_) AddMarker(s);
    for (size_t i = 0; i < ends_.size(); ++i) {
      for (; begin < ends_[i]; ++begin) {
        if (pieces_[begin].add.has_value()) FillAdd(*pieces_[begin].add, &pieces_[begin].step);
        steps.push_back(std::move(pieces_[begin].step));
      }
      for (const Shared& s : works_) {
        if (s.last != first + static_cast<int>(i)) continue;
        StepList finish;
        DualWrite(s.work).AppendFinish(&finish);
        Extend(finish.steps(), s.first, &steps);
      }
    }
    for (const Shared& s : works_) {
      const DualWrite dual_write(s.work);
      StepList list;
      dual_write.AppendInstall(&list);
      dual_write.AppendBackfill(&list);
      Extend(list.steps(), s.first, &steps);
      if (!dual_write.OldCounter().empty()) {
        stage->old_counters.push_back(dual_write.OldCounter());
        stage->new_counters.push_back(dual_write.NewCounter());
      }
    }
    steps.insert(steps.end(), last_.begin(), last_.end());
    for (v1::Step& step : steps) {
      v1::Action& action = *step.mutable_action();
      if (action.has_backfill())
        *action.mutable_backfill()->mutable_batch_target() = settings_.backfill_batch_target();
      if (action.analyze().vacuum_if_bloated() && settings_.vacuum()) VacuumInAnyCase(&step);
      if (!action.has_verify()) continue;
      for (v1::RowScan& scan : *action.mutable_verify()->mutable_scans()) {
        if (!scan.has_repair()) continue;
        *scan.mutable_repair()->mutable_batch_target() = settings_.backfill_batch_target();
      }
    }
    // Looks come first; then phases in order, and within a phase the order of the plan.
    std::stable_sort(steps.begin(), steps.end(), [](const v1::Step& a, const v1::Step& b) {
      return std::make_pair(!a.preflight(), a.phase()) < std::make_pair(!b.preflight(), b.phase());
    });
    return steps;
  }

 private:
  struct Piece {
    v1::Step step;
    std::optional<Add> add;  // fills the step in the end
  };
  struct Shared {
    TableWork work;
    int first = 0;  // operations
    int last = 0;
  };

  bool ExistsNow(const std::string& table) const {
    const auto name = sql::ParseTableName(table);
    return name.ok() && schema::FindTable(now_, *name) != nullptr;
  }

  // The step after a walk.
  static void VacuumInAnyCase(v1::Step* step) {
    v1::Analyze* analyze = step->mutable_action()->mutable_analyze();
    const auto name = sql::ParseTableName(analyze->table());
    analyze->set_vacuum(true);
    step->set_title(absl::StrCat("refresh planner statistics of ",
                                 name.ok() ? sql::Ident(name->name) : analyze->table(), ", and vacuum it"));
  }

  static void Extend(std::vector<v1::Step>& from, int operation, std::vector<v1::Step>* steps) {
    for (v1::Step& step : from) {
      step.set_operation_index(operation);
      steps->push_back(std::move(step));
    }
  }

  // Columns that are added to one table right after each other are added under one lock.
  void TakeAdd(const TableWork& work, int operation) {
    const TableName name = schema::NameOf(work.table);
    auto last = std::find_if(pieces_.rbegin(), pieces_.rend(), [](const Piece& piece) {
      return !piece.step.preflight() && piece.step.phase() == v1::PHASE_ADD;
    });
    if (last == pieces_.rend() || !last->add.has_value() || last->add->table != name) {
      pieces_.push_back({v1::Step(), Add{name, {}, {}, {}, {}}});
      pieces_.back().step.set_phase(v1::PHASE_ADD);
      pieces_.back().step.set_operation_index(operation);
      last = pieces_.rbegin();
    }
    Add& add = *last->add;
    add.clauses.insert(add.clauses.end(), work.add_clauses.begin(), work.add_clauses.end());
    add.after.insert(add.after.end(), work.after_add.begin(), work.after_add.end());
    add.columns.insert(add.columns.end(), work.added.begin(), work.added.end());
    add.titles.insert(add.titles.end(), work.add_titles.begin(), work.add_titles.end());
  }

  // The marker comes with the table's first new columns.
  void AddMarker(const Shared& shared) {
    const DualWrite dual_write(shared.work);
    if (dual_write.marker().empty()) return;
    for (Piece& piece : pieces_) {
      if (!piece.add.has_value() || piece.add->table != schema::NameOf(shared.work.table)) continue;
      piece.add->clauses.push_back(dual_write.AddMarker());
      piece.add->columns.push_back(dual_write.marker());
      return;
    }
  }

  static void FillAdd(const Add& add, v1::Step* step) {
    step->set_title(absl::StrJoin(add.titles, ", "));
    const SqlText table = SqlText::Name(add.table);
    std::vector<SqlText> statements = {{"ALTER TABLE ", table, " ", SqlText::Verified(Joined(add.clauses))}};
    statements.insert(statements.end(), add.after.begin(), add.after.end());
    operations::SetSql(step->mutable_action(), statements);
    std::vector<SqlText> drops;
    for (const std::string& column : add.columns) {
      drops.push_back({"DROP COLUMN IF EXISTS ", SqlText::Name(column)});
    }
    operations::SetSql(step->mutable_undo(),
                       {{"ALTER TABLE ", table, " ", SqlText::Verified(Joined(drops))}});
    operations::AddLock(step, add.table, operations::kAccessExclusive);
  }

  const v1::Schema& now_;
  const v1::PlanSettings& settings_;
  std::vector<Piece> pieces_;
  std::vector<size_t> ends_;  // of each operation's pieces
  std::vector<v1::Step> last_;
  std::vector<Shared> works_;
};

void AddUses(const std::vector<StepList::Use>& uses, std::vector<v1::ShapeUse>* shape) {
  for (const StepList::Use& use : uses) {
    v1::ShapeUse& added = shape->emplace_back();
    added.set_table(use.table.Quoted());
    added.set_column(use.column);
  }
}

// The column, and those that share an index, constraint or statistics object with it.
std::set<std::string> Companions(const v1::Schema& schema, const AddedColumn& column) {
  std::set<std::string> names = {column.column};
  const v1::Table* table = schema::FindTable(schema, column.table);
  if (table == nullptr) return names;
  auto add = [&](const auto& objects) {
    for (const auto& object : objects) {
      const auto& columns = object.columns();
      if (std::find(columns.begin(), columns.end(), column.column) == columns.end()) continue;
      names.insert(columns.begin(), columns.end());
    }
  };
  add(table->indexes());
  add(table->constraints());
  add(table->statistics());
  return names;
}

// NeedsLaterStage where operation `number` names a column that another operation of the stage replaces, or
// one that shares an index with it.
absl::Status CheckReplaced(const v1::Plan& plan, const Operation& operation, int number,
                           const v1::Schema& before, const std::vector<AddedColumn>& added_before) {
  for (const AddedColumn& column : added_before) {
    if (!column.replaces) continue;
    const v1::Scope scope = operation.Scope();
    bool concerns = scope.tables().empty();
    for (const std::string& table : scope.tables()) {
      const auto name = sql::ParseTableName(table);
      concerns = concerns || !name.ok() || *name == column.table;
    }
    const std::set<std::string> names = Companions(before, column);
    if (concerns && std::any_of(names.begin(), names.end(), [&](const std::string& name) {
          return AnyFieldNames(plan.operations(number), name);
        })) {
      return operations::NeedsLaterStage(absl::StrCat("column ", sql::Ident(column.column), " of ",
                                                      column.table.Quoted(),
                                                      " is another one before this stage of the plan"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<v1::Step> MergeLooks(std::vector<v1::Step> steps) {
  std::map<std::string, size_t> looks;  // by table
  std::vector<v1::Step> merged;
  for (v1::Step& step : steps) {
    if (step.preflight() && step.action().has_verify() && step.locks_size() == 1) {
      const auto [known, is_new] = looks.emplace(step.locks(0).table(), merged.size());
      if (!is_new) {
        v1::Verify* verify = merged[known->second].mutable_action()->mutable_verify();
        for (const v1::Check& check : step.action().verify().checks()) {
          // Two operations may ask for the same.
          const bool asked = std::any_of(
              verify->checks().begin(), verify->checks().end(),
              [&](const v1::Check& c) { return c.SerializeAsString() == check.SerializeAsString(); });
          if (!asked) *verify->add_checks() = check;
        }
        merged[known->second].set_title(
            absl::StrCat("check the rows of ", step.locks(0).table(), " before anything changes"));
        continue;
      }
    }
    merged.push_back(std::move(step));
  }
  return merged;
}

std::string OperationName(const v1::Plan& plan, int index) {
  const v1::Operation& proto = plan.operations(index);
  const auto* oneof = v1::Operation::descriptor()->oneof_decl(0);
  const auto* field = proto.GetReflection()->GetOneofFieldDescriptor(proto, oneof);
  return absl::StrCat("operations[", index, "]", field == nullptr ? "" : absl::StrCat(".", field->name()));
}

absl::StatusOr<Analysis> Analyse(const std::vector<std::unique_ptr<Operation>>& all, int first, int end,
                                 const v1::Schema& now, Blame* blame) {
  Analysis analysis;
  analysis.before.push_back(now);
  for (int i = first; i < end; ++i) {
    v1::Schema next = analysis.before.back();
    absl::Status status = all[i]->Apply(&next);
    if (status.ok()) {
      absl::StatusOr<std::vector<AddedColumn>> added = all[i]->Adds(analysis.before.back());
      status = added.status();
      if (added.ok()) analysis.added.insert(analysis.added.end(), added->begin(), added->end());
    }
    if (!status.ok()) {
      *blame = {status, i};
      return status;
    }
    analysis.before.push_back(std::move(next));
  }
  return analysis;
}

absl::StatusOr<Stage> CompileStage(const v1::Plan& plan, const std::vector<std::unique_ptr<Operation>>& all,
                                   int first, int end, const v1::Schema& now,
                                   const v1::PlanSettings& settings, Blame* blame) {
  ASSIGN_OR_RETURN(const Analysis analysis, Analyse(all, first, end, now, blame));
  Stage stage;
  StageBuilder builder(now, settings);
  std::vector<AddedColumn> added_before;
  for (int i = first; i < end; ++i) {
    const CompileContext context{.now = now,
                                 .before = analysis.before[i - first],
                                 .after = analysis.before.back(),
                                 .settings = settings,
                                 .added = analysis.added};
    StepList list;
    absl::Status status = CheckReplaced(plan, *all[i], i, context.before, added_before);
    if (status.ok()) status = CheckRows(plan, all, first, i, now);
    if (status.ok()) status = all[i]->Compile(context, &list);
    if (status.ok()) {
      stage.warnings.insert(stage.warnings.end(), list.warnings().begin(), list.warnings().end());
      AddUses(list.old_shape(), &stage.old_shape);
      AddUses(list.new_shape(), &stage.new_shape);
      status = builder.Take(std::move(list), i);
    }
    if (!status.ok()) {
      *blame = {status, i};
      return status;
    }
    ASSIGN_OR_RETURN(const std::vector<AddedColumn> added, all[i]->Adds(context.before));
    added_before.insert(added_before.end(), added.begin(), added.end());
  }
  stage.steps = MergeLooks(builder.Build(first, &stage));
  stage.after = analysis.before.back();
  return stage;
}

}  // namespace curlew::compiler
