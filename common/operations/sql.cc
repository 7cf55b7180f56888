#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/sql/statement.h"

namespace curlew::operations {
namespace {

// One action for a list of statements: one transaction, or one CREATE or DROP INDEX CONCURRENTLY.
absl::Status FillAction(const std::vector<sql::Statement>& statements, v1::Action* action) {
  for (const sql::Statement& statement : statements) {
    if (statement.kind == sql::StatementKind::kTransactional) {
      action->mutable_execute_sql()->add_statements(statement.text);
      continue;
    }
    if (statements.size() > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", statement.line,
                       ": CONCURRENTLY cannot share a transaction with other statements; give it a `sql` "
                       "operation of its own, or use create_index"));
    }
    v1::ExecuteSqlConcurrently* concurrently = action->mutable_execute_sql_concurrently();
    concurrently->set_statement(statement.text);
    concurrently->set_index(statement.index.Quoted());
    const bool creates = statement.kind == sql::StatementKind::kCreateIndexConcurrently;
    concurrently->set_effect(creates ? v1::ExecuteSqlConcurrently::EFFECT_CREATES
                                     : v1::ExecuteSqlConcurrently::EFFECT_DROPS);
    if (creates) concurrently->set_table(statement.locks[0].table.Quoted());
  }
  return absl::OkStatus();
}

class RunSql : public Operation {
 public:
  RunSql(const v1::Sql& proto, std::vector<sql::Statement> up, v1::Action action, v1::Action undo)
      : proto_(proto), up_(std::move(up)), action_(std::move(action)), undo_(std::move(undo)) {}

  v1::Scope Scope() const override {
    std::set<std::string> tables;
    for (const sql::Statement& statement : up_) {
      for (const sql::StatementLock& lock : statement.locks) tables.insert(lock.table.Quoted());
    }
    v1::Scope scope;
    for (const std::string& table : tables) scope.add_tables(table);
    return scope;
  }

  // What free SQL does to the catalogue is not modelled: later operations of the plan see the schema without
  // it.
  absl::Status Apply(v1::Schema*) const override { return absl::OkStatus(); }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    std::set<std::string> hazards;
    for (const sql::Statement& statement : up_) {
      for (const std::string& hazard : statement.hazards) {
        if (context.Acknowledged(hazard)) {
          hazards.insert(hazard);
          continue;
        }
        return absl::FailedPreconditionError(absl::StrCat(
            "statement at line ", statement.line, " has the hazard ", hazard, ": ",
            statement.text.substr(0, 80),
            ". Use an operation that does it safely, or accept it with `settings: {acknowledge: [", hazard,
            "]}`"));
      }
    }
    const v1::Phase phase = proto_.phase() == v1::PHASE_UNSPECIFIED
                                ? (proto_.irreversible() ? v1::PHASE_DROP : v1::PHASE_ADD)
                                : proto_.phase();
    v1::Step* step = steps->Add(
        phase, absl::StrCat("run SQL: ", up_[0].text.substr(0, up_[0].text.find('\n')).substr(0, 60)));
    *step->mutable_action() = action_;
    if (!proto_.irreversible()) *step->mutable_undo() = undo_;
    step->set_rewrites(hazards.count("rewrites-table") > 0);
    step->set_scans(hazards.count("scans-under-lock") > 0 || hazards.count("blocks-writes") > 0);
    for (const sql::Statement& statement : up_) {
      for (const sql::StatementLock& lock : statement.locks) AddLock(step, lock.table, lock.mode.c_str());
    }
    for (const std::string& hazard : hazards) {
      steps->Warn(absl::StrCat("sql: the author accepts the hazard ", hazard));
    }
    return absl::OkStatus();
  }

 private:
  const v1::Sql proto_;
  const std::vector<sql::Statement> up_;
  const v1::Action action_, undo_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeSql(const v1::Sql& proto) {
  if (proto.down().empty() != proto.irreversible()) {
    return absl::InvalidArgumentError(
        "give either `down`, the statements that undo it, or `irreversible: true`, and not both");
  }
  if (proto.irreversible() && proto.phase() != v1::PHASE_UNSPECIFIED && proto.phase() != v1::PHASE_DROP) {
    return absl::InvalidArgumentError(
        "what is irreversible may only run in the phase `drop`, behind its gate");
  }
  if (!proto.irreversible() && proto.phase() == v1::PHASE_DROP) {
    return absl::InvalidArgumentError(
        "the phase `drop` is never undone; write `irreversible: true` instead of `down`");
  }
  ASSIGN_OR_RETURN(std::vector<sql::Statement> up, sql::ParseStatements(proto.up()));
  v1::Action action, undo;
  RETURN_IF_ERROR(FillAction(up, &action));
  if (!proto.down().empty()) {
    ASSIGN_OR_RETURN(std::vector<sql::Statement> down, sql::ParseStatements(proto.down()));
    RETURN_IF_ERROR(FillAction(down, &undo));
  }
  return std::make_unique<RunSql>(proto, std::move(up), std::move(action), std::move(undo));
}

}  // namespace curlew::operations
