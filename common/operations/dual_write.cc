#include "common/operations/dual_write.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/operations/operation.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;

std::string Hashed(absl::string_view prefix, const v1::Table& table, absl::string_view column) {
  return sql::HashedName(prefix, {table.schema(), table.name(), column});
}

SqlText Body(const SqlText& text) {
  std::string tag = "$curlew$";
  while (absl::StrContains(text.str(), tag)) tag.insert(tag.size() - 1, "_");
  return SqlText::Verified(absl::StrCat(tag, text.str(), tag));
}

// `a` and `b`, both of `type`, as a boolean that is never NULL.
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

constexpr char kBackfill[] = "COALESCE(pg_catalog.current_setting('curlew.backfill', true), '')";

// In WHEN: whether the statement is the backfill's own: its setting names this table, and no trigger stands
// between.
SqlText Bypass(const TableName& table) {
  return {"(pg_catalog.pg_trigger_depth() = 0 AND ", kBackfill, " = ", SqlText::String(table.Quoted()),
          "::pg_catalog.regclass::pg_catalog.oid::pg_catalog.text)"};
}

// The same within the function. Not by the table's name: whoever writes through a view or a function of
// another role may lack USAGE on the table's schema, and would fail to look it up.
SqlText IsBackfill(const v1::Table& table) {
  if (table.kind() != v1::TABLE_KIND_PARTITIONED) return {kBackfill, " = TG_RELID::pg_catalog.text"};
  return {"EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(TG_RELID) AS a WHERE ", kBackfill,
          " = a.relid::pg_catalog.oid::pg_catalog.text)"};
}

