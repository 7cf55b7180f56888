#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/operations/dual_write.h"
#include "common/operations/dual_write_parts.h"
#include "common/operations/operation.h"
#include "common/schema/schema.h"

namespace curlew::operations {

using sql::SqlText;

namespace {

// The same down to the bytes: what is equal but reads differently (1.0 and 1.00, citext) is not the same.
SqlText SameBytes(const SqlText& a, const SqlText& b, absl::string_view type, absl::string_view collation) {
  return Same(a, b, EqualMeansSame(type, collation));
}

// Within the function: whether the statement is the backfill's. Not by the table's name: whoever writes
// through a view or a function of another role may lack USAGE on the table's schema, and would fail to look
// it up.
SqlText IsBackfill(const v1::Table& table) {
  if (table.kind() != v1::TABLE_KIND_PARTITIONED) return {kBackfillSetting, " = TG_RELID::pg_catalog.text"};
  return {"EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(TG_RELID) AS a WHERE ", kBackfillSetting,
          " = a.relid::pg_catalog.oid::pg_catalog.text)"};
}

SqlText Note(const std::string& setting) {
  return {"PERFORM pg_catalog.set_config(", SqlText::String(setting), ", 'on', true);"};
}

// Whether an INSERT that gives the column can be told from one that leaves it out.
bool ShowsInInsert(const v1::Column& column) {
  return column.default_().empty() && column.identity().empty() && column.generated().empty();
}

}  // namespace

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
          "    IF pg_catalog.pg_trigger_depth() = 1 AND ", kBackfillSetting, " <> '' THEN\n      IF ",
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
    // Short, because it is planned for each statement. The backfill's own writes pass it: only they take a
    // row out of the pending ones here. One that an application's trigger changes on the way does not, and
    // neither does what such a trigger writes elsewhere.
    old_changed.push_back(PendingOf("NEW"));
    if (!new_changed.empty()) {
      old_changed.push_back({"((", Join(new_changed, " OR "), ") AND NOT ", PendingOf("OLD"), ")"});
    }
  }
  return Join(old_changed, " OR ");
}

}  // namespace curlew::operations
