#include "common/operations/dual_write.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/operations/operation.h"
#include "common/operations/policy.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;

// '~' sorts behind every other ASCII character, so that Curlew's triggers run last.
std::string InsertTrigger(const std::string& hash) { return "~curlew_insert_" + hash; }
std::string UpdateTrigger(const std::string& hash) { return "~curlew_update_" + hash; }
std::string CountTrigger(const std::string& hash) { return "~curlew_count_" + hash; }
// A column that is numbered has a trigger of its own, which fires before the others.
std::string NumberTrigger(const std::string& hash) { return "~curlew_fill_" + hash; }
std::string NumberFunction(const std::string& hash) { return "curlew.number_" + hash; }
std::string Function(const std::string& hash) { return "curlew.dual_write_" + hash; }
std::string CountFunction(const std::string& hash) { return "curlew.count_writes_" + hash; }
// Settings of the transaction by which the row trigger tells the statement trigger what it saw.
std::string OldSetting(const std::string& hash) { return "curlew.wrote_old_" + hash; }
std::string NewSetting(const std::string& hash) { return "curlew.wrote_new_" + hash; }

SqlText Body(const SqlText& text) {
  std::string tag = "$curlew$";
  while (absl::StrContains(text.str(), tag)) tag.insert(tag.size() - 1, "_");
  return SqlText::Verified(absl::StrCat(tag, text.str(), tag));
}

// `a` and `b`, both of one type, as a boolean that is never NULL.
SqlText Same(const SqlText& a, const SqlText& b, bool has_equality) {
  if (has_equality) return {a, " IS NOT DISTINCT FROM ", b};
  // Compares the images of two records; works for types without an equality operator, and with NULL.
  return {"ROW(", a, ")::record OPERATOR(pg_catalog.*=) ROW(", b, ")::record"};
}

// The same down to the bytes: what is equal but reads differently (1.0 and 1.00, citext) is not the same.
SqlText SameBytes(const SqlText& a, const SqlText& b, absl::string_view type, absl::string_view collation) {
  return Same(a, b, EqualMeansSame(type, collation));
}

SqlText Changed(absl::string_view column, absl::string_view type, absl::string_view collation) {
  const SqlText name = SqlText::Name(column);
  if (EqualMeansSame(type, collation)) return {"OLD.", name, " IS DISTINCT FROM NEW.", name};
  return {"ROW(OLD.", name, ")::record OPERATOR(pg_catalog.*<>) ROW(NEW.", name, ")::record"};
}

SqlText Join(const std::vector<SqlText>& parts, absl::string_view separator) {
  std::vector<std::string> texts;
  for (const SqlText& part : parts) texts.push_back(part.str());
  return SqlText::Verified(absl::StrJoin(texts, separator));
}

constexpr char kBackfill[] = "COALESCE(pg_catalog.current_setting('curlew.backfill', true), '')";

// Within the function: whether the statement is the backfill's. Not by the table's name: whoever writes
// through a view or a function of another role may lack USAGE on the table's schema, and would fail to look
// it up.
SqlText IsBackfill(const v1::Table& table) {
  if (table.kind() != v1::TABLE_KIND_PARTITIONED) return {kBackfill, " = TG_RELID::pg_catalog.text"};
  return {"EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(TG_RELID) AS a WHERE ", kBackfill,
          " = a.relid::pg_catalog.oid::pg_catalog.text)"};
}

SqlText Note(const std::string& setting) {
  return {"PERFORM pg_catalog.set_config(", SqlText::String(setting), ", 'on', true);"};
}

// Whether a new column of the link is NULL in `row`.
SqlText NullIn(const Link& link, absl::string_view row) {
  std::vector<SqlText> parts;
  for (const NewColumn& column : link.to) {
    parts.push_back(IsNull({SqlText::Verified(std::string(row)), ".", SqlText::Name(column.name)}));
  }
  return parts.size() == 1 ? parts[0] : SqlText{"(", Join(parts, " OR "), ")"};
}

