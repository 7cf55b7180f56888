// What lint asks the catalogue: one query for each kind of object. Of this folder alone, and of the test that
// makes common/lint/builtin.tsv. Fields as lint::Catalogue::Add takes them; NULL is "".
#ifndef CURLEW_COMMON_PG_CATALOGUE_QUERIES_H_
#define CURLEW_COMMON_PG_CATALOGUE_QUERIES_H_

namespace curlew::pg {

struct CatalogueQuery {
  const char* table;
  const char* sql;
};

// {system} in a query is the condition that a schema is PostgreSQL's own, {size} the bytes of table c. In the
// order in which they are added.
inline constexpr CatalogueQuery kCatalogueQueries[] = {
    {"setting", R"(
SELECT name, setting FROM pg_settings
WHERE name IN ('search_path', 'TimeZone', 'server_version_num', 'default_tablespace', 'lock_timeout',
               'default_statistics_target', 'default_table_access_method')
UNION ALL SELECT 'current_user', current_user)"},
    {"schema", "SELECT oid, nspname, pg_get_userbyid(nspowner) FROM pg_namespace"},
    {"method", "SELECT oid, amname, amtype FROM pg_am"},
    {"type", R"(
SELECT t.oid, n.nspname, t.typname, t.typtype, t.typrelid, t.typbasetype, t.typtypmod, t.typelem, t.typarray,
       t.typcollation, t.typnotnull, t.typdefault IS NOT NULL, t.typcategory,
       CASE WHEN t.typtype = 'd' THEN t.typdefault END
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname !~ '^pg_(toast|temp)')"},
    {"enum", "SELECT enumtypid, enumlabel FROM pg_enum ORDER BY enumtypid, enumsortorder"},
    {"cast", "SELECT oid, castsource, casttarget, castfunc, castcontext, castmethod FROM pg_cast"},
    {"function", R"(
SELECT p.oid, n.nspname, p.proname, p.provolatile, l.lanname, p.pronargs, p.proargtypes::text, p.prorettype,
       p.proisstrict, to_jsonb(p) ->> 'prosqlbody' IS NOT NULL,
       CASE WHEN l.lanname IN ('sql', 'plpgsql') AND NOT {system} THEN p.prosrc END,
       CASE WHEN l.lanname IN ('sql', 'plpgsql') AND NOT {system} THEN array_to_string(p.proargnames, ' ') END
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang)"},
    {"opclass", "SELECT oid, opcname, opcmethod, opcfamily, opcintype, opcdefault FROM pg_opclass"},
    {"relation", R"(
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, pg_get_userbyid(c.relowner), c.reloftype, c.relam,
       s.spcname, c.relispartition, pg_get_expr(c.relpartbound, c.oid), c.relrowsecurity, c.reltype,
       CASE WHEN c.relkind IN ('r', 'm') THEN {size} ELSE 0 END,
       CASE WHEN c.relkind IN ('r', 'm')
            THEN pg_stat_get_dead_tuples(c.oid)::float8 / greatest(pg_stat_get_dead_tuples(c.oid)
                                                                   + pg_stat_get_live_tuples(c.oid), 1) ELSE 0 END,
       p.partstrat, p.partattrs::text, p.partdefid, array_to_string(c.reloptions, ','), c.relispopulated
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid
WHERE NOT {system} AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c', 'i', 'I'))"},
    {"column", R"(
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull, a.attidentity,
       a.attgenerated, a.atthasdef, a.attinhcount, a.attislocal
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT {system} AND a.attnum > 0 AND NOT a.attisdropped
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c', 'S') ORDER BY a.attrelid, a.attnum)"},
    {"index", R"(
SELECT i.indexrelid, i.indrelid, i.indisunique, i.indisprimary, i.indisexclusion, i.indimmediate, i.indisvalid,
       i.indisclustered, i.indisreplident, i.indnkeyatts, i.indkey::text, i.indclass::text, i.indcollation::text,
       pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid), i.indoption::text
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT {system})"},
    {"constraint", R"(
SELECT k.oid, k.conname, k.contype, k.conrelid, k.contypid, k.conindid, k.conparentid, k.confrelid,
       array_to_string(k.conkey, ' '), array_to_string(k.confkey, ' '), k.convalidated, k.condeferrable,
       k.connoinherit, k.coninhcount, CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, k.conrelid) END,
       k.confdeltype, k.confupdtype
FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace WHERE NOT {system})"},
    {"inheritance", R"(
SELECT inhrelid, inhparent, coalesce((to_jsonb(i) ->> 'inhdetachpending')::boolean, false)
FROM pg_inherits i ORDER BY inhrelid)"},
    {"trigger", R"(
SELECT t.oid, t.tgrelid, t.tgconstraint, t.tgconstrrelid, t.tgparentid, t.tgfoid, t.tgname, t.tgisinternal, t.tgtype,
       t.tgenabled
FROM pg_trigger t)"},
    {"rule", R"(
SELECT r.oid, r.ev_class, r.rulename
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT {system})"},
    {"policy", R"(
SELECT p.oid, p.polrelid, p.polname,
       (SELECT string_agg(r.rolname, ',') FROM pg_roles r WHERE r.oid = ANY (p.polroles))
FROM pg_policy p)"},
    {"statistics", R"(
SELECT s.oid, n.nspname, s.stxname, s.stxrelid FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace)"},
    {"extension", R"(
SELECT e.oid, n.nspname, e.extname, pg_get_userbyid(e.extowner)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace)"},
    {"publication", "SELECT oid, pubname, puballtables FROM pg_publication"},
    {"object", R"(
SELECT 'pg_foreign_server'::regclass::oid, oid, '', srvname FROM pg_foreign_server
UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass::oid, oid, '', fdwname FROM pg_foreign_data_wrapper
UNION ALL SELECT 'pg_collation'::regclass::oid, c.oid, n.nspname, c.collname
          FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE c.oid >= 16384
UNION ALL SELECT 'pg_am'::regclass::oid, oid, '', amname FROM pg_am
UNION ALL SELECT 'pg_language'::regclass::oid, oid, '', lanname FROM pg_language
UNION ALL SELECT 'pg_event_trigger'::regclass::oid, oid, '', evtname FROM pg_event_trigger)"},
    {"subscription", "SELECT subname FROM pg_subscription"},
    {"role", "SELECT rolname FROM pg_roles"},
    {"tablespace", "SELECT spcname FROM pg_tablespace"},
    {"dependency", R"(
SELECT classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype FROM pg_depend
WHERE objid >= 16384 OR refobjid >= 16384)"},
};

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_CATALOGUE_QUERIES_H_
