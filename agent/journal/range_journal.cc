#include "agent/journal/range_journal.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace curlew::agent {

absl::StatusOr<std::vector<WalkedLeaf>> ReadWalkedLeaves(pg::Connection* connection, const std::string& run,
                                                         const std::string& step) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      connection->Execute("SELECT leaf, leaf_name, walk = 'key', blocks, bound, claimed, restarts,"
                          " rows + COALESCE((SELECT sum(r.rows) FROM curlew.backfill_range r"
                          " WHERE (r.run, r.step, r.leaf) = (b.run, b.step, b.leaf)), 0)"
                          " FROM curlew.backfill b WHERE run = $1 AND step = $2 ORDER BY leaf",
                          {run, step}));
  std::vector<WalkedLeaf> leaves;
  for (int64_t i = 0; i < rows.size(); ++i) {
    leaves.push_back({.leaf = static_cast<uint32_t>(rows.Int(i, 0)),
                      .leaf_name = rows.Text(i, 1),
                      .by_key = rows.Bool(i, 2),
                      .blocks = rows.Int(i, 3),
                      .bound = rows.Text(i, 4),
                      .claimed = rows.Text(i, 5),
                      .rows = rows.Int(i, 7),
                      .restarts = static_cast<int>(rows.Int(i, 6))});
  }
  return leaves;
}

absl::StatusOr<std::vector<WalkRange>> ReadOpenRanges(pg::Connection* connection, const std::string& run,
                                                      const std::string& step) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      connection->Execute("SELECT id, leaf, first, last, next, pass, passes, single, weight, state = 'aside',"
                          " tries FROM curlew.backfill_range"
                          " WHERE run = $1 AND step = $2 AND state <> 'done' ORDER BY id",
                          {run, step}));
  std::vector<WalkRange> ranges;
  for (int64_t i = 0; i < rows.size(); ++i) {
    ranges.push_back({.id = rows.Int(i, 0),
                      .leaf = static_cast<uint32_t>(rows.Int(i, 1)),
                      .first = rows.Text(i, 2),
                      .last = rows.Text(i, 3),
                      .next = rows.Text(i, 4),
                      .pass = static_cast<int>(rows.Int(i, 5)),
                      .passes = static_cast<int>(rows.Int(i, 6)),
                      .single = rows.Bool(i, 7),
                      .weight = rows.Int(i, 8),
                      .aside = rows.Bool(i, 9),
                      .tries = static_cast<int>(rows.Int(i, 10))});
  }
  return ranges;
}

absl::Status StartLeaf(FencedTransaction& transaction, const StepAttempt& attempt, const Leaf& leaf,
                       bool by_key, const std::string& bound) {
  const std::string oid = absl::StrCat(leaf.oid);
  RETURN_IF_ERROR(
      transaction
          .Execute("INSERT INTO curlew.backfill AS b (run, step, leaf, leaf_name, relfilenode, blocks, walk, "
                   "bound)"
                   " VALUES ($1, $2, $3::oid, $4, pg_relation_filenode($3::oid),"
                   " pg_relation_size($3::oid) / current_setting('block_size')::bigint, $5, $6)"
                   " ON CONFLICT (run, step, leaf) DO UPDATE SET leaf_name = excluded.leaf_name,"
                   " relfilenode = excluded.relfilenode, blocks = excluded.blocks, walk = excluded.walk,"
                   " bound = excluded.bound, claimed = '', restarts = b.restarts + 1,"
                   " rows = b.rows + COALESCE((SELECT sum(r.rows) FROM curlew.backfill_range r"
                   " WHERE (r.run, r.step, r.leaf) = (b.run, b.step, b.leaf)), 0)",
                   {attempt.run, attempt.step, oid, leaf.name, by_key ? "key" : "ctid", bound})
          .status());
  RETURN_IF_ERROR(
      transaction
          .Execute("DELETE FROM curlew.backfill_range WHERE run = $1 AND step = $2 AND leaf = $3::oid",
                   {attempt.run, attempt.step, oid})
          .status());
  // Places of rows mean nothing any more; those that still fail are found again.
  return transaction
      .Execute(
          "UPDATE curlew.problem SET state = 'mended', resolved = clock_timestamp(),"
          " reason = 'the walk began anew'"
          " WHERE run = $1 AND step = $2 AND leaf = $3::oid AND state = 'quarantined'",
          {attempt.run, attempt.step, oid})
      .status();
}

