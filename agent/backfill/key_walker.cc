#include "agent/backfill/key_walker.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

constexpr int64_t kMostRangeRows = 50'000;

// $2: names that the key must have, quoted; empty for any.
constexpr char kFindKey[] = R"sql(
SELECT quote_ident(a.attname),
       CASE WHEN tn.nspname = 'pg_catalog' THEN format_type(a.atttypid, a.atttypmod)
            ELSE format('%I.%I', tn.nspname, t.typname) END,
       operator.schema, operator.oid, pg_operator_is_visible(operator.oid)
FROM (SELECT i.indexrelid, i.indrelid, i.indkey, i.indnkeyatts, i.indclass FROM pg_index i
      CROSS JOIN LATERAL (SELECT array_agg(a.attname::text ORDER BY k.place) AS names,
                                 bool_and(a.attnotnull) AS filled
                          FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, place)
                          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum) AS key
      WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
        AND i.indexprs IS NULL AND key.filled
        AND CASE WHEN $2::text[] = '{}' THEN i.indimmediate
                 ELSE key.names = ARRAY(SELECT (parse_ident(w.name))[1]
                                        FROM unnest($2::text[]) WITH ORDINALITY AS w (name, place)
                                        ORDER BY w.place) END
      ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1) AS i
CROSS JOIN unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = t.typnamespace
CROSS JOIN LATERAL (SELECT o.oid, quote_ident(n.nspname) AS schema
                    FROM pg_opclass c
                    JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype
                      AND m.amoprighttype = c.opcintype AND m.amopstrategy = 1
                    JOIN pg_operator o ON o.oid = m.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace
                    WHERE c.oid = i.indclass[k.place - 1]) AS operator
ORDER BY k.place
)sql";

std::string Operator(const KeyColumn& column, absl::string_view op) {
  return column.operators.empty() ? absl::StrCat(" ", op, " ")
                                  : absl::StrCat(" OPERATOR(", column.operators, ".", op, ") ");
}

// Of the columns from `first` on.
bool OneSchema(const std::vector<KeyColumn>& key, size_t first = 0) {
  return std::all_of(key.begin() + static_cast<std::ptrdiff_t>(first), key.end(),
                     [&](const KeyColumn& column) { return column.operators == key[first].operators; });
}

std::vector<std::string> ValuesOf(const Place& place) { return pg::Result({""}, {{place}}, 0).Array(0, 0); }

}  // namespace

absl::StatusOr<std::vector<KeyColumn>> FindKey(pg::Connection* connection, const Leaf& table,
                                               const std::vector<std::string>& columns,
                                               const std::string& search_path) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   connection->Execute(kFindKey, {absl::StrCat(table.oid), pg::ArrayParam(columns)}));
  std::vector<KeyColumn> key;
  std::vector<std::string> operators;
  bool visible = true;
  for (int64_t i = 0; i < rows.size(); ++i) {
    key.push_back({.name = rows.Text(i, 0), .type = rows.Text(i, 1), .operators = rows.Text(i, 2)});
    operators.push_back(rows.Text(i, 3));
    visible = visible && rows.Bool(i, 4);
  }
  if (!key.empty()) {
    // No schema could be named for all. By their name they are one row comparison, for which there is an
    // index.
    if (OneSchema(key) || !visible) return key;
    if (!search_path.empty()) {
      ASSIGN_OR_RETURN(
          const pg::Result found,
          connection->Execute(absl::StrCat("SET LOCAL search_path = ", search_path,
                                           "; SELECT bool_and(pg_operator_is_visible(o)) FROM unnest('{",
                                           absl::StrJoin(operators, ","), "}'::oid[]) AS o")));
      if (!found.Bool(0, 0)) return key;
    }
    for (KeyColumn& column : key) column.operators.clear();
    return key;
  }
  if (!columns.empty()) {
    return base::WithDetail(absl::FailedPreconditionError(absl::StrCat(
                                table.name, " has no valid unique index over (", absl::StrJoin(columns, ", "),
                                "), all of them NOT NULL, by which its rows are walked")),
                            base::kHint, "make the index (again), then resume; or roll back");
  }
  return base::WithDetail(
      absl::FailedPreconditionError(absl::StrCat(table.name,
                                                 " has no key to walk by: neither a primary key nor"
                                                 " a unique index over columns that are NOT NULL")),
      base::kHint,
      "leave out settings.backfill.walk (PostgreSQL 14 or later), or give the table a primary key");
}

KeyWalker::KeyWalker(std::vector<KeyColumn> key) : key_(std::move(key)) {
  std::vector<std::string> texts, columns;
  for (const KeyColumn& column : key_) {
    columns.push_back(absl::StrCat("t.", column.name));
    texts.push_back(absl::StrCat("t.", column.name, "::text"));
  }
  list_ = absl::StrJoin(columns, ", ");
  place_ = absl::StrCat("ARRAY[", absl::StrJoin(texts, ", "), "]::text");
}

std::string KeyWalker::Value(const Place& place, size_t i) const {
  return absl::StrCat("(", sql::Literal(place), "::text[])[", i + 1, "]::", key_[i].type);
}

