#include "common/operations/dual_write.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/operations/dual_write_parts.h"
#include "common/operations/operation.h"
#include "common/schema/schema.h"

namespace curlew::operations {

using sql::SqlText;
using sql::TableName;

DualWrite::DualWrite(const TableWork& work)
    : work_(work), hash_(sql::HashedName("", {work.table.schema(), work.table.name()})) {
  for (const Link& link : work_.links) {
    // NULL will not do where it can mean something else; and where the old shape is written too, only a
    // marker tells the backfill's writes from the new application's.
    const bool nullable =
        std::any_of(link.to.begin(), link.to.end(), [](const NewColumn& column) { return !column.not_null; });
    if (nullable || !link.from.empty()) marker_ = "curlew_pending_" + hash_;
  }
}

bool DualWrite::Needed() const { return !work_.links.empty() || !work_.insert_defaults.empty(); }

bool DualWrite::Counts() const {
  return !work_.insert_defaults.empty() ||
         std::any_of(work_.links.begin(), work_.links.end(),
                     [](const Link& link) { return !link.from.empty() && !link.hidden; });
}

SqlText DualWrite::AddMarker() const {
  if (marker_.empty()) return {};
  return {"ADD COLUMN ", SqlText::Name(marker_), " boolean NOT NULL DEFAULT true"};
}

std::string DualWrite::OldCounter() const { return Counts() ? "curlew.old_writes_" + hash_ : ""; }
std::string DualWrite::NewCounter() const { return Counts() ? "curlew.new_writes_" + hash_ : ""; }

bool DualWrite::OnlyNumbers() const {
  return work_.insert_defaults.empty() &&
         std::all_of(work_.links.begin(), work_.links.end(), [](const Link& link) {
           return std::all_of(link.to.begin(), link.to.end(),
                              [](const NewColumn& column) { return !column.sequence.empty(); });
         });
}

std::vector<const NewColumn*> DualWrite::Numbered() const {
  std::vector<const NewColumn*> columns;
  for (const Link& link : work_.links) {
    for (const NewColumn& column : link.to) {
      if (!column.sequence.empty()) columns.push_back(&column);
    }
  }
  return columns;
}

std::string DualWrite::HashOf(const NewColumn& column) const {
  return sql::HashedName("", {work_.table.schema(), work_.table.name(), column.name});
}

std::vector<SqlText> DualWrite::DropTriggers() const {
  const SqlText table = SqlText::Name(schema::NameOf(work_.table));
  std::vector<SqlText> statements;
  for (const NewColumn* column : Numbered()) {
    const std::string hash = HashOf(*column);
    statements.push_back({"DROP TRIGGER IF EXISTS ", SqlText::Name(NumberTrigger(hash)), " ON ", table});
    statements.push_back({"DROP FUNCTION IF EXISTS ", SqlText::Verified(NumberFunction(hash)), "()"});
  }
  if (OnlyNumbers()) return statements;
  for (const std::string& trigger : {InsertTrigger(hash_), UpdateTrigger(hash_), CountTrigger(hash_)}) {
    if (trigger == CountTrigger(hash_) && !Counts()) continue;
    statements.push_back({"DROP TRIGGER IF EXISTS ", SqlText::Name(trigger), " ON ", table});
  }
  statements.push_back({"DROP FUNCTION IF EXISTS ", SqlText::Verified(DualWriteFunction(hash_)), "()"});
  if (Counts()) {
    statements.push_back({"DROP FUNCTION IF EXISTS ", SqlText::Verified(CountFunction(hash_)), "()"});
    statements.push_back(
        {"DROP SEQUENCE IF EXISTS ", SqlText::Verified(OldCounter()), ", ", SqlText::Verified(NewCounter())});
  }
  return statements;
}

void DualWrite::AppendFinish(StepList* steps) const {
  const TableName name = schema::NameOf(work_.table);
  std::vector<SqlText> statements;
  if (Needed()) statements = DropTriggers();
  statements.insert(statements.end(), work_.before_finish.begin(), work_.before_finish.end());
  std::vector<SqlText> clauses = work_.finish_clauses;
  if (!marker_.empty()) clauses.push_back({"DROP COLUMN IF EXISTS ", SqlText::Name(marker_)});
  if (!clauses.empty()) statements.push_back({"ALTER TABLE ", SqlText::Name(name), " ", Join(clauses, ", ")});
  statements.insert(statements.end(), work_.after_finish.begin(), work_.after_finish.end());
  if (statements.empty()) return;
  v1::Step* step =
      steps->Add(v1::PHASE_DROP, work_.finish_titles.empty()
                                     ? absl::StrCat("remove the triggers of ", sql::Ident(work_.table.name()))
                                     : absl::StrJoin(work_.finish_titles, ", "));
  SetSql(step->mutable_action(), statements);
  AddLock(step, name, kAccessExclusive);
  for (const std::string& table : work_.finish_locks) {
    v1::TableLock* lock = step->add_locks();
    lock->set_table(table);
    lock->set_mode(kAccessExclusive);
  }
}

}  // namespace curlew::operations