// `place` := expression, for the value of `column`, with an error that names column, row and expression. A
// bare column cannot fail and is spared the subtransaction that an EXCEPTION block costs.
SqlText Assign(const v1::Table& table, const SqlText& place, absl::string_view column,
               const sql::Expression& expression, const char* which) {
  const SqlText assignment = {place, " := ", expression.Qualified("NEW"), ";"};
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

SqlText CreateFunction(absl::string_view function, const v1::Table& table, const SqlText& body) {
  SqlText create = {"CREATE OR REPLACE FUNCTION ", SqlText::Verified(std::string(function)),
                    "() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER SET search_path = ",
                    SqlText::Verified(SearchPath(table))};
  // The body is read in the application's session, where '\d' may mean something else.
  if (absl::StrContains(body.str(), '\\')) create.Append({" SET standard_conforming_strings = on"});
  return create.Append({" AS ", Body(body)});
}

SqlText CreateTrigger(absl::string_view trigger, const char* event, const TableName& table,
                      const SqlText& when, absl::string_view function) {
  SqlText create = {
      "CREATE TRIGGER ",    SqlText::Name(trigger), " BEFORE ", SqlText::Verified(event), " ON ",
      SqlText::Name(table), " FOR EACH ROW "};
  if (!when.empty()) create.Append({"WHEN (", when, ") "});
  create.Append({"EXECUTE FUNCTION ", SqlText::Verified(std::string(function)), "()"});
  return create;
}

// What decides, in the function: whether the new column was written, and the old follows.
SqlText PairBody(const ColumnPair& pair) {
  const v1::Table& table = *pair.table;
  const SqlText to = SqlText::Name(pair.to);
  SqlText body = {"\nBEGIN\n"};
  if (pair.from == nullptr) {
    // Filled only: a value that somebody wrote stays.
    body.Append({"  IF ", IsNull({"NEW.", to}), " THEN ", Assign(table, {"NEW.", to}, pair.to, pair.up, "up"),
                 " END IF;\n"});
  } else {
    const SqlText from = SqlText::Name(pair.from->name());
    const SqlText shape_new = {"COALESCE(pg_catalog.current_setting('curlew.shape', true), '') = 'new'"};
    const SqlText old_changed = Changed(pair.from->name(), pair.from->type(), pair.from->collation());
    const SqlText new_changed = Changed(pair.to, pair.to_type, pair.to_collation);
    const SqlText new_to = {"NEW.", to}, new_from = {"NEW.", from};
    const SqlText compute_up = Assign(table, {"up_value"}, pair.to, pair.up, "up");
    const SqlText compute_down = Assign(table, {"down_value"}, pair.from->name(), *pair.down, "down");
    body = {"\nDECLARE\n  old_written boolean;\n  new_written boolean;\n  up_value ",
            SqlText::Verified(pair.to_type), ";\n  down_value ", SqlText::Verified(pair.from->type()),
            ";\nBEGIN\n", "  IF TG_OP = 'INSERT' THEN\n", "    old_written := ", IsGiven(new_from), ";\n",
            "    new_written := ", IsGiven(new_to), " OR ", shape_new, ";\n", "  ELSE\n",
            "    old_written := ", old_changed, ";\n", "    new_written := ", new_changed,
            " OR (NOT old_written AND ", shape_new, ");\n",
            // The backfill's own write, changed by an application's trigger on the way: the old column wins.
            "    IF pg_catalog.pg_trigger_depth() = 1 AND ", kBackfill, " <> '' THEN\n", "      IF ",
            IsBackfill(table), " THEN new_written := false; END IF;\n", "    END IF;\n", "  END IF;\n",
            "  IF NOT new_written THEN\n    ", compute_up, "\n    ", new_to, " := up_value;\n",
            "  ELSE\n    ", compute_down, "\n", "    IF ",
            SameBytes(new_from, {"down_value"}, pair.from->type(), pair.from->collation()),
            " THEN\n      NULL;\n",
            // Both were written: a pair that agrees the other way round, such as a row that moves to another
            // partition, stays; otherwise the new one wins. `up` is not looked at where only the new was
            // written, since the old value may be one that it cannot take.
            "    ELSIF old_written THEN\n      ", compute_up, "\n      IF NOT (",
            SameBytes(new_to, {"up_value"}, pair.to_type, pair.to_collation), ") THEN ", new_from,
            " := down_value; END IF;\n", "    ELSE\n      ", new_from,
            " := down_value;\n    END IF;\n  END IF;\n"};
  }
  if (pair.pending == Pending::kMarker) body.Append({"  NEW.", SqlText::Name(pair.Marker()), " := false;\n"});
  body.Append({"  RETURN NEW;\nEND\n"});
  return body;
}

SqlText UpdateWhen(const ColumnPair& pair) {
  const SqlText pending = pair.pending == Pending::kMarker ? SqlText{"OLD.", SqlText::Name(pair.Marker())}
                                                           : IsNull({"NEW.", SqlText::Name(pair.to)});
  const SqlText bypass = Bypass(schema::NameOf(*pair.table));
  if (pair.from == nullptr) return {pending, " AND NOT ", bypass};
  return {Changed(pair.from->name(), pair.from->type(), pair.from->collation()),
          " OR ((",
          Changed(pair.to, pair.to_type, pair.to_collation),
          " OR ",
          pending,
          ") AND NOT ",
          bypass,
          ")"};
}

void AppendInstall(const v1::Table& table, absl::string_view function, const SqlText& body,
                   const std::vector<std::pair<std::string, SqlText>>& triggers, absl::string_view title,
                   const std::vector<SqlText>& undo, StepList* steps) {
  const TableName name = schema::NameOf(table);
  if (table.kind() != v1::TABLE_KIND_PARTITIONED) {
    // A partitioned table's triggers are its partitions' too; one that others inherit from keeps its own.
    AppendCataloguePreflight(
        table,
        absl::StrCat("no table inherits from ", name.Quoted(), ", whose triggers would not see its rows"),
        {"SELECT count(*) FROM pg_catalog.pg_inherits WHERE inhparent = ", SqlText::String(name.Quoted()),
         "::pg_catalog.regclass"},
        "Take the children out (ALTER TABLE ... NO INHERIT) or make them partitions, then resume the "
        "rollout.",
        steps);
  }
  v1::Step* step = steps->Add(v1::PHASE_DUAL_WRITE, std::string(title));
  v1::InstallTrigger* install = step->mutable_action()->mutable_install_trigger();
  install->set_table(name.Quoted());
  install->set_function(std::string(function));
  install->add_statements(CreateFunction(function, table, body).str());
  SqlText enable = {"ALTER TABLE ", SqlText::Name(name)};
  for (size_t i = 0; i < triggers.size(); ++i) {
    install->add_statements(triggers[i].second.str());
    install->add_triggers(triggers[i].first);
    enable.Append(
        {i == 0 ? SqlText{} : SqlText{","}, " ENABLE ALWAYS TRIGGER ", SqlText::Name(triggers[i].first)});
  }
  // ALWAYS: also for the rows that a subscription applies.
  install->add_statements(enable.str());
  SetSql(step->mutable_undo(), undo);
  AddLock(step, name, kShareRowExclusive);
}

}  // namespace

