#include "agent/attempt/row_finder.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

bool Blames(const absl::Status& status) {
  return !status.ok() && !absl::IsCancelled(status) && pg::BlameFor(status) == pg::Blame::kWork;
}

}  // namespace

std::string TidText(TidNumber tid) { return absl::StrCat("(", tid >> 16, ",", tid & 0xffff, ")"); }

std::string TidRangeSql(TidNumber from, TidNumber to) {
  return absl::StrCat("t.ctid >= '", TidText(from), "'::tid AND t.ctid < '", TidText(to), "'::tid");
}

absl::StatusOr<std::optional<TidNumber>> FindFailingTid(
    TidNumber from, TidNumber to, const std::function<absl::Status(TidNumber, TidNumber)>& probe,
    absl::Status* failure) {
  absl::Status status = probe(from, to);
  if (status.ok()) return std::optional<TidNumber>();
  while (Blames(status)) {
    *failure = status;
    if (to - from == 1) return std::optional<TidNumber>(from);
    // Whole blocks first.
    const TidNumber half = from + (to - from) / 2;
    const TidNumber block = FirstTid(half >> 16);
    const TidNumber middle = block > from ? block : half;
    status = probe(from, middle);
    if (Blames(status)) {
      to = middle;
    } else if (status.ok()) {
      from = middle;
      status = probe(from, to);
      // The row has been mended, or has gone, since.
      if (status.ok()) return std::optional<TidNumber>();
    }
  }
  return status;
}

absl::StatusOr<std::string> RowKey(pg::Connection* connection, const Leaf& leaf, TidNumber tid) {
  return RowKey(connection, leaf, absl::StrCat("t.ctid = '", TidText(tid), "'::tid"),
                absl::StrCat("(ctid)=(", TidText(tid), ")"));
}

absl::StatusOr<std::string> RowKey(pg::Connection* connection, const Leaf& leaf, const std::string& condition,
                                   const std::string& place) {
  ASSIGN_OR_RETURN(
      const pg::Result columns,
      connection->Execute(
          "SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place),"
          " string_agg(format('t.%I', a.attname), ', ' ORDER BY k.place), $1::oid::regclass::text"
          " FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)"
          " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
          " WHERE i.indrelid = $1::oid AND i.indisprimary AND k.place <= i.indnkeyatts",
          {absl::StrCat(leaf.oid)}));
  const std::string by_place = absl::StrCat(columns.Text(0, 2), " ", place);
  if (columns.IsNull(0, 0)) return by_place;
  ASSIGN_OR_RETURN(const pg::Result key,
                   connection->Execute(absl::StrCat("SELECT concat_ws(', ', ", columns.Text(0, 1),
                                                    ") FROM ONLY ", leaf.name, " AS t WHERE ", condition)));
  if (key.empty()) return by_place;
  return absl::StrCat(columns.Text(0, 2), " (", columns.Text(0, 0), ")=(", key.Text(0, 0), ")");
}

absl::StatusOr<int> FailingExpression(pg::Connection* connection, const std::string& setup, const Leaf& leaf,
                                      const std::string& condition,
                                      const std::vector<std::string>& expressions) {
  for (size_t i = 0; i < expressions.size(); ++i) {
    ASSIGN_OR_RETURN(const auto transaction, pg::Transaction::Begin(connection));
    if (!setup.empty()) RETURN_IF_ERROR(transaction->Execute(setup).status());
    const absl::Status status = transaction
                                    ->Execute(absl::StrCat("SELECT (", expressions[i], ") FROM ONLY ",
                                                           leaf.name, " AS t WHERE ", condition))
                                    .status();
    if (Blames(status)) return static_cast<int>(i);
    RETURN_IF_ERROR(status);
  }
  return -1;
}

}  // namespace curlew::agent