absl::StatusOr<WalkRange> ClaimRange(FencedTransaction& transaction, const StepAttempt& attempt,
                                     const WalkedLeaf& leaf, const std::string& end, int passes,
                                     int64_t weight) {
  const std::string oid = absl::StrCat(leaf.leaf);
  ASSIGN_OR_RETURN(const pg::Result claimed,
                   transaction.Execute("UPDATE curlew.backfill SET claimed = $4 WHERE run = $1 AND step = $2"
                                       " AND leaf = $3::oid AND claimed = $5",
                                       {attempt.run, attempt.step, oid, end, leaf.claimed}));
  if (claimed.affected() != 1) {
    return absl::AbortedError(absl::StrCat("the walk of ", leaf.leaf_name, " was begun anew meanwhile"));
  }
  ASSIGN_OR_RETURN(
      const pg::Result range,
      transaction.Execute(
          "INSERT INTO curlew.backfill_range (run, step, leaf, first, last, next, passes, weight)"
          " VALUES ($1, $2, $3::oid, $4, $5, $4, $6::smallint, $7::bigint) RETURNING id",
          {attempt.run, attempt.step, oid, leaf.claimed, end, absl::StrCat(passes), absl::StrCat(weight)}));
  return WalkRange{.id = range.Int(0, 0),
                   .leaf = leaf.leaf,
                   .first = leaf.claimed,
                   .last = end,
                   .next = leaf.claimed,
                   .passes = passes,
                   .weight = weight,
                   .restarts = leaf.restarts};
}

absl::StatusOr<bool> AdvanceRange(FencedTransaction& transaction, const StepAttempt& attempt,
                                  const std::string& leaf_name, const WalkRange& before,
                                  const WalkRange& after, bool done, int64_t rows) {
  ASSIGN_OR_RETURN(
      const pg::Result advanced,
      transaction.Execute(
          "UPDATE curlew.backfill_range r SET next = $4, pass = $5::smallint, rows = r.rows + $6::bigint,"
          " tries = $7::integer, state = CASE WHEN $8::boolean THEN 'done' ELSE r.state END,"
          " finished = CASE WHEN $8::boolean THEN clock_timestamp() END"
          " FROM curlew.backfill b WHERE r.run = $1 AND r.step = $2 AND r.id = $3::bigint AND r.state <> "
          "'done' AND r.next = $9 AND r.pass = $10::smallint"
          " AND b.run = r.run AND b.step = r.step AND b.leaf = r.leaf AND b.leaf = to_regclass($11)"
          " AND (b.walk = 'key' OR b.relfilenode = pg_relation_filenode(b.leaf))",
          {attempt.run, attempt.step, absl::StrCat(after.id), after.next, absl::StrCat(after.pass),
           absl::StrCat(rows), absl::StrCat(after.tries), done ? "true" : "false", before.next,
           absl::StrCat(before.pass), leaf_name}));
  if (advanced.affected() == 1) return true;
  // A walk by key is begun once, whatever file its heap has.
  ASSIGN_OR_RETURN(
      const pg::Result lost,
      transaction.Execute(
          "SELECT leaf = to_regclass($5) AND (walk = 'key'"
          " OR (relfilenode = pg_relation_filenode(leaf)"
          " AND EXISTS (SELECT FROM curlew.backfill_range r WHERE r.run = $1 AND r.step = $2"
          " AND r.id = $4::bigint))) FROM curlew.backfill"
          " WHERE run = $1 AND step = $2 AND leaf = $3::oid",
          {attempt.run, attempt.step, absl::StrCat(after.leaf), absl::StrCat(after.id), leaf_name}));
  if (lost.empty() || !lost.Bool(0, 0)) return false;
  return absl::UnavailableError(
      "the journal has less than this attempt has done: the server has lost its last batches in a crash; the"
      " walk goes on from the journal");
}

