#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/operations/dual_write.h"
#include "common/operations/dual_write_parts.h"
#include "common/operations/operation.h"
#include "common/schema/schema.h"

namespace curlew::operations {

using sql::SqlText;
using sql::TableName;

v1::Backfill DualWrite::Fill() const {
  const v1::Table& table = work_.table;
  size_t count = 0;
  for (const Link& link : work_.links) count += link.to.size();
  v1::Backfill backfill;
  backfill.set_table(schema::NameOf(table).Quoted());
  for (const Link& link : work_.links) {
    for (const NewColumn& column : link.to) {
      const SqlText to = SqlText::Name(column.name), value = column.up.Qualified("t");
      v1::Assignment* assignment = backfill.add_assignments();
      assignment->set_column(to.str());
      // A value that somebody wrote into a pending row of a column that is only filled stays, and where NULL
      // says what is pending, so does that of a column which is not NULL while another one is.
      const bool keeps = marker_.empty() ? count > 1 : link.from.empty();
      assignment->set_expression(keeps ? SqlText({"COALESCE(t.", to, ", ", value, ")"}).str() : value.str());
      assignment->set_origin(absl::StrCat("up: ", column.up.text()));
    }
  }
  if (!marker_.empty()) {
    v1::Assignment* marker = backfill.add_assignments();
    marker->set_column(sql::Ident(marker_));
    marker->set_expression("false");
    marker->set_origin("marker");
  }
  backfill.set_pending(PendingOf("t").str());
  backfill.set_search_path(SearchPath(table));
  return backfill;
}

void DualWrite::AppendBackfill(StepList* steps) const {
  if (work_.links.empty()) return;
  const v1::Table& table = work_.table;
  const TableName name = schema::NameOf(table);
  std::vector<std::string> columns;
  for (const Link& link : work_.links) {
    for (const NewColumn& column : link.to) columns.push_back(LabelOf(link, column));
  }
  v1::Step* fill = steps->Add(v1::PHASE_BACKFILL,
                              absl::StrCat("fill ", absl::StrJoin(columns, ", "), " of ",
                                           sql::Ident(table.name()), " in the rows that were there before"));
  *fill->mutable_action()->mutable_backfill() = Fill();
  AddLock(fill, name, kRowExclusive);
  AppendAnalyzeAfterWalk(table, v1::PHASE_BACKFILL, steps);
  AppendVerify(steps);
}

void DualWrite::AppendVerify(StepList* steps) const {
  const v1::Table& table = work_.table;
  const TableName name = schema::NameOf(table);
  v1::Step* step =
      steps->Add(v1::PHASE_BACKFILL, absl::StrCat("verify every row of ", sql::Ident(table.name())));
  std::vector<std::string> filled;
  for (const Link& link : work_.links) {
    for (const NewColumn& column : link.to) filled.push_back(sql::Ident(column.name));
  }
  v1::RowScan* scan = SetRowScan(
      table, absl::StrCat("no row of ", name.Quoted(), " is still without its ", absl::StrJoin(filled, ", ")),
      Fill(), step);
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
    v1::RowCheck* check = scan->add_checks();
    check->set_description(absl::StrCat(absl::StrJoin(olds, ", "), " and ", absl::StrJoin(news, ", "),
                                        " agree in every row of ", name.Quoted()));
    // CASE fixes the order: `up` is only tried where the way back does not hold, since the new application
    // may have written a row whose old value `up` cannot take.
    check->set_violation(
        SqlText({"CASE WHEN ", Join(downs, " AND "), " THEN false ELSE NOT (", Join(ups, " AND "), ") END"})
            .str());
    check->set_hint(
        "Something wrote these rows past the triggers (session_replication_role, a disabled trigger). Which "
        "side is right cannot be known: write the right value once more with the triggers in force, then "
        "resume the rollout.");
  }
}

}  // namespace curlew::operations
