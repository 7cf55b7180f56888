#include "tests/harness/twin.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace curlew::testing {
namespace {

// What every case has. COPY from and to files is the way to COPY without a client that speaks its protocol.
constexpr char kFrame[] = R"sql(
CREATE SCHEMA IF NOT EXISTS {s};
CREATE SCHEMA twin;
GRANT USAGE ON SCHEMA {s}, twin TO {role};
CREATE TABLE {s.parent} ({id} int PRIMARY KEY);
INSERT INTO {s.parent} SELECT generate_series(1, 20);
CREATE FUNCTION {s.set_len}() RETURNS trigger LANGUAGE plpgsql AS
  $f$
  BEGIN
    -- Makes the backfill slow enough for the clients to get between its batches.
    IF current_setting('curlew.backfill', true) <> '' AND random() < 0.1 THEN PERFORM pg_sleep(0.0001); END IF;
    NEW.{len} := length(NEW.{u});
    RETURN NEW;
  END $f$;
)sql";

constexpr char kAround[] = R"sql(
CREATE TRIGGER {set_len} BEFORE INSERT OR UPDATE ON {s.t} FOR EACH ROW EXECUTE FUNCTION {s.set_len}();
GRANT SELECT, INSERT, UPDATE, DELETE ON {s.t}, {s.parent} TO {role};
)sql";

constexpr char kTwin[] = R"sql(
CREATE TABLE {twin} AS TABLE {s.t};
ALTER TABLE {twin} ADD PRIMARY KEY ({id});
GRANT ALL ON {twin} TO {role};
)sql";

}  // namespace

std::string Twin::CreateTable() const {
  const std::string columns = case_.columns.empty() ? "" : absl::StrCat(",\n", case_.columns);
  std::string sql = absl::StrCat(
      "CREATE TABLE {s.t} ({id} bigint PRIMARY KEY, {u} text, {len} int,"
      " {ref} int REFERENCES {s.parent} ON UPDATE CASCADE",
      columns, ")");
  if (!case_.partitioned) return absl::StrCat(sql, ";\n");
  absl::StrAppend(&sql, " PARTITION BY HASH ({id});\n");
  for (int i = 0; i < 3; ++i) {
    absl::StrAppend(&sql, "CREATE TABLE {s.t_", i,
                    "} PARTITION OF {s.t} FOR VALUES WITH (MODULUS 3, REMAINDER ", i, ");\n");
  }
  return sql;
}

std::string Twin::Setup() const {
  std::string sql = names_.Sql(absl::StrCat(kFrame, case_.before_table, ";\n", CreateTable(), kAround));
  // The rows are those of the old client: row i as if it had written number i.
  for (int i = 1; i <= case_.rows; ++i) {
    if (i % 500 == 1) {
      absl::StrAppend(&sql, i == 1 ? "" : ";\n", names_.Sql("INSERT INTO {s.t} ({id}, {u}, {ref}"));
      for (const Written& written : case_.old_shape.writes)
        absl::StrAppend(&sql, ", ", names_.Sql(absl::StrCat("{", written.column, "}")));
      absl::StrAppend(&sql, ") VALUES\n");
    } else {
      absl::StrAppend(&sql, ",\n");
    }
    // Rows of some width, so that the backfill has blocks to walk.
    absl::StrAppend(&sql, "(", i, ", rpad('u", i, "', 120, '.'), ", 1 + i % 20);
    for (const Written& written : case_.old_shape.writes) {
      const bool null = written.nulls == Nulls::kSometimes && i % 8 == 0;
      absl::StrAppend(&sql, ", ", null ? "NULL" : names_.Sql(written.value, i));
    }
    absl::StrAppend(&sql, ")");
  }
  absl::StrAppend(&sql, ";\n", names_.Sql(case_.setup), ";\n", names_.Sql(kTwin),
                  names_.Sql(case_.twin_setup), ";\n", Refresh(), names_.Sql("ANALYZE {s.t}"));
  return sql;
}

std::string Twin::Refresh() const {
  std::string sql;
  for (const Follows& follows : case_.old_shape.follows) {
    const bool is_old = std::any_of(case_.old_shape.writes.begin(), case_.old_shape.writes.end(),
                                    [&](const Written& w) { return w.column == follows.column; });
    if (!is_old)
      absl::StrAppend(&sql, names_.Sql(absl::StrCat("UPDATE {twin} SET {", follows.column, "} = NULL;\n")));
  }
  for (const Follows& follows : case_.old_shape.follows) {
    absl::StrAppend(
        &sql, names_.Sql(absl::StrCat("UPDATE {twin} SET {", follows.column, "} = ", follows.value)), ";\n");
  }
  return sql;
}

std::vector<Compared> Twin::Own(bool with_new) const {
  std::vector<std::string> tokens = {"u", "len", "ref"};
  const auto add = [&](const std::string& token) {
    if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) tokens.push_back(token);
  };
  for (const Written& written : case_.old_shape.writes) add(written.column);
  if (with_new) {
    for (const Follows& follows : case_.old_shape.follows) add(follows.column);
    if (case_.new_shape.has_value()) {
      for (const Written& written : case_.new_shape->writes) add(written.column);
      for (const Follows& follows : case_.new_shape->follows) add(follows.column);
    }
  }
  std::vector<Compared> columns;
  for (const std::string& token : tokens) columns.push_back({token, absl::StrCat("{", token, "}")});
  return columns;
}

std::vector<Compared> Twin::BeforeThePlan() const { return Own(false); }

std::vector<Compared> Twin::AtTheGate() const { return Own(case_.new_client == NewClient::kAfterBackfill); }

std::vector<Compared> Twin::AtTheEnd() const {
  std::vector<Compared> columns = Own(true);
  std::erase_if(columns, [&](const Compared& compared) {
    return std::find(case_.gone.begin(), case_.gone.end(), compared.column) != case_.gone.end();
  });
  for (const Compared& otherwise : case_.compared_at_end) {
    std::erase_if(columns, [&](const Compared& c) { return c.column == otherwise.column; });
    columns.push_back(otherwise);
  }
  return columns;
}

std::string Twin::Differences(const std::vector<Compared>& columns) const {
  std::vector<std::string> here, there;
  for (const Compared& compared : columns) {
    here.push_back(absl::StrCat("({", compared.column, "})::text"));
    there.push_back(absl::StrCat("(", compared.twin, ")::text"));
  }
  return names_.Sql(absl::StrCat(
      "SELECT format('key %s: the table has %s, the twin %s', COALESCE(a.k, b.k), a.v, b.v) FROM (SELECT "
      "{id} AS k,"
      " ROW(",
      absl::StrJoin(here, ", "), ")::text AS v FROM {s.t}) AS a FULL JOIN (SELECT {id} AS k, ROW(",
      absl::StrJoin(there, ", "),
      ")::text AS v FROM {twin}) AS b USING (k) WHERE a.v IS DISTINCT FROM b.v ORDER BY 1 LIMIT 5"));
}

}  // namespace curlew::testing
