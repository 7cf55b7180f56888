#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/operations/dual_write.h"
#include "common/operations/dual_write_parts.h"
#include "common/operations/operation.h"
#include "common/operations/policy.h"
#include "common/schema/schema.h"

namespace curlew::operations {

using sql::SqlText;
using sql::TableName;

void DualWrite::AppendInstall(StepList* steps) const {
  if (!Needed()) return;
  const v1::Table& table = work_.table;
  const TableName name = schema::NameOf(table);
  AppendNoChildrenPreflight(table, steps);
  AppendSeesAllRowsPreflight(table, steps);
  std::vector<std::string> kept;
  for (const Link& link : work_.links) {
    for (const NewColumn& column : link.to) kept.push_back(LabelOf(link, column));
  }
  for (const InsertDefault& fill : work_.insert_defaults) kept.push_back(sql::Ident(fill.column.name()));
  v1::Step* step =
      steps->Add(v1::PHASE_DUAL_WRITE, absl::StrCat("keep ", absl::StrJoin(kept, ", "), " of ",
                                                    sql::Ident(table.name()), " in step by triggers"));
  v1::InstallTrigger* install = step->mutable_action()->mutable_install_trigger();
  install->set_table(name.Quoted());
  std::vector<std::string> triggers;
  for (const NewColumn* column : Numbered()) {
    const std::string hash = HashOf(*column);
    const SqlText place = {"NEW.", SqlText::Name(column->name)};
    install->set_function(NumberFunction(hash));
    install->add_statements(SqlText({"CREATE SEQUENCE IF NOT EXISTS ", SqlText::Verified(column->sequence),
                                     " AS ", SqlText::Verified(column->type)})
                                .str());
    // SECURITY DEFINER: applications need no right on the sequence.
    install->add_statements(
        SqlText(
            {"CREATE OR REPLACE FUNCTION ", SqlText::Verified(NumberFunction(hash)),
             "() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS ",
             Quoted({"\nBEGIN\n  ", place, " := nextval(", SqlText::String(column->sequence),
                     ");\n  RETURN NEW;\nEND\n"})})
            .str());
    triggers.push_back(NumberTrigger(hash));
    install->add_statements(
        CreateRowTrigger(triggers.back(), "INSERT OR UPDATE", name, IsNull(place), NumberFunction(hash))
            .str());
  }
  if (!OnlyNumbers()) {
    install->set_function(DualWriteFunction(hash_));
    install->add_statements(CreateTriggerFunction(DualWriteFunction(hash_), table, Body()).str());
    install->add_statements(
        CreateRowTrigger(InsertTrigger(hash_), "INSERT", name, {}, DualWriteFunction(hash_)).str());
    install->add_statements(
        CreateRowTrigger(UpdateTrigger(hash_), "UPDATE", name, UpdateWhen(), DualWriteFunction(hash_)).str());
    triggers.insert(triggers.end(), {InsertTrigger(hash_), UpdateTrigger(hash_)});
  }
  if (Counts()) {
    SqlText count = {"\nBEGIN\n"};
    for (const auto& [setting, counter] :
         {std::make_pair(OldSetting(hash_), OldCounter()), std::make_pair(NewSetting(hash_), NewCounter())}) {
      count.Append({"  IF current_setting(", SqlText::String(setting),
                    ", true) = 'on' THEN\n    PERFORM nextval(", SqlText::String(counter), "), set_config(",
                    SqlText::String(setting), ", '', true);\n  END IF;\n"});
      install->add_statements(SqlText({"CREATE SEQUENCE IF NOT EXISTS ", SqlText::Verified(counter)}).str());
    }
    count.Append({"  RETURN NULL;\nEND\n"});
    // SECURITY DEFINER: applications need no right on the counters.
    install->add_statements(
        SqlText(
            {"CREATE OR REPLACE FUNCTION ", SqlText::Verified(CountFunction(hash_)),
             "() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS ",
             Quoted(count)})
            .str());
    install->add_statements(
        SqlText({"CREATE TRIGGER ", SqlText::Name(CountTrigger(hash_)), " AFTER INSERT OR UPDATE ON ",
                 SqlText::Name(name), " FOR EACH STATEMENT EXECUTE FUNCTION ",
                 SqlText::Verified(CountFunction(hash_)), "()"})
            .str());
    triggers.push_back(CountTrigger(hash_));
  }
  std::vector<SqlText> enable;
  for (const std::string& trigger : triggers) {
    install->add_triggers(trigger);
    // ALWAYS: also for the rows that a subscription applies.
    enable.push_back({"ENABLE ALWAYS TRIGGER ", SqlText::Name(trigger)});
  }
  install->add_statements(SqlText({"ALTER TABLE ", SqlText::Name(name), " ", Join(enable, ", ")}).str());

  // The columns leave with the triggers: without them the pairs would part.
  std::vector<SqlText> undo = DropTriggers(), drops;
  for (const Link& link : work_.links) {
    for (const NewColumn& column : link.to) {
      drops.push_back({"DROP COLUMN IF EXISTS ", SqlText::Name(column.name)});
    }
  }
  if (!marker_.empty()) drops.push_back({"DROP COLUMN IF EXISTS ", SqlText::Name(marker_)});
  if (!drops.empty()) undo.push_back({"ALTER TABLE ", SqlText::Name(name), " ", Join(drops, ", ")});
  for (const NewColumn* column : Numbered()) {
    undo.push_back({"DROP SEQUENCE IF EXISTS ", SqlText::Verified(column->sequence)});
  }
  SetSql(step->mutable_undo(), undo);
  AddLock(step, name, kShareRowExclusive);
}

}  // namespace curlew::operations