// The column as people know it.
std::string LabelOf(const Link& link, const NewColumn& column) {
  return link.hidden ? absl::StrCat("the new ", sql::Ident(link.from[0].column.name()))
                     : sql::Ident(column.name);
}

// Whether an INSERT that gives the column can be told from one that leaves it out.
bool ShowsInInsert(const v1::Column& column) {
  return column.default_().empty() && column.identity().empty() && column.generated().empty();
}

}  // namespace

bool EqualMeansSame(absl::string_view type, absl::string_view collation) {
  static const auto* const types = new std::set<std::string>{"boolean",
                                                             "smallint",
                                                             "integer",
                                                             "bigint",
                                                             "oid",
                                                             "uuid",
                                                             "text",
                                                             "bytea",
                                                             "date",
                                                             "timestamp without time zone",
                                                             "timestamp with time zone",
                                                             "timestamptz",
                                                             "timestamp",
                                                             "int",
                                                             "int4",
                                                             "int8",
                                                             "int2",
                                                             "bool"};
  if (!collation.empty()) return false;
  return types->count(std::string(type)) > 0 || absl::StartsWith(type, "character varying") ||
         absl::StartsWith(type, "varchar");
}

SqlText BypassInWhen(const TableName& table) {
  // The setting names this table, and no trigger stands between.
  return {"(pg_catalog.pg_trigger_depth() = 0 AND ", kBackfill, " = ", SqlText::String(table.Quoted()),
          "::pg_catalog.regclass::pg_catalog.oid::pg_catalog.text)"};
}

SqlText Assign(const v1::Table& table, const SqlText& place, absl::string_view column,
               const sql::Expression& expression, const char* which) {
  const SqlText assignment = {place, " := ", expression.Qualified("NEW"), ";"};
  // A bare column cannot fail and is spared the subtransaction that an EXCEPTION block costs.
  if (expression.IsColumn()) return assignment;
  const bool has_key = std::any_of(table.constraints().begin(), table.constraints().end(),
                                   [](const auto& c) { return c.type() == v1::CONSTRAINT_TYPE_PRIMARY_KEY; });
  const SqlText key = has_key ? SqlText{"COALESCE(", RowKey(table, "NEW"), ", '')"}
                              : SqlText::String(sql::Ident(table.name()) + " (a row without a primary key)");
  const std::string message = absl::StrCat("curlew: cannot compute ", schema::NameOf(table).Quoted(), ".",
                                           sql::Ident(column), " with `", which, "` for row ");
  return {"BEGIN ",
          assignment,
          " EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = ",
          SqlText::String(message),
          " || ",
          key,
          " || ': ' || SQLERRM, DETAIL = ",
          SqlText::String(absl::StrCat(which, ": ", expression.text())),
          ", HINT = 'Write a value that the expression takes, or roll the rollout back.'; END;"};
}

SqlText CreateTriggerFunction(absl::string_view function, const v1::Table& table, const SqlText& body) {
  SqlText create = {"CREATE OR REPLACE FUNCTION ", SqlText::Verified(std::string(function)),
                    "() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER SET search_path = ",
                    SqlText::Verified(SearchPath(table))};
  // The body is read in the application's session, where '\\d' may mean something else.
  if (absl::StrContains(body.str(), '\\')) create.Append({" SET standard_conforming_strings = on"});
  return create.Append({" AS ", Body(body)});
}

SqlText CreateRowTrigger(absl::string_view trigger, const char* event, const TableName& table,
                         const SqlText& when, absl::string_view function) {
  SqlText create = {
      "CREATE TRIGGER ",    SqlText::Name(trigger), " BEFORE ", SqlText::Verified(event), " ON ",
      SqlText::Name(table), " FOR EACH ROW "};
  if (!when.empty()) create.Append({"WHEN (", when, ") "});
  create.Append({"EXECUTE FUNCTION ", SqlText::Verified(std::string(function)), "()"});
  return create;
}