// '~' sorts behind every other ASCII character, so that Curlew's triggers run last.
std::string ColumnPair::Marker() const { return Hashed("curlew_pending_", *table, to); }
std::string ColumnPair::Function() const {
  return absl::StrCat("curlew.", Hashed("dual_write_", *table, to));
}
std::string ColumnPair::InsertTrigger() const { return Hashed("~curlew_insert_", *table, to); }
std::string ColumnPair::UpdateTrigger() const { return Hashed("~curlew_update_", *table, to); }
std::string InsertDefault::Function() const {
  return absl::StrCat("curlew.", Hashed("insert_default_", *table, column));
}
// Behind those of pairs: the value may be computed from what they fill.
std::string InsertDefault::Trigger() const { return Hashed("~curlew_last_", *table, column); }

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

SqlText AddMarker(const ColumnPair& pair) {
  if (pair.pending != Pending::kMarker) return {};
  return {"ADD COLUMN ", SqlText::Name(pair.Marker()), " boolean NOT NULL DEFAULT true"};
}

std::vector<SqlText> DropTriggers(const ColumnPair& pair) {
  const SqlText table = SqlText::Name(schema::NameOf(*pair.table));
  return {{"DROP TRIGGER IF EXISTS ", SqlText::Name(pair.InsertTrigger()), " ON ", table},
          {"DROP TRIGGER IF EXISTS ", SqlText::Name(pair.UpdateTrigger()), " ON ", table},
          {"DROP FUNCTION IF EXISTS ", SqlText::Verified(pair.Function()), "()"}};
}

std::vector<SqlText> DropPair(const ColumnPair& pair) {
  std::vector<SqlText> statements = DropTriggers(pair);
  SqlText drop = {"ALTER TABLE ", SqlText::Name(schema::NameOf(*pair.table)), " DROP COLUMN IF EXISTS ",
                  SqlText::Name(pair.to)};
  if (pair.pending == Pending::kMarker)
    drop.Append({", DROP COLUMN IF EXISTS ", SqlText::Name(pair.Marker())});
  statements.push_back(drop);
  return statements;
}