std::string KeyWalker::Compare(const char* op, const Place& place, size_t first) const {
  // Rows are compared from the first column on, as a b-tree has them.
  if (OneSchema(key_, first)) {
    std::vector<std::string> columns, values;
    for (size_t i = first; i < key_.size(); ++i) {
      columns.push_back(absl::StrCat("t.", key_[i].name));
      values.push_back(Value(place, i));
    }
    return absl::StrCat("ROW(", absl::StrJoin(columns, ", "), ")", Operator(key_[first], op), "ROW(",
                        absl::StrJoin(values, ", "), ")");
  }
  // One operator cannot be named for all: the same in parts, the first column also by itself, for its index.
  const std::string strict(op, 1);
  std::string parts;
  for (size_t i = key_.size(); i-- > first;) {
    const std::string column = absl::StrCat("t.", key_[i].name), value = Value(place, i);
    const bool last = i + 1 == key_.size();
    parts = absl::StrCat(
        "(", column, Operator(key_[i], last ? op : strict), value,
        last ? "" : absl::StrCat(" OR (", column, Operator(key_[i], "="), value, " AND ", parts, ")"), ")");
  }
  return absl::StrCat("t.", key_[first].name, Operator(key_[first], strict + "="), Value(place, first),
                      " AND ", parts);
}

absl::StatusOr<Place> KeyWalker::Bound(pg::Connection* connection, const Leaf& leaf) const {
  std::vector<std::string> descending;
  for (const KeyColumn& column : key_) descending.push_back(absl::StrCat("t.", column.name, " DESC"));
  ASSIGN_OR_RETURN(const pg::Result last, connection->Execute(absl::StrCat(
                                              "SELECT ", place_, " FROM ONLY ", leaf.name, " AS t ORDER BY ",
                                              absl::StrJoin(descending, ", "), " LIMIT 1")));
  return last.empty() ? "" : last.Text(0, 0);
}

std::string KeyWalker::Condition(const Place& from, const Place& to) const {
  if (from.empty()) return Compare("<=", to, 0);
  // A scan of an index ends where the first column of a row comparison is passed, not before: what both ends
  // have in common is said by itself, or a part would be read to the end of all that has it.
  const std::vector<std::string> low = ValuesOf(from), high = ValuesOf(to);
  std::string condition;
  size_t same = 0;
  while (same + 1 < key_.size() && same < low.size() && same < high.size() && low[same] == high[same]) {
    absl::StrAppend(&condition, "t.", key_[same].name, Operator(key_[same], "="), Value(from, same), " AND ");
    ++same;
  }
  return absl::StrCat(condition, Compare(">", from, same), " AND ", Compare("<=", to, same));
}

absl::StatusOr<std::optional<Place>> KeyWalker::RowIn(pg::Connection* connection, const Leaf& leaf,
                                                      const Place& from, const Place& to) const {
  ASSIGN_OR_RETURN(const pg::Result row,
                   connection->Execute(absl::StrCat("SELECT ", place_, " FROM ONLY ", leaf.name,
                                                    " AS t WHERE ", Condition(from, to), " LIMIT 1")));
  return row.empty() ? std::optional<Place>() : std::optional<Place>(row.Text(0, 0));
}

std::string KeyWalker::RowCondition(const Place& row) const {
  std::vector<std::string> equal;
  for (size_t i = 0; i < key_.size(); ++i) {
    equal.push_back(absl::StrCat("t.", key_[i].name, Operator(key_[i], "="), Value(row, i)));
  }
  return absl::StrJoin(equal, " AND ");
}

std::string KeyWalker::Excluding(const std::vector<Place>& rows) const {
  std::vector<std::string> literals;
  for (const Place& row : rows) literals.push_back(sql::Literal(row));
  return absl::StrCat(place_, " <> ALL (ARRAY[", absl::StrJoin(literals, ", "), "]::text[])");
}

absl::StatusOr<Place> KeyWalker::Advance(pg::Connection* connection, const Leaf& leaf, const Place& from,
                                         const Place& end, int64_t units) const {
  ASSIGN_OR_RETURN(const pg::Result place,
                   connection->Execute(absl::StrCat(
                       "SELECT ", place_, " FROM ONLY ", leaf.name, " AS t WHERE ", Condition(from, end),
                       " ORDER BY ", list_, " OFFSET ", std::max<int64_t>(units, 1) - 1, " LIMIT 1")));
  return place.empty() ? end : place.Text(0, 0);
}

absl::StatusOr<std::optional<Place>> KeyWalker::Middle(pg::Connection* connection, const Leaf& leaf,
                                                       const Place& from, const Place& to) const {
  ASSIGN_OR_RETURN(const pg::Result count,
                   connection->Execute(absl::StrCat("SELECT count(*) FROM ONLY ", leaf.name, " AS t WHERE ",
                                                    Condition(from, to))));
  if (count.Int(0, 0) <= 1) return std::optional<Place>();
  ASSIGN_OR_RETURN(Place middle, Advance(connection, leaf, from, to, count.Int(0, 0) / 2));
  // Rows have gone meanwhile.
  if (middle == to) return std::optional<Place>();
  return std::optional<Place>(std::move(middle));
}

int64_t KeyWalker::RangeUnits(int64_t, int, const Place&, const Place&) const { return kMostRangeRows; }

std::string KeyWalker::Describe(const Place& from, const Place&) const {
  // Keys are the application's data and stay in the database.
  return from.empty() ? "the first keys" : "keys in the middle";
}

}  // namespace curlew::agent