void AppendNoChildrenPreflight(const v1::Table& table, StepList* steps) {
  // A partitioned table's triggers are its partitions' too; one that others inherit from keeps its own.
  if (table.kind() == v1::TABLE_KIND_PARTITIONED) return;
  const std::string name = schema::NameOf(table).Quoted();
  AppendCataloguePreflight(
      table, absl::StrCat("no table inherits from ", name, ", whose triggers would not see its rows"),
      {"SELECT count(*) FROM pg_catalog.pg_inherits WHERE inhparent = ", SqlText::String(name),
       "::pg_catalog.regclass"},
      "Take the children out (ALTER TABLE ... NO INHERIT) or make them partitions, then resume the rollout.",
      steps);
}

DualWrite::DualWrite(const TableWork& work)
    : work_(work), hash_(sql::HashedName("", {work.table.schema(), work.table.name()})) {
  for (const Link& link : work_.links) {
    for (const NewColumn& column : link.to) {
      // NULL will not do where it can mean something else.
      if (!column.not_null) marker_ = "curlew_pending_" + hash_;
    }
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
  statements.push_back({"DROP FUNCTION IF EXISTS ", SqlText::Verified(Function(hash_)), "()"});
  if (Counts()) {
    statements.push_back({"DROP FUNCTION IF EXISTS ", SqlText::Verified(CountFunction(hash_)), "()"});
    statements.push_back(
        {"DROP SEQUENCE IF EXISTS ", SqlText::Verified(OldCounter()), ", ", SqlText::Verified(NewCounter())});
  }
  return statements;
}

SqlText DualWrite::PendingOf(absl::string_view row) const {
  if (!marker_.empty()) return {SqlText::Verified(std::string(row)), ".", SqlText::Name(marker_)};
  std::vector<SqlText> parts;
  for (const Link& link : work_.links) parts.push_back(NullIn(link, row));
  return parts.size() == 1 ? parts[0] : SqlText{"(", Join(parts, " OR "), ")"};
}

// What decides about one link: whether the new columns were written, and the old ones follow.
SqlText DualWrite::LinkBody(const Link& link, int number) const {
  const v1::Table& table = work_.table;
  SqlText body;
  if (link.from.empty()) {
    // Filled only: a value that somebody wrote stays.
    for (const NewColumn& column : link.to) {
      if (!column.sequence.empty()) continue;
      const SqlText place = {"NEW.", SqlText::Name(column.name)};
      body.Append({"  IF ", marker_.empty() ? SqlText{} : SqlText{"pending AND "}, IsNull(place), " THEN ",
                   Assign(table, place, column.name, column.up, "up"), " END IF;\n"});
    }
    return body;
  }
  std::vector<SqlText> old_given, old_shown, new_given, old_changed, new_changed, to_agree, from_agree;
  SqlText compute_up, compute_down, take_up, take_down, declare;
  const std::string n = absl::StrCat(number);
  for (size_t i = 0; i < link.to.size(); ++i) {
    const NewColumn& column = link.to[i];
    const SqlText place = {"NEW.", SqlText::Name(column.name)};
    const SqlText value = SqlText::Verified(absl::StrCat("up_", n, "_", i + 1));
    new_given.push_back(IsGiven(place));
    new_changed.push_back(Changed(column.name, column.type, column.collation));
    declare.Append({"  ", value, " ", SqlText::Verified(column.type), ";\n"});
    compute_up.Append({"    ", Assign(table, value, column.name, column.up, "up"), "\n"});
    take_up.Append({"    ", place, " := ", value, ";\n"});
    to_agree.push_back(SameBytes(place, value, column.type, column.collation));
  }
  for (size_t i = 0; i < link.from.size(); ++i) {
    const v1::Column& column = link.from[i].column;
    const SqlText place = {"NEW.", SqlText::Name(column.name())};
    const SqlText value = SqlText::Verified(absl::StrCat("down_", n, "_", i + 1));
    old_given.push_back(IsGiven(place));
    if (ShowsInInsert(column)) old_shown.push_back(IsGiven(place));
    old_changed.push_back(Changed(column.name(), column.type(), column.collation()));
    declare.Append({"  ", value, " ", SqlText::Verified(column.type()), ";\n"});
    compute_down.Append({"    ", Assign(table, value, column.name(), link.from[i].down, "down"), "\n"});
    take_down.Append({"      ", place, " := ", value, ";\n"});
    from_agree.push_back(SameBytes(place, value, column.type(), column.collation()));
  }
  // Who says that it writes the new shape cannot mean columns that it does not know.
  const SqlText shape_new =
      link.hidden ? SqlText{"false"}
                  : SqlText{"COALESCE(pg_catalog.current_setting('curlew.shape', true), '') = 'new'"};
  const SqlText pending = marker_.empty() ? NullIn(link, "NEW") : SqlText{"pending"};
  // Who wrote, told to the statement's trigger. A default hides it; and a row that comes from another
  // partition gives both columns, whoever moved it.
  SqlText count_insert, count_update;
  if (!link.hidden) {
    const bool moves = table.kind() == v1::TABLE_KIND_PARTITIONED;
    count_insert = {"    IF new_written", moves ? SqlText{" AND NOT old_written"} : SqlText{}, " THEN ",
                    Note(NewSetting(hash_))};
    if (!old_shown.empty()) {
      count_insert.Append(
          {" ELSIF NOT new_written AND (", Join(old_shown, " OR "), ") THEN ", Note(OldSetting(hash_))});
    }
    count_insert.Append({" END IF;\n"});
    count_update = {"    IF new_written THEN ", Note(NewSetting(hash_)), " ELSIF old_written THEN ",
                    Note(OldSetting(hash_)), " END IF;\n"};
  }
  return {"  DECLARE\n  old_written boolean;\n  new_written boolean;\n  untouched boolean := false;\n",
          declare, "  BEGIN\n  IF TG_OP = 'INSERT' THEN\n    old_written := ", Join(old_given, " OR "),
          ";\n    new_written := ", Join(new_given, " OR "), " OR ", shape_new, ";\n", count_insert,
          "  ELSE\n    old_written := ", Join(old_changed, " OR "),
          ";\n    new_written := ", Join(new_changed, " OR "),
          ";\n"
          // Another link's columns, or the count's, brought us here.
          "    untouched := NOT old_written AND NOT new_written AND NOT ",
          pending, ";\n", count_update, "    new_written := new_written OR (NOT old_written AND ", shape_new,
          ");\n",
          // The backfill's own write, changed by an application's trigger on the way: the old columns win.
          "    IF pg_catalog.pg_trigger_depth() = 1 AND ", kBackfill, " <> '' THEN\n      IF ",
          IsBackfill(table),
          " THEN new_written := false; END IF;\n    END IF;\n  END IF;\n"
          "  IF untouched THEN\n    NULL;\n  ELSIF NOT new_written THEN\n",
          compute_up, take_up, "  ELSE\n", compute_down, "    IF ", Join(from_agree, " AND "),
          " THEN\n      NULL;\n",
          // Both were written: a pair that agrees the other way round, such as a row that moves to another
          // partition, stays; otherwise the new one wins. `up` is not looked at where only the new was
          // written, since the old value may be one that it cannot take.
          "    ELSIF old_written THEN\n", compute_up, "      IF NOT (", Join(to_agree, " AND "), ") THEN\n",
          take_down, "      END IF;\n    ELSE\n", take_down, "    END IF;\n  END IF;\n  END;\n"};
}

SqlText DualWrite::Body() const {
  SqlText body = {"\n"};
  if (!marker_.empty()) body.Append({"DECLARE\n  pending boolean := true;\n"});
  body.Append({"BEGIN\n"});
  if (!marker_.empty()) {
    body.Append({"  IF TG_OP = 'UPDATE' THEN pending := ", PendingOf("OLD"), "; END IF;\n"});
  }
  for (size_t i = 0; i < work_.links.size(); ++i) body.Append({LinkBody(work_.links[i], i + 1)});
  // After the links: the value may be computed from what they fill.
  for (const InsertDefault& fill : work_.insert_defaults) {
    const v1::Column& column = fill.column;
    const SqlText place = {"NEW.", SqlText::Name(column.name())};
    body.Append({"  IF TG_OP = 'INSERT' THEN\n    IF ", IsNull(place), " THEN\n      ",
                 Assign(work_.table, place, column.name(), fill.value, "down"), "\n    ",
                 ShowsInInsert(column) ? SqlText{"ELSE ", Note(OldSetting(hash_))} : SqlText{}, " END IF;\n",
                 "  ELSIF ", Changed(column.name(), column.type(), column.collation()), " THEN ",
                 Note(OldSetting(hash_)), "\n  END IF;\n"});
  }
  if (!marker_.empty()) body.Append({"  NEW.", SqlText::Name(marker_), " := false;\n"});
  return body.Append({"  RETURN NEW;\nEND\n"});
}

SqlText DualWrite::UpdateWhen() const {
  std::vector<SqlText> old_changed, new_changed;
  for (const Link& link : work_.links) {
    for (const OldColumn& old : link.from) {
      old_changed.push_back(Changed(old.column.name(), old.column.type(), old.column.collation()));
    }
    if (link.from.empty()) continue;
    for (const NewColumn& column : link.to) {
      new_changed.push_back(Changed(column.name, column.type, column.collation));
    }
  }
  for (const InsertDefault& fill : work_.insert_defaults) {
    old_changed.push_back(Changed(fill.column.name(), fill.column.type(), fill.column.collation()));
  }
  if (!work_.links.empty()) {
    new_changed.push_back(marker_.empty() ? PendingOf("NEW") : PendingOf("OLD"));
    old_changed.push_back(
        {"((", Join(new_changed, " OR "), ") AND NOT ", BypassInWhen(schema::NameOf(work_.table)), ")"});
  }
  return Join(old_changed, " OR ");
}

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
             curlew::operations::Body({"\nBEGIN\n  ", place, " := nextval(",
                                       SqlText::String(column->sequence), ");\n  RETURN NEW;\nEND\n"})})
            .str());
    triggers.push_back(NumberTrigger(hash));
    install->add_statements(
        CreateRowTrigger(triggers.back(), "INSERT OR UPDATE", name, IsNull(place), NumberFunction(hash))
            .str());
  }
  if (!OnlyNumbers()) {
    install->set_function(Function(hash_));
    install->add_statements(CreateTriggerFunction(Function(hash_), table, Body()).str());
    install->add_statements(
        CreateRowTrigger(InsertTrigger(hash_), "INSERT", name, {}, Function(hash_)).str());
    install->add_statements(
        CreateRowTrigger(UpdateTrigger(hash_), "UPDATE", name, UpdateWhen(), Function(hash_)).str());
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
             curlew::operations::Body(count)})
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

