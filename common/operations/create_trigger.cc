#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/operations/objects.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"
#include "common/sql/object_definition.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

// Dual-write triggers come last among those BEFORE a row: names sort by bytes.
constexpr absl::string_view kOurTriggers = "~curlew";

const v1::Trigger* FindTrigger(const v1::Table& table, absl::string_view name) {
  for (const v1::Trigger& trigger : table.triggers()) {
    if (trigger.name() == name) return &trigger;
  }
  return nullptr;
}

// The statement that brings the state of before back, which CREATE OR REPLACE TRIGGER does not keep; none
// where it is the default.
std::vector<SqlText> KeepState(const sql::TableName& table, const v1::Trigger& trigger) {
  SqlText state;
  if (trigger.enabled() == "disabled") state = {" DISABLE TRIGGER "};
  if (trigger.enabled() == "replica") state = {" ENABLE REPLICA TRIGGER "};
  if (trigger.enabled() == "always") state = {" ENABLE ALWAYS TRIGGER "};
  if (state.empty()) return {};
  return {{"ALTER TABLE ", SqlText::Name(table), state, SqlText::Name(trigger.name())}};
}

// `definition`, of the catalogue or of an operation before this one, as CREATE OR REPLACE TRIGGER.
SqlText Replacing(const std::string& definition) {
  const auto trigger = sql::ParseTrigger(definition);
  if (trigger.ok() && trigger->or_replace) return SqlText::Verified(definition);
  return {"CREATE OR REPLACE ", SqlText::Verified(std::string(absl::StripPrefix(definition, "CREATE ")))};
}

class CreateTrigger : public Operation {
 public:
  CreateTrigger(const v1::CreateTrigger& proto, sql::TriggerDefinition trigger)
      : proto_(proto), trigger_(std::move(trigger)) {}

  v1::Scope Scope() const override {
    v1::Scope scope = TableScope(proto_.table());
    if (trigger_.function.schema != "pg_catalog") scope.add_functions(FunctionName());
    return scope;
  }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    for (const std::string& column : trigger_.columns) {
      if (column != "tableoid") RETURN_IF_ERROR(NamedColumn(*table, column).status());
    }
    v1::Function* function = schema::FindFunction(schema, FunctionName());
    if (function == nullptr && trigger_.function.schema != "pg_catalog") {
      return absl::FailedPreconditionError(
          absl::StrCat(What(), " calls ", FunctionName(),
                       ", which does not exist at this point of the plan; create it first (create_function), "
                       "or write its schema"));
    }
    v1::Trigger* trigger = const_cast<v1::Trigger*>(FindTrigger(*table, trigger_.name));
    if (trigger != nullptr) {
      RETURN_IF_ERROR(CheckReplaceable(*trigger));
      for (v1::Function& other : *schema->mutable_functions()) Forget(&other);
    } else {
      trigger = table->add_triggers();
      trigger->set_name(trigger_.name);
    }
    trigger->set_definition(trigger_.statement.str());
    trigger->mutable_columns()->Assign(trigger_.columns.begin(), trigger_.columns.end());
    trigger->set_before_row(trigger_.before_row);
    if (function != nullptr) {
      v1::Dependent* dependent = function->add_dependents();
      dependent->set_type("trigger");
      dependent->set_identity(Identity());
    }
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    const v1::Table* table_now = schema::FindTable(context.now, name);
    const v1::Trigger* before = FindTrigger(*table, trigger_.name);
    const v1::Trigger* now = table_now == nullptr ? nullptr : FindTrigger(*table_now, trigger_.name);
    if (before == nullptr && now != nullptr) {
      return NeedsLaterStage(
          absl::StrCat(What(), " still exists while the plan runs; drop it in a plan before"));
    }
    if (before != nullptr && now == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat(What(), " is created by this very plan; write its definition once"));
    }
    v1::Step* step =
        steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat(before == nullptr ? "create " : "replace ", What()));
    std::vector<SqlText> statements = {SetSearchPath(SearchPath(*table)), trigger_.statement};
    if (before == nullptr) {
      SetSql(step->mutable_undo(),
             {{"DROP TRIGGER IF EXISTS ", SqlText::Name(trigger_.name), " ON ", SqlText::Name(name)}});
    } else {
      const std::vector<SqlText> state = KeepState(name, *before);
      statements.insert(statements.end(), state.begin(), state.end());
      std::vector<SqlText> undo = {Replacing(before->definition())};
      undo.insert(undo.end(), state.begin(), state.end());
      SetSql(step->mutable_undo(), undo);
    }
    SetSql(step->mutable_action(), statements);
    AddLock(step, name, kShareRowExclusive);
    return absl::OkStatus();
  }

 private:
  std::string FunctionName() const { return absl::StrCat(trigger_.function.Quoted(), "()"); }
  std::string Identity() const {
    return absl::StrCat(sql::Ident(trigger_.name), " on ", trigger_.table.Quoted());
  }
  std::string What() const {
    return absl::StrCat("trigger ", sql::Ident(trigger_.name), " of ", trigger_.table.Quoted());
  }

  void Forget(v1::Function* function) const {
    auto* all = function->mutable_dependents();
    all->erase(std::remove_if(all->begin(), all->end(),
                              [&](const v1::Dependent& d) {
                                return d.type() == "trigger" && d.identity() == Identity();
                              }),
               all->end());
  }

  absl::Status CheckReplaceable(const v1::Trigger& trigger) const {
    if (!trigger_.or_replace) {
      return absl::FailedPreconditionError(absl::StrCat(
          What(),
          " exists already; write CREATE OR REPLACE to give it another definition, or choose another name"));
    }
    const bool was_constraint = absl::StartsWith(trigger.definition(), "CREATE CONSTRAINT");
    if (!was_constraint && !trigger_.is_constraint) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(What(), " exists already and ", was_constraint ? "is" : "would become",
                     " a constraint trigger, which PostgreSQL cannot replace; create one under another name "
                     "and drop this one "
                     "(drop_trigger)"));
  }

  const v1::CreateTrigger proto_;
  const sql::TriggerDefinition trigger_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreateTrigger(const v1::CreateTrigger& proto) {
  ASSIGN_OR_RETURN(sql::TriggerDefinition trigger, sql::ParseTrigger(proto.definition()));
  ASSIGN_OR_RETURN(const sql::TableName table, sql::ParseTableName(proto.table()));
  if (trigger.table != table) {
    return absl::InvalidArgumentError(absl::StrCat("the statement is about ", trigger.table.Quoted(),
                                                   ", `table` about ", table.Quoted(),
                                                   "; write the same in both"));
  }
  if (trigger.instead_of) {
    return absl::InvalidArgumentError(absl::StrCat(
        "trigger ", sql::Ident(trigger.name), " of ", table.Quoted(),
        ": INSTEAD OF is for views; write BEFORE or AFTER, or use a `sql` operation for a view"));
  }
  const bool ours = absl::StartsWith(trigger.name, kOurTriggers);
  if (ours || (trigger.before_row && trigger.name > kOurTriggers)) {
    return absl::InvalidArgumentError(absl::StrCat("trigger ", sql::Ident(trigger.name), " of ",
                                                   table.Quoted(),
                                                   ours ? ": names that begin with ~curlew are Curlew's own"
                                                        : ": its name sorts after ~curlew, so that it would "
                                                          "change rows that the dual write of this and later "
                                                          "plans has already seen",
                                                   "; choose a name that begins with a letter"));
  }
  return std::make_unique<CreateTrigger>(proto, std::move(trigger));
}

}  // namespace curlew::operations
