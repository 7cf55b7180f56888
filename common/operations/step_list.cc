#include "common/operations/step_list.h"

namespace curlew::operations {

v1::Step* StepList::Add(v1::Phase phase, std::string title) {
  v1::Step& step = steps_.emplace_back();
  step.set_phase(phase);
  step.set_title(std::move(title));
  return &step;
}

v1::Step* StepList::AddLast(std::string title) {
  v1::Step& step = last_steps_.emplace_back();
  step.set_phase(v1::PHASE_DROP);
  step.set_title(std::move(title));
  return &step;
}

v1::Step* StepList::AddPreflight(std::string title) {
  v1::Step* step = Add(v1::PHASE_ADD, std::move(title));
  step->set_preflight(true);
  step->set_scans(true);
  return step;
}

TableWork* StepList::Work(const v1::Table& table) {
  for (TableWork& work : works_) {
    if (work.table.schema() == table.schema() && work.table.name() == table.name()) return &work;
  }
  works_.emplace_back().table = table;
  return &works_.back();
}

void SetSql(v1::Action* action, const std::vector<sql::SqlText>& statements) {
  for (const sql::SqlText& statement : statements)
    action->mutable_execute_sql()->add_statements(statement.str());
}

void AddLock(v1::Step* step, const sql::TableName& table, const char* mode) {
  v1::TableLock* lock = step->add_locks();
  lock->set_table(table.Quoted());
  lock->set_mode(mode);
}

}  // namespace curlew::operations