void DualWrite::AppendBackfill(StepList* steps) const {
  if (work_.links.empty()) return;
  const v1::Table& table = work_.table;
  const TableName name = schema::NameOf(table);
  std::vector<std::string> columns;
  size_t count = 0;
  for (const Link& link : work_.links) count += link.to.size();
  v1::Action action;
  v1::Backfill* backfill = action.mutable_backfill();
  backfill->set_table(name.Quoted());
  for (const Link& link : work_.links) {
    for (const NewColumn& column : link.to) {
      const SqlText to = SqlText::Name(column.name), value = column.up.Qualified("t");
      columns.push_back(LabelOf(link, column));
      v1::Assignment* assignment = backfill->add_assignments();
      assignment->set_column(to.str());
      // A value that somebody wrote into a pending row of a column that is only filled stays, and where NULL
      // says what is pending, so does that of a column which is not NULL while another one is.
      const bool keeps = marker_.empty() ? count > 1 : link.from.empty();
      assignment->set_expression(keeps ? SqlText({"COALESCE(t.", to, ", ", value, ")"}).str() : value.str());
      assignment->set_origin(absl::StrCat("up: ", column.up.text()));
    }
  }
  if (!marker_.empty()) {
    v1::Assignment* marker = backfill->add_assignments();
    marker->set_column(sql::Ident(marker_));
    marker->set_expression("false");
    marker->set_origin("marker");
  }
  backfill->set_pending(PendingOf("t").str());
  backfill->set_search_path(SearchPath(table));
  v1::Step* fill = steps->Add(v1::PHASE_BACKFILL,
                              absl::StrCat("fill ", absl::StrJoin(columns, ", "), " of ",
                                           sql::Ident(table.name()), " in the rows that were there before"));
  *fill->mutable_action() = action;
  AddLock(fill, name, kRowExclusive);

  v1::Step* analyze = steps->Add(v1::PHASE_BACKFILL,
                                 absl::StrCat("refresh planner statistics of ", sql::Ident(table.name())));
  analyze->mutable_action()->mutable_analyze()->set_table(name.Quoted());
  AddLock(analyze, name, kShareUpdateExclusive);
  AppendVerify(steps);
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

void DualWrite::AppendVerify(StepList* steps) const {
  const v1::Table& table = work_.table;
  const TableName name = schema::NameOf(table);
  v1::Step* step =
      steps->Add(v1::PHASE_BACKFILL, absl::StrCat("verify every row of ", sql::Ident(table.name())));
  step->set_scans(true);
  AddLock(step, name, kAccessShare);
  v1::Verify* verify = step->mutable_action()->mutable_verify();
  verify->set_search_path(SearchPath(table));
  auto add_check = [&](std::string description, const SqlText& violation) {
    const SqlText where = {" FROM ", SqlText::Name(name), " AS t WHERE ", violation};
    v1::Check* check = verify->add_checks();
    check->set_description(std::move(description));
    check->set_count_query(SqlText({"SELECT count(*)", where}).str());
    check->set_key_query(SqlText({"SELECT ", RowKey(table, "t"), where}).str());
    check->set_hint(
        "Something wrote these rows past the triggers (session_replication_role, a disabled trigger). Update "
        "them once, then resume the rollout.");
    check->set_table(name.Quoted());
  };
  std::vector<std::string> filled;
  for (const Link& link : work_.links) {
    for (const NewColumn& column : link.to) filled.push_back(sql::Ident(column.name));
  }
  add_check(absl::StrCat("no row of ", name.Quoted(), " is still without its ", absl::StrJoin(filled, ", ")),
            PendingOf("t"));
  for (const Link& link : work_.links) {
    const bool is_volatile = std::any_of(link.to.begin(), link.to.end(),
                                         [](const NewColumn& column) { return column.up.MayBeVolatile(); });
    if (link.from.empty() || is_volatile) continue;
    std::vector<SqlText> ups, downs;
    std::vector<std::string> olds, news;
    for (const NewColumn& column : link.to) {
      const SqlText up = {"CAST(", column.up.Qualified("t"), " AS ", SqlText::Verified(column.type), ")"};
      ups.push_back(Same({"t.", SqlText::Name(column.name)}, up, column.has_equality));
      news.push_back(sql::Ident(column.name));
    }
    for (const OldColumn& old : link.from) {
      const SqlText down = {"CAST(", old.down.Qualified("t"), " AS ", SqlText::Verified(old.column.type()),
                            ")"};
      downs.push_back(Same({"t.", SqlText::Name(old.column.name())}, down, old.column.has_equality()));
      olds.push_back(sql::Ident(old.column.name()));
    }
    // CASE fixes the order: `up` is only tried where the way back does not hold, since the new application
    // may have written a row whose old value `up` cannot take.
    add_check(absl::StrCat(absl::StrJoin(olds, ", "), " and ", absl::StrJoin(news, ", "),
                           " agree in every row of ", name.Quoted()),
              {"CASE WHEN ", Join(downs, " AND "), " THEN false ELSE NOT (", Join(ups, " AND "), ") END"});
  }
}

}  // namespace curlew::operations