absl::StatusOr<std::vector<uint32_t>> ReadRewrittenLeaves(pg::Connection* connection, const std::string& run,
                                                          const std::string& step) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   connection->Execute("SELECT leaf FROM curlew.backfill WHERE run = $1 AND step = $2"
                                       " AND walk = 'ctid' AND relfilenode <> pg_relation_filenode(leaf)"
                                       " ORDER BY leaf",
                                       {run, step}));
  std::vector<uint32_t> leaves;
  for (int64_t i = 0; i < rows.size(); ++i) leaves.push_back(static_cast<uint32_t>(rows.Int(i, 0)));
  return leaves;
}

absl::Status AddAside(FencedTransaction& transaction, const StepAttempt& attempt, WalkRange* range) {
  ASSIGN_OR_RETURN(const pg::Result row,
                   transaction.Execute(
                       "INSERT INTO curlew.backfill_range (run, step, leaf, first, last, next, single, state,"
                       " tries, error) VALUES ($1, $2, $3::oid, $4, $5, $4, $6::boolean, 'aside', 1,"
                       " 'rows are locked') RETURNING id",
                       {attempt.run, attempt.step, absl::StrCat(range->leaf), range->first, range->last,
                        range->single ? "true" : "false"}));
  range->id = row.Int(0, 0);
  range->aside = true;
  range->next = range->first;
  range->tries = 1;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<QuarantinedRow>> ReadQuarantine(pg::Connection* connection, const std::string& run,
                                                           const std::string& step) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      connection->Execute("SELECT id, leaf, place, row_key, sqlstate, message FROM curlew.problem"
                          " WHERE run = $1 AND step = $2 AND state = 'quarantined' ORDER BY id",
                          {run, step}));
  std::vector<QuarantinedRow> quarantine;
  for (int64_t i = 0; i < rows.size(); ++i) {
    quarantine.push_back({.id = rows.Int(i, 0),
                          .leaf = static_cast<uint32_t>(rows.Int(i, 1)),
                          .place = rows.Text(i, 2),
                          .key = rows.Text(i, 3),
                          .sqlstate = rows.Text(i, 4),
                          .message = rows.Text(i, 5)});
  }
  return quarantine;
}

absl::Status AddToQuarantine(FencedTransaction& transaction, const StepAttempt& attempt,
                             QuarantinedRow* row) {
  ASSIGN_OR_RETURN(
      const pg::Result added,
      transaction.Execute("INSERT INTO curlew.problem (run, step, attempt, row_key, sqlstate, message, state,"
                          " leaf, place) VALUES ($1, $2, $3::integer, $4, $5, $6, 'quarantined', $7::oid, $8)"
                          " RETURNING id",
                          {attempt.run, attempt.step, absl::StrCat(attempt.attempt), row->key, row->sqlstate,
                           row->message, absl::StrCat(row->leaf), row->place}));
  row->id = added.Int(0, 0);
  return absl::OkStatus();
}

absl::Status ResolveQuarantined(FencedTransaction& transaction, int64_t id, const std::string& state,
                                const std::string& actor, const std::string& reason) {
  return transaction
      .Execute(
          "UPDATE curlew.problem SET state = $2, resolved = clock_timestamp(), resolved_by = $3, reason = $4"
          " WHERE id = $1::bigint",
          {absl::StrCat(id), state, actor, reason})
      .status();
}

}  // namespace curlew::agent
