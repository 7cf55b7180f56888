#include "cli/sql_script_actions.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "cli/text.h"
#include "cli/units.h"
#include "common/base/proto_time.h"
#include "common/sql/identifier.h"

namespace curlew::cli {
namespace {

using base::FromProto;
using sql::Literal;

std::string WithSemicolon(absl::string_view sql) {
  sql = absl::StripTrailingAsciiWhitespace(sql);
  if (absl::EndsWith(sql, ";")) return absl::StrCat(sql, "\n");
  // A comment at the end would swallow it.
  const size_t line = sql.rfind('\n');
  const bool comment = absl::StrContains(sql.substr(line == sql.npos ? 0 : line + 1), "--");
  return absl::StrCat(sql, comment ? "\n;\n" : ";\n");
}

std::string Milliseconds(const google::protobuf::Duration& duration) {
  return absl::StrCat("'", absl::ToInt64Milliseconds(FromProto(duration)), "ms'");
}

// A transaction of DDL. The note comes first: under no lock on the plan's tables, and as the role that runs
// the script.
std::string Ddl(absl::string_view statements, const ScriptContext& context) {
  return absl::StrCat(
      "BEGIN;\nSET LOCAL lock_timeout = ", Milliseconds(context.settings.max_lock_timeout()),
      ";\nSET LOCAL statement_timeout = ", Milliseconds(context.settings.ddl_statement_timeout()), ";\n",
      context.done, statements, "COMMIT;\n");
}

constexpr char kAlone[] = "-- Cannot run in a transaction: it stands by itself.\n";

// An expression that gives a text[] of the names, qualified and quoted, of a table's leaf partitions; of
// itself where it has none.
std::string Leaves(const std::string& table) {
  return absl::StrCat(
      "ARRAY(WITH RECURSIVE tree AS (SELECT ", Literal(table),
      "::regclass::oid AS oid\n"
      "    UNION SELECT inhrelid FROM tree JOIN pg_catalog.pg_inherits ON inhparent = tree.oid)\n"
      "    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM tree\n"
      "    JOIN pg_catalog.pg_class c ON c.oid = tree.oid\n"
      "    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
      "    WHERE c.relkind <> 'p' ORDER BY 1)");
}

// A query with one row for each of them, for \gexec: `format` has %1$s for the leaf, and what `arguments`
// add.
std::string ForEachLeaf(const std::string& table, const std::string& format, const std::string& arguments,
                        const std::string& condition = "") {
  return absl::StrCat("SELECT pg_catalog.format(", Literal(format), ", leaf", arguments, ")\nFROM unnest(",
                      Leaves(table), ") AS leaf", condition.empty() ? "" : "\nWHERE ", condition,
                      " \\gexec\n");
}

std::string SqlAction(const v1::ExecuteSql& action, const ScriptContext& context) {
  std::string out;
  if (action.has_each_partition()) {
    std::string executes;
    for (const v1::PartitionStatement& statement : action.each_partition().statements()) {
      absl::StrAppend(&executes, "    EXECUTE ", Literal(statement.before()), " || leaf || ",
                      Literal(statement.after()), ";\n");
    }
    absl::StrAppend(&out, context.begun, "-- For each partition, in a transaction of its own.\n",
                    DoBlock(absl::StrCat(
                        "DECLARE\n  leaf text;\n  leaves text[] := ", Leaves(action.each_partition().table()),
                        ";\nBEGIN\n  FOREACH leaf IN ARRAY leaves LOOP\n"
                        "    PERFORM set_config('lock_timeout', ",
                        Milliseconds(context.settings.max_lock_timeout()), ", true);\n", executes,
                        "    COMMIT;\n  END LOOP;\nEND")));
  }
  std::string statements;
  for (const std::string& statement : action.statements()) statements += WithSemicolon(statement);
  return absl::StrCat(out, statements.empty() ? context.done : Ddl(statements, context));
}

// "UNIQUE" of "UNIQUE (a, b) DEFERRABLE".
std::string ConstraintKind(absl::string_view constraint) {
  return absl::StartsWithIgnoreCase(constraint, "PRIMARY KEY") ? "PRIMARY KEY" : "UNIQUE";
}

// " DEFERRABLE" of the same.
std::string ConstraintEnd(absl::string_view constraint) {
  const size_t end = constraint.rfind(')');
  return end == constraint.npos ? "" : std::string(constraint.substr(end + 1));
}

// Where each partition has an index of that form, one on the parent takes them over and builds none.
std::string PartitionedIndex(const v1::ExecuteSqlConcurrently& action, const ScriptContext& context) {
  const v1::PartitionedIndex& index = action.partitioned();
  const auto parsed = sql::ParseTableName(action.index());
  const std::string name = parsed.ok() ? parsed->name : action.index();
  const std::string unique = index.unique() ? "UNIQUE " : "";
  // Name of a partition's index: 12 characters of up to 4 bytes, and 13 more, are within the 63 of a name.
  const std::string own_name =
      absl::StrCat("pg_catalog.left(", Literal(name), ", 12) || '_' || pg_catalog.left(pg_catalog.md5(",
                   Literal(action.index()), " || leaf), 12)");
  const std::string own = absl::StrCat(", ", own_name);
  const auto stands = [&](absl::string_view valid) {
    return absl::StrCat(
        "EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid\n"
        "  WHERE i.indrelid = leaf::regclass AND c.relname = ",
        own_name, " AND ", valid, ")");
  };
  const std::string escaped = absl::StrReplaceAll(index.definition(), {{"%", "%%"}});
  std::string out = absl::StrCat(
      context.begun,
      "-- One for each partition, none of them in a transaction; then the one of the whole table takes them "
      "over.\n",
      "-- What an earlier run has left half-built goes first.\n",
      ForEachLeaf(action.table(), "DROP INDEX CONCURRENTLY IF EXISTS %2$I.%3$I",
                  absl::StrCat(", (SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
                               " ON n.oid = c.relnamespace WHERE c.oid = leaf::regclass)",
                               own),
                  stands("NOT i.indisvalid")),
      ForEachLeaf(action.table(),
                  absl::StrCat("CREATE ", unique, "INDEX CONCURRENTLY %2$I ON %1$s ", escaped), own,
                  absl::StrCat("NOT ", stands("i.indisvalid"))));
  if (index.constraint().empty()) {
    return absl::StrCat(out, Ddl(absl::StrCat("CREATE ", unique, "INDEX ", sql::Ident(name), " ON ",
                                              action.table(), " ", index.definition(), ";\n"),
                                 context));
  }
  absl::StrAppend(&out, ForEachLeaf(action.table(),
                                    absl::StrCat("ALTER TABLE %1$s ADD CONSTRAINT %2$I ",
                                                 ConstraintKind(index.constraint()), " USING INDEX %2$I",
                                                 ConstraintEnd(index.constraint())),
                                    own,
                                    absl::StrCat("NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE"
                                                 " conrelid = leaf::regclass AND conname = ",
                                                 own_name, ")")));
  return absl::StrCat(out, Ddl(absl::StrCat("ALTER TABLE ", action.table(), " ADD CONSTRAINT ",
                                            sql::Ident(name), " ", index.constraint(), ";\n"),
                               context));
}

std::string DropPartitionedIndex(const v1::ExecuteSqlConcurrently& action, const ScriptContext& context) {
  return absl::StrCat(
      "-- With the constraint that it belongs to, where there is one.\n",
      Ddl(DoBlock(absl::StrCat("DECLARE\n  owner text;\nBEGIN\n"
                               "  SELECT pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I',"
                               " conrelid::regclass, conname) INTO owner\n"
                               "  FROM pg_catalog.pg_constraint WHERE conindid = to_regclass(",
                               Literal(action.index()), ") AND contype IN ('p', 'u');\n",
                               "  EXECUTE coalesce(owner, ",
                               Literal(absl::StrCat("DROP INDEX IF EXISTS ", action.index())), ");\nEND")),
          context));
}

// Of an ordinary table. A run after one that stopped half-way drops what is not valid, and builds nothing
// where the earlier one had come to its end.
std::string CreateConcurrently(const v1::ExecuteSqlConcurrently& action, const ScriptContext& context) {
  const std::string statement = absl::StrCat(kAlone, WithSemicolon(action.statement()));
  if (context.begun.empty()) return absl::StrCat(statement, context.done);
  const std::string there =
      absl::StrCat("FROM pg_catalog.pg_index WHERE indexrelid = to_regclass(", Literal(action.index()),
                   ") AND indrelid = to_regclass(", Literal(action.table()), ")");
  const std::string begun = absl::StrCat(
      "EXISTS (SELECT FROM curlew.script WHERE key = ", NoteKey(context, "step", context.step), ")");
  return absl::StrCat("-- What an earlier run has left half-built goes first.\nSELECT ",
                      Literal(absl::StrCat("DROP INDEX CONCURRENTLY ", action.index())), " ", there,
                      "\n  AND NOT indisvalid AND ", begun, " \\gexec\nSELECT EXISTS (SELECT ", there,
                      " AND indisvalid)\n  AND ", begun, " AS curlew_built \\gset\n", context.begun,
                      "\\if :curlew_built\n\\else\n", statement, "\\endif\n", context.done);
}

// Whether an index of a partitioned table, or one that may be of one, is dropped: in a transaction.
bool DropsPartitioned(const v1::ExecuteSqlConcurrently& action) {
  return action.effect() == v1::ExecuteSqlConcurrently::EFFECT_DROPS &&
         (action.has_partitioned() || action.statement().empty());
}

std::string ConcurrentlyAction(const v1::ExecuteSqlConcurrently& action, const ScriptContext& context) {
  if (action.effect() == v1::ExecuteSqlConcurrently::EFFECT_REINDEXES) {
    return absl::StrCat(context.begun, kAlone,
                        action.index().empty()
                            ? absl::StrCat("REINDEX TABLE CONCURRENTLY ", action.table(), ";\n")
                            : absl::StrCat("REINDEX INDEX CONCURRENTLY ", action.index(), ";\n"),
                        context.done);
  }
  if (DropsPartitioned(action)) return DropPartitionedIndex(action, context);
  if (action.has_partitioned()) return PartitionedIndex(action, context);
  if (action.effect() == v1::ExecuteSqlConcurrently::EFFECT_CREATES)
    return CreateConcurrently(action, context);
  return absl::StrCat(context.begun, kAlone, WithSemicolon(action.statement()), context.done);
}

// Settings of a transaction that writes rows.
std::string RowSettings(const std::string& table, const std::string& search_path,
                        const ScriptContext& context, absl::string_view indent) {
  std::string out = absl::StrCat(indent, "PERFORM set_config('curlew.backfill', ", Literal(table),
                                 "::regclass::oid::text, true);\n");
  if (!search_path.empty()) {
    absl::StrAppend(&out, indent, "PERFORM set_config('search_path', ", Literal(search_path), ", true);\n");
  }
  if (context.settings.backfill().skip_user_triggers()) {
    absl::StrAppend(&out, indent, "PERFORM set_config('session_replication_role', 'replica', true);\n");
  }
  return out;
}

std::string BackfillAction(const v1::Backfill& backfill, const ScriptContext& context) {
  const std::string pending = backfill.pending().empty() ? "true" : backfill.pending();
  const std::string sets =
      absl::StrJoin(backfill.assignments(), ", ", [](std::string* out, const v1::Assignment& assignment) {
        absl::StrAppend(out, assignment.column(), " = (", assignment.expression(), ")");
      });
  const std::string head = backfill.deletes() ? "DELETE FROM ONLY " : "UPDATE ONLY ";
  const std::string middle =
      backfill.deletes() ? " AS t WHERE " : absl::StrCat(" AS t SET ", sets, " WHERE ");
  // The parentheses keep a comment at the end of an expression from swallowing what follows.
  const std::string tail = absl::StrCat(" AND (", pending, "\n)");
  const double target = absl::ToDoubleSeconds(FromProto(
      backfill.has_batch_target() ? backfill.batch_target() : context.settings.backfill_batch_target()));
  std::string code = absl::StrCat(
      "DECLARE\n"
      "  batch_target double precision := ",
      target <= 0 ? 0.05 : target,
      ";  -- seconds\n"
      "  rest double precision := 0;  -- seconds after each batch: raise it where the application feels it\n"
      "  leaves text[] := ",
      Leaves(backfill.table()),
      ";\n"
      "  leaf text;\n  place text;\n  blocks bigint;\n  block bigint;\n  upto bigint;\n  batch bigint := "
      "16;\n"
      "  walk integer := 0;\n  written bigint;\n  total bigint := 0;\n  again boolean;\n"
      "  left_over boolean;\n  began timestamptz;\n  took double precision;\n"
      "BEGIN\n"
      "  LOOP\n"
      "    walk := walk + 1;\n"
      "    again := false;\n"
      "    FOREACH leaf IN ARRAY leaves LOOP\n");
  absl::StrAppend(
      &code,
      backfill.deletes() ? "      -- Rows that come to match behind the walk are found by the next one.\n"
                         : "      -- Triggers are in force: what is written from now on is complete, also "
                           "beyond this bound.\n",
      "      blocks := pg_relation_size(leaf::regclass) / current_setting('block_size')::bigint;\n"
      "      block := 0;\n"
      "      WHILE block < blocks LOOP\n"
      "        upto := least(block + batch, blocks);\n"
      "        IF current_setting('server_version_num')::integer >= 140000 THEN\n"
      "          place := format('t.ctid >= ''(%s,0)''::tid AND t.ctid < ''(%s,0)''::tid', block, upto);\n"
      "        ELSE  -- no scan of ranges of ctid: each place by itself\n"
      "          place := format('t.ctid = ANY (ARRAY(SELECT format(''(%%s,%%s)'', b, o)::tid'\n"
      "            ' FROM generate_series(%s, %s) b, generate_series(1, %s) o))', block, upto - 1,\n"
      "            current_setting('block_size')::integer / 28);\n"
      "        END IF;\n"
      "        began := clock_timestamp();\n",
      RowSettings(backfill.table(), backfill.search_path(), context, "        "), "        EXECUTE ",
      Literal(head), " || leaf || ", Literal(middle), " || place || ", Literal(tail),
      ";\n"
      "        GET DIAGNOSTICS written = ROW_COUNT;\n"
      "        COMMIT;\n"
      "        total := total + written;\n"
      "        block := upto;\n"
      "        took := extract(epoch FROM clock_timestamp() - began);\n"
      "        IF took > 2 * batch_target THEN batch := greatest(batch / 2, 1);\n"
      "        ELSIF took < batch_target / 2 THEN batch := least(batch * 2, 1024);\n"
      "        END IF;\n"
      "        IF rest > 0 THEN PERFORM pg_sleep(rest); END IF;\n"
      "      END LOOP;\n"
      "      RAISE NOTICE '%: % rows so far', leaf, total;\n");
  if (backfill.deletes()) {
    absl::StrAppend(&code, RowSettings(backfill.table(), backfill.search_path(), context, "      "),
                    "      EXECUTE ", Literal("SELECT EXISTS (SELECT FROM ONLY "), " || leaf || ",
                    Literal(absl::StrCat(" AS t WHERE (", pending, "\n))")),
                    " INTO left_over;\n      COMMIT;\n      again := again OR left_over;\n");
  }
  absl::StrAppend(&code, "    END LOOP;\n    EXIT WHEN NOT again OR walk >= 10;\n  END LOOP;\n",
                  "  RAISE NOTICE '% rows written', total;\nEND");
  return absl::StrCat(
      "-- Batch by batch; each commits by itself. May be stopped, and run again: only rows that ",
      backfill.deletes() ? "match" : "are pending", " are touched.\n", DoBlock(code));
}

std::string TransformAction(const v1::TransformRows& transform, const ScriptContext& context) {
  const auto keys = [&](absl::string_view head) {
    return absl::StrCat("ROW(",
                        absl::StrJoin(transform.key(), ", ",
                                      [&](std::string* out, const std::string& column) {
                                        absl::StrAppend(out, head, ".", column);
                                      }),
                        ")");
  };
  const std::string order =
      absl::StrJoin(transform.key(), ", ",
                    [](std::string* out, const std::string& column) { absl::StrAppend(out, "t.", column); });
  const std::string descending = absl::StrJoin(
      transform.key(), ", ",
      [](std::string* out, const std::string& column) { absl::StrAppend(out, "t.", column, " DESC"); });
  // What the notes keep of a row: its key.
  const std::string note = absl::StrCat(
      "json_build_object(",
      absl::StrJoin(transform.key(), ", ",
                    [](std::string* out, const std::string& column) {
                      const auto name = sql::ParseIdent(column);
                      absl::StrAppend(out, Literal(name.ok() ? *name : column), ", upto.", column);
                    }),
      ")::text");
  const std::string condition =
      transform.condition().empty() ? "" : absl::StrCat(" AND (", transform.condition(), "\n)");
  const std::string range =
      absl::StrCat("(NOT $3 OR ", keys("t"), " > ", keys("($1)"), ") AND ", keys("t"), " <= ", keys("($2)"));
  const std::string key = NoteKey(context, "upto", context.step);
  const std::string bound_key = NoteKey(context, "bound", context.step);
  const std::string code = absl::StrCat(
      "DECLARE\n"
      "  batch_rows integer := 1000;\n"
      "  rest double precision := 0;  -- seconds after each batch: raise it where the application feels it\n"
      "  done ",
      transform.table(), "%ROWTYPE;\n  upto ", transform.table(), "%ROWTYPE;\n  bound ", transform.table(),
      "%ROWTYPE;\n"
      "  note text;\n  begun boolean;\n"
      "BEGIN\n"
      "  -- Where an earlier run of this step has stopped.\n"
      "  SELECT value INTO note FROM curlew.script WHERE key = ",
      key,
      ";\n"
      "  begun := note IS NOT NULL;\n"
      "  done := json_populate_record(NULL::",
      transform.table(),
      ", note::json);\n"
      "  -- Rows that come later are not of this step: how far it goes is noted once, before the first"
      " batch.\n"
      "  IF NOT EXISTS (SELECT FROM curlew.script WHERE key = ",
      bound_key, ") THEN\n    SELECT t.* INTO upto FROM ", transform.table(), " AS t ORDER BY ", descending,
      " LIMIT 1;\n    INSERT INTO curlew.script (key, value) VALUES (", bound_key, ", ", note,
      ");\n    COMMIT;\n  END IF;\n"
      "  SELECT value INTO STRICT note FROM curlew.script WHERE key = ",
      bound_key, ";\n  bound := json_populate_record(NULL::", transform.table(),
      ", note::json);\n"
      "  LOOP\n"
      "    EXECUTE ",
      Literal(absl::StrCat("SELECT t.* FROM (SELECT t.* FROM ", transform.table(), " AS t WHERE ", range,
                           " ORDER BY ", order, " LIMIT $4) AS t ORDER BY ", descending, " LIMIT 1")),
      " INTO upto USING done, bound, begun, batch_rows;\n"
      "    EXIT WHEN upto IS NULL;\n",
      transform.search_path().empty() ? ""
                                      : absl::StrCat("    PERFORM set_config('search_path', ",
                                                     Literal(transform.search_path()), ", true);\n"),
      "    -- Locked first, in a statement of its own: the next one sees what they are now.\n"
      "    EXECUTE ",
      Literal(
          absl::StrCat("SELECT FROM ", transform.table(), " AS t WHERE ", range, condition, " FOR UPDATE")),
      " USING done, upto, begun;\n"
      "    EXECUTE ",
      Literal(absl::StrCat("WITH batch AS (SELECT t.* FROM ", transform.table(), " AS t WHERE ", range,
                           condition, ")\n", transform.statement())),
      " USING done, upto, begun;\n"
      "    INSERT INTO curlew.script (key, value) VALUES (",
      key, ", ", note,
      ")\n"
      "      ON CONFLICT (key) DO UPDATE SET value = excluded.value;\n"
      "    COMMIT;\n"
      "    done := upto;\n"
      "    begun := true;\n"
      "    IF rest > 0 THEN PERFORM pg_sleep(rest); END IF;\n"
      "  END LOOP;\n"
      "END");
  return absl::StrCat(
      "-- Batch by batch along the key; each commits by itself, with a note of how far it is in"
      " curlew.script.\n-- May be stopped, and run again: it goes on from there.\n",
      DoBlock(code));
}

// Raises an error where `condition` holds.
std::string RaiseIf(absl::string_view condition, absl::string_view message, absl::string_view value) {
  return absl::StrCat("  IF ", condition, " THEN\n    RAISE EXCEPTION '%: %', ", Literal(message), ", ",
                      value, ";\n  END IF;\n");
}

// Asks for the one value of a query, into `answer`: neither no row nor several are an answer.
std::string Ask(const std::string& query, const std::string& name) {
  return absl::StrCat("  BEGIN\n    EXECUTE ", Literal(query),
                      " INTO STRICT answer;\n  EXCEPTION WHEN no_data_found OR too_many_rows THEN\n"
                      "    RAISE EXCEPTION '%: %, and has to give one', ",
                      Literal(name), ", SQLERRM;\n  END;\n");
}

// Raises an error where triggers, or those of partitions that come from them, do not fire always.
std::string CheckTriggers(const v1::TriggerCheck& check) {
  const std::string names = absl::StrJoin(
      check.triggers(), ", ", [](std::string* out, const std::string& name) { out->append(Literal(name)); });
  return absl::StrCat(
      "  WITH RECURSIVE wanted AS (\n"
      "    SELECT w.name, t.oid AS trigger FROM unnest(ARRAY[",
      names,
      "]::text[]) AS w (name)\n"
      "    LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = to_regclass(",
      Literal(check.table()),
      ")\n      AND t.tgname = w.name AND NOT t.tgisinternal\n"
      "  ), family AS (\n"
      "    SELECT name, trigger FROM wanted\n"
      "    UNION ALL\n"
      "    SELECT f.name, t.oid FROM pg_catalog.pg_trigger t JOIN family f ON t.tgparentid = f.trigger\n"
      "  )\n"
      "  SELECT string_agg(format('%I of %s', f.name, coalesce(t.tgrelid::regclass::text, ",
      Literal(check.table()),
      ")), ', ') INTO answer\n"
      "  FROM family f LEFT JOIN pg_catalog.pg_trigger t ON t.oid = f.trigger\n"
      "  WHERE t.tgenabled IS DISTINCT FROM 'A';\n",
      RaiseIf("answer IS NOT NULL", "these triggers must exist and fire always", "answer"));
}

std::string Snapshot(absl::string_view mode, const std::string& search_path, absl::string_view code,
                     absl::string_view last = "") {
  return absl::StrCat("BEGIN ISOLATION LEVEL REPEATABLE READ", mode, ";\n",
                      search_path.empty() ? "" : absl::StrCat("SET LOCAL search_path = ", search_path, ";\n"),
                      DoBlock(code), last, "COMMIT;\n");
}

std::string VerifyAction(const v1::Verify& verify, const ScriptContext& context) {
  std::string code = "DECLARE\n  problems bigint;\n  answer text;\nBEGIN\n";
  for (const v1::TriggerCheck& check : verify.triggers()) code += CheckTriggers(check);
  for (const v1::Check& check : verify.checks()) {
    absl::StrAppend(&code, "  EXECUTE ", Literal(check.count_query()), " INTO problems;\n",
                    RaiseIf("problems <> 0", absl::StrCat("does not hold: ", check.description()),
                            "problems || ' violations'"));
  }
  for (const v1::RowScan& scan : verify.scans()) {
    for (const v1::RowCheck& check : scan.checks()) {
      absl::StrAppend(&code, "  EXECUTE ",
                      Literal(absl::StrCat("SELECT count(*) FROM ", scan.table(), " AS t WHERE (",
                                           check.violation(), "\n)")),
                      " INTO problems;\n",
                      RaiseIf("problems <> 0", absl::StrCat("does not hold: ", check.description()),
                              "problems || ' rows'"));
    }
  }
  for (const v1::Measurement& measurement : verify.unchanged()) {
    absl::StrAppend(
        &code, Ask(measurement.query(), measurement.name()),
        RaiseIf(absl::StrCat("answer IS DISTINCT FROM (SELECT value FROM curlew.script WHERE key = ",
                             NoteKey(context, "measured", measurement.name()), ")"),
                absl::StrCat("not what it was before: ", measurement.description()),
                "coalesce(answer, 'NULL')"));
  }
  for (const v1::Expectation& expectation : verify.expectations()) {
    absl::StrAppend(
        &code, Ask(expectation.query(), expectation.name()),
        RaiseIf(absl::StrCat("answer IS DISTINCT FROM ",
                             expectation.has_expect() ? Literal(expectation.expect()) : "NULL::text"),
                absl::StrCat("not what was expected of ", expectation.name()), "coalesce(answer, 'NULL')"));
  }
  code += "END";
  return absl::StrCat(Snapshot(" READ ONLY", verify.search_path(), code), context.done);
}

std::string MeasureAction(const v1::Measure& measure, const ScriptContext& context) {
  std::string code = "DECLARE\n  answer text;\nBEGIN\n";
  for (const v1::Measurement& measurement : measure.measurements()) {
    absl::StrAppend(&code, Ask(measurement.query(), measurement.name()),
                    "  INSERT INTO curlew.script (key, value) VALUES (",
                    NoteKey(context, "measured", measurement.name()),
                    ", answer)\n    ON CONFLICT (key) DO UPDATE SET value = excluded.value;\n");
  }
  return Snapshot("", "", absl::StrCat(code, "END"), context.done);
}

std::string ValidateAction(const v1::ValidateConstraint& action, const ScriptContext& context) {
  const std::string constraint = sql::Ident(action.constraint());
  if (!action.each_partition()) {
    return absl::StrCat(
        "BEGIN;\nSET LOCAL lock_timeout = ", Milliseconds(context.settings.max_lock_timeout()), ";\n",
        context.done, "ALTER TABLE ", action.table(), " VALIDATE CONSTRAINT ", constraint, ";\nCOMMIT;\n");
  }
  return absl::StrCat(
      context.begun, "-- For each partition where it has not been.\n",
      ForEachLeaf(action.table(), "ALTER TABLE %1$s VALIDATE CONSTRAINT %2$I",
                  absl::StrCat(", ", Literal(action.constraint())),
                  absl::StrCat("EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = leaf::regclass"
                               " AND conname = ",
                               Literal(action.constraint()), " AND NOT convalidated)")),
      context.done);
}

std::string AnalyzeAction(const v1::Analyze& action) {
  if (action.vacuum()) return absl::StrCat(kAlone, "VACUUM (ANALYZE) ", action.table(), ";\n");
  return absl::StrCat("ANALYZE ", action.table(), ";\n",
                      action.vacuum_if_bloated()
                          ? absl::StrCat("-- Where many rows are dead now: VACUUM ", action.table(), ";\n")
                          : "");
}

// Who may still use the shape, for people to look at.
std::string WaitAction(const v1::Wait& wait) {
  const v1::ShapeUnused& unused = wait.shape_unused();
  if (unused.uses().empty()) return "";
  std::vector<std::string> conditions;
  for (const v1::ShapeUse& use : unused.uses()) {
    const auto table = sql::ParseTableName(use.table());
    const std::string name = table.ok() ? table->name : use.table();
    conditions.push_back(absl::StrCat(
        "(position(lower(", Literal(name), ") IN lower(query)) > 0",
        use.column().empty()
            ? ""
            : absl::StrCat(" AND position(lower(", Literal(use.column()), ") IN lower(query)) > 0"),
        ")"));
  }
  std::string out =
      absl::StrCat("-- Sessions whose newest statement names the ", Printable(unused.shape()),
                   " shape. There should be none; a look is no proof.\n"
                   "SELECT pid, usename, application_name, state, query_start, left(query, 80) AS query\n"
                   "FROM pg_catalog.pg_stat_activity\n"
                   "WHERE datname = current_database() AND pid <> pg_backend_pid()\n  AND (",
                   absl::StrJoin(conditions, "\n    OR "), ");\n");
  for (const std::string& counter : unused.counters()) {
    absl::StrAppend(&out, "-- Moves with each write of that shape: look twice, it must stand still.\nSELECT ",
                    Literal(counter), " AS counter, last_value, is_called FROM ", counter, ";\n");
  }
  return out;
}

std::string BackupAction(const v1::Backup& backup, const ScriptContext& context) {
  switch (backup.kind_case()) {
    case v1::Backup::kRestorePoint:
      return absl::StrCat("SELECT pg_create_restore_point(",
                          Literal(absl::StrCat("curlew-", context.plan.substr(0, 40), "-", context.id)),
                          ");\n");
    case v1::Backup::kArchive: {
      const int64_t seconds = absl::ToInt64Seconds(FromProto(backup.archive().within()));
      return DoBlock(absl::StrCat(
          "DECLARE\n  archiver record;\nBEGIN\n  SELECT * INTO archiver FROM pg_catalog.pg_stat_archiver;\n",
          "  IF archiver.last_archived_time IS NULL\n"
          "     OR archiver.last_archived_time < now() - interval '",
          seconds,
          " seconds'\n"
          "     OR archiver.last_failed_time > archiver.last_archived_time THEN\n"
          "    RAISE EXCEPTION 'WAL is not archived: newest segment % at %, newest failure %',\n"
          "      archiver.last_archived_wal, archiver.last_archived_time, archiver.last_failed_time;\n"
          "  END IF;\nEND"));
    }
    case v1::Backup::kDump:
    case v1::Backup::kCommand:
    case v1::Backup::KIND_NOT_SET:
      break;
  }
  return "";
}

}  // namespace

std::string DoBlock(absl::string_view code) {
  std::string tag = "curlew";
  for (int i = 1; absl::StrContains(code, absl::StrCat("$", tag, "$")); ++i) tag = absl::StrCat("curlew", i);
  return absl::StrCat("DO $", tag, "$\n", code, "\n$", tag, "$;\n");
}

std::string NoteKey(const ScriptContext& context, absl::string_view what, absl::string_view name) {
  return Literal(absl::StrCat(context.id, " ", what, " ", Printable(name)));
}

bool Looks(const v1::Action& action) {
  return action.has_verify() || action.has_wait() || action.backup().has_archive();
}

bool Changes(const v1::Action& action) {
  return !Looks(action) && !action.has_backup() && !action.has_measure();
}

std::string ByHand(const v1::Action& action) {
  if (action.has_wait()) {
    return absl::StrCat("see that no session uses the ", action.wait().shape_unused().shape(),
                        " shape any more");
  }
  if (action.backup().has_dump()) {
    std::vector<std::string> tables;
    for (const std::string& table : action.backup().dump().tables()) {
      // A pattern of pg_dump, and a word of a shell: quoted for both.
      tables.push_back(absl::StrCat("--table='", absl::StrReplaceAll(table, {{"'", "'\\''"}}), "'"));
    }
    return absl::StrCat("dump the tables: pg_dump --format=custom --file=FILE ", absl::StrJoin(tables, " "));
  }
  if (action.backup().has_command()) {
    return absl::StrCat("do what the agent's command \"", action.backup().command().name(), "\" does");
  }
  return "";
}

std::string ScriptAction(const v1::Action& action, const ScriptContext& context) {
  std::string by_hand;
  if (const std::string text = ByHand(action); !text.empty()) {
    by_hand = absl::StrCat("-- By hand: ", Printable(text), "\n");
  }
  switch (action.kind_case()) {
    case v1::Action::kExecuteSql:
      return SqlAction(action.execute_sql(), context);
    case v1::Action::kExecuteSqlConcurrently:
      return ConcurrentlyAction(action.execute_sql_concurrently(), context);
    case v1::Action::kInstallTrigger: {
      std::string statements;
      for (const std::string& statement : action.install_trigger().statements()) {
        statements += WithSemicolon(statement);
      }
      return Ddl(statements, context);
    }
    case v1::Action::kBackfill:
      return absl::StrCat(context.begun, BackfillAction(action.backfill(), context), context.done);
    case v1::Action::kValidateConstraint:
      return ValidateAction(action.validate_constraint(), context);
    case v1::Action::kVerify:
      return VerifyAction(action.verify(), context);
    case v1::Action::kAnalyze:
      return absl::StrCat(AnalyzeAction(action.analyze()), context.done);
    case v1::Action::kWait:
      return absl::StrCat(by_hand, WaitAction(action.wait()), context.done);
    case v1::Action::kTransformRows:
      return absl::StrCat(context.begun, TransformAction(action.transform_rows(), context), context.done);
    case v1::Action::kBackup:
      return absl::StrCat(by_hand, BackupAction(action.backup(), context), context.done);
    case v1::Action::kMeasure:
      return MeasureAction(action.measure(), context);
    case v1::Action::KIND_NOT_SET:
      break;
  }
  return context.done;
}

}  // namespace curlew::cli