void AppendPair(const ColumnPair& pair, StepList* steps) {
  const v1::Table& table = *pair.table;
  const TableName name = schema::NameOf(table);
  const SqlText to = SqlText::Name(pair.to);
  const std::string label = absl::StrCat(sql::Ident(table.name()), ".", sql::Ident(pair.to));

  AppendInstall(
      table, pair.Function(), PairBody(pair),
      {{pair.InsertTrigger(), CreateTrigger(pair.InsertTrigger(), "INSERT", name, {}, pair.Function())},
       {pair.UpdateTrigger(),
        CreateTrigger(pair.UpdateTrigger(), "UPDATE", name, UpdateWhen(pair), pair.Function())}},
      pair.from == nullptr
          ? absl::StrCat("fill ", label, " in new and written rows by trigger")
          : absl::StrCat("keep ", sql::Ident(table.name()), ".", sql::Ident(pair.from->name()), " and ",
                         sql::Ident(pair.to), " in step by triggers"),
      DropPair(pair), steps);

  const SqlText pending =
      pair.pending == Pending::kMarker ? SqlText{"t.", SqlText::Name(pair.Marker())} : IsNull({"t.", to});
  v1::Step* fill =
      steps->Add(v1::PHASE_BACKFILL, absl::StrCat("fill ", label, " in the rows that were there before"));
  v1::Backfill* backfill = fill->mutable_action()->mutable_backfill();
  backfill->set_table(name.Quoted());
  v1::Assignment* assignment = backfill->add_assignments();
  assignment->set_column(to.str());
  // A value that somebody wrote into a pending row of a column that is only filled stays.
  const SqlText value = pair.up.Qualified("t");
  assignment->set_expression(pair.from != nullptr || pair.pending == Pending::kNull
                                 ? value.str()
                                 : SqlText({"COALESCE(t.", to, ", ", value, ")"}).str());
  assignment->set_origin(absl::StrCat("up: ", pair.up.text()));
  if (pair.pending == Pending::kMarker) {
    v1::Assignment* marker = backfill->add_assignments();
    marker->set_column(sql::Ident(pair.Marker()));
    marker->set_expression("false");
    marker->set_origin("marker");
  }
  backfill->set_pending(pending.str());
  backfill->set_search_path(SearchPath(table));
  AddLock(fill, name, kRowExclusive);

  v1::Step* analyze = steps->Add(v1::PHASE_BACKFILL,
                                 absl::StrCat("refresh planner statistics of ", sql::Ident(table.name())));
  analyze->mutable_action()->mutable_analyze()->set_table(name.Quoted());
  AddLock(analyze, name, kShareUpdateExclusive);

  v1::Step* step = steps->Add(v1::PHASE_BACKFILL, absl::StrCat("verify every row of ", label));
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
        "them "
        "once, then resume the rollout.");
    check->set_table(name.Quoted());
  };
  add_check(absl::StrCat("no row of ", name.Quoted(), " is still without its ", to.str()), pending);
  if (pair.from != nullptr && !pair.up.MayBeVolatile()) {
    const SqlText from = SqlText::Name(pair.from->name());
    const SqlText up = {"CAST(", pair.up.Qualified("t"), " AS ", SqlText::Verified(pair.to_type), ")"};
    const SqlText down = {"CAST(", pair.down->Qualified("t"), " AS ", SqlText::Verified(pair.from->type()),
                          ")"};
    // CASE fixes the order: `up` is only tried where the way back does not hold, since the new application
    // may have written a row whose old value `up` cannot take.
    add_check(absl::StrCat(from.str(), " and ", to.str(), " agree in every row of ", name.Quoted()),
              {"CASE WHEN ", Same({"t.", from}, down, pair.from->has_equality()), " THEN false ELSE NOT (",
               Same({"t.", to}, up, pair.to_has_equality), ") END"});
  }
}

void AppendInsertDefault(const InsertDefault& fill, StepList* steps) {
  const v1::Table& table = *fill.table;
  const TableName name = schema::NameOf(table);
  const SqlText when = IsNull({"NEW.", SqlText::Name(fill.column)});
  AppendInstall(
      table, fill.Function(),
      {"\nBEGIN\n  ", Assign(table, {"NEW.", SqlText::Name(fill.column)}, fill.column, fill.value, "down"),
       "\n  RETURN NEW;\nEND\n"},
      {{fill.Trigger(), CreateTrigger(fill.Trigger(), "INSERT", name, when, fill.Function())}},
      absl::StrCat("give ", sql::Ident(table.name()), ".", sql::Ident(fill.column),
                   " a value in rows that are inserted without one"),
      DropTriggers(fill), steps);
}

std::vector<SqlText> DropTriggers(const InsertDefault& fill) {
  const SqlText table = SqlText::Name(schema::NameOf(*fill.table));
  return {{"DROP TRIGGER IF EXISTS ", SqlText::Name(fill.Trigger()), " ON ", table},
          {"DROP FUNCTION IF EXISTS ", SqlText::Verified(fill.Function()), "()"}};
}

}  // namespace curlew::operations
