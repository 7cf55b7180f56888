#include "common/operations/in_place.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/operations/dual_write.h"
#include "common/operations/operation.h"
#include "common/operations/policy.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;

}  // namespace

void AppendInPlaceChange(const v1::Table& table, const InPlaceChange& change, StepList* steps) {
  const TableName name = schema::NameOf(table);
  const SqlText relation = SqlText::Name(name);
  std::vector<std::string> columns;
  for (const InPlaceChange::Set& set : change.sets) columns.push_back(sql::Ident(set.column));
  // Two changes of a plan on one table are told apart by their columns.
  const std::string hash =
      sql::HashedName("", {table.schema(), table.name(), absl::StrJoin(columns, ","), "in place"});
  const std::string trigger = absl::StrCat("~curlew_change_", hash);
  const std::string function = absl::StrCat("curlew.change_", hash);
  const SqlText marker = SqlText::Name(absl::StrCat("curlew_change_", hash));
  const std::string label = absl::StrCat(absl::StrJoin(columns, ", "), " of ", sql::Ident(table.name()));
  auto holds = [&](const char* row) {
    return change.where.has_value() ? SqlText{"(", change.where->Qualified(row), ") IS TRUE"}
                                    : SqlText{"true"};
  };

  AppendNoChildrenPreflight(table, steps);
  AppendSeesAllRowsPreflight(table, steps);
  SqlText body = {"\nDECLARE\n"}, compute, take;
  for (size_t i = 0; i < change.sets.size(); ++i) {
    const InPlaceChange::Set& set = change.sets[i];
    const SqlText value = SqlText::Verified(absl::StrCat("value_", i + 1));
    const SqlText place = {"NEW.", SqlText::Name(set.column)};
    const v1::Column* column = schema::FindColumn(table, set.column);
    body.Append({"  ", value, " ", SqlText::Verified(column == nullptr ? "text" : column->type()), ";\n"});
    compute.Append({"    ", Assign(table, value, set.column, set.value, "value"), "\n"});
    take.Append({"    ", place, " := ", value, ";\n"});
  }
  body.Append({"BEGIN\n  IF ", holds("OLD"), " AND ", holds("NEW"), " THEN\n", compute, take,
               "  END IF;\n  NEW.", marker, " := false;\n  RETURN NEW;\nEND\n"});

  v1::Step* step = steps->Add(v1::PHASE_DROP, absl::StrCat("change ", label, " in rows that are written"));
  v1::InstallTrigger* install = step->mutable_action()->mutable_install_trigger();
  install->set_table(name.Quoted());
  install->set_function(function);
  // Rows that exist are to be changed, rows that come are not: no trigger is needed for them.
  install->add_statements(
      SqlText({"ALTER TABLE ", relation, " ADD COLUMN ", marker, " boolean NOT NULL DEFAULT true"}).str());
  install->add_statements(
      SqlText({"ALTER TABLE ", relation, " ALTER COLUMN ", marker, " SET DEFAULT false"}).str());
  install->add_statements(CreateTriggerFunction(function, table, body).str());
  install->add_statements(CreateRowTrigger(trigger, "UPDATE", name, {"NEW.", marker}, function).str());
  install->add_statements(
      SqlText({"ALTER TABLE ", relation, " ENABLE ALWAYS TRIGGER ", SqlText::Name(trigger)}).str());
  install->add_triggers(trigger);
  AddLock(step, name, kAccessExclusive);

  v1::Step* fill = steps->Add(v1::PHASE_DROP, absl::StrCat("change ", label, " in the rows that are there"));
  v1::Backfill* backfill = fill->mutable_action()->mutable_backfill();
  backfill->set_table(name.Quoted());
  for (const InPlaceChange::Set& set : change.sets) {
    v1::Assignment* assignment = backfill->add_assignments();
    assignment->set_column(sql::Ident(set.column));
    assignment->set_expression(set.value.Qualified("t").str());
    assignment->set_origin(absl::StrCat("value: ", set.value.text()));
  }
  v1::Assignment* done = backfill->add_assignments();
  done->set_column(marker.str());
  done->set_expression("false");
  done->set_origin("marker");
  const SqlText pending = {"t.", marker, " AND ", holds("t")};
  backfill->set_pending(pending.str());
  backfill->set_search_path(SearchPath(table));
  AddLock(fill, name, kRowExclusive);
  const v1::Backfill repair = *backfill;

  v1::Step* look = steps->Add(v1::PHASE_DROP, absl::StrCat("verify that ", label, " was changed everywhere"));
  SetRowScan(table, absl::StrCat("no row of ", name.Quoted(), " is still unchanged"), repair, look);

  v1::Step* finish = steps->Add(v1::PHASE_DROP, absl::StrCat("remove the trigger that changes ", label));
  SetSql(finish->mutable_action(), {{"DROP TRIGGER IF EXISTS ", SqlText::Name(trigger), " ON ", relation},
                                    {"DROP FUNCTION IF EXISTS ", SqlText::Verified(function), "()"},
                                    {"ALTER TABLE ", relation, " DROP COLUMN IF EXISTS ", marker}});
  AddLock(finish, name, kAccessExclusive);

  AppendAnalyzeAfterWalk(table, v1::PHASE_DROP, steps);
}

}  // namespace curlew::operations
