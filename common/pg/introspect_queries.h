// What introspection asks the catalogue about tables. Of this folder alone. Every query but kTables takes the
// OIDs of the tables as $1 and returns the table's OID first; all are sorted as schema.proto says. They run
// with search_path = pg_catalog, so that the server qualifies every name that it prints, and with names
// sorted by bytes (the collation of type name).
#ifndef CURLEW_COMMON_PG_INTROSPECT_QUERIES_H_
#define CURLEW_COMMON_PG_INTROSPECT_QUERIES_H_

namespace curlew::pg {

// One text for all servers: nothing that the session, its role or its database sets changes an answer.
inline constexpr char kSettings[] = R"(
SET LOCAL search_path = pg_catalog;
SET LOCAL quote_all_identifiers = off;
SET LOCAL standard_conforming_strings = on;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL TimeZone = 'UTC';
SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1;
SET LOCAL lc_monetary = 'C';
SET LOCAL jit = off;
SET LOCAL lock_timeout = '5s';
)";

// How queries begin that take names, as plans write them, as $1.
inline constexpr char kNamed[] = R"(
WITH parsed AS (SELECT parse_ident(given) AS parts FROM unnest($1::text[]) given),
named AS MATERIALIZED (
  SELECT CASE cardinality(parts) WHEN 1 THEN 'public' ELSE parts[1] END::name AS schema,
         parts[cardinality(parts)]::name AS name
  FROM parsed
  WHERE cardinality(parts) = 1
     OR cardinality(parts) = 2 AND parts[1] NOT IN ('curlew', 'information_schema') AND parts[1] !~ '^pg_'
))";

// After kNamed. $2: whether all tables are asked for.
inline constexpr char kTables[] = R"(
SELECT c.oid, n.nspname, c.relname, c.relkind = 'p', pg_get_userbyid(c.relowner),
       EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = c.oid)
         OR c.relkind = 'p' AND EXISTS (
              SELECT FROM pg_partition_tree(c.oid) p JOIN pg_subscription_rel s ON s.srrelid = p.relid),
       pg_get_partkeydef(c.oid),
       c.relispartition OR EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid),
       CASE c.relreplident
         WHEN 'd' THEN 'default'
         WHEN 'f' THEN 'full'
         WHEN 'i' THEN coalesce((SELECT 'index ' || x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                                 WHERE i.indrelid = c.oid AND i.indisreplident), 'nothing')
         ELSE 'nothing'
       END,
       CASE WHEN c.relrowsecurity AND c.relforcerowsecurity THEN 'forced' WHEN c.relrowsecurity THEN 'enabled' END,
       ARRAY(SELECT option COLLATE "C" FROM (
               SELECT unnest(c.reloptions)
               UNION ALL
               SELECT 'toast.' || unnest(t.reloptions) FROM pg_class t WHERE t.oid = c.reltoastrelid) o (option)
             ORDER BY 1),
       obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('curlew', 'information_schema') AND n.nspname !~ '^pg_'
  AND CASE WHEN $2::boolean THEN NOT c.relispartition
           ELSE (n.nspname, c.relname) IN (SELECT schema, name FROM named)
      END
ORDER BY n.nspname, c.relname
)";

// How kColumns and kEnums begin: the types that the columns are made of, down through domains, arrays and
// composites.
inline constexpr char kPartsOfTypes[] = R"(
WITH RECURSIVE part (root, typ) AS (
  SELECT DISTINCT a.atttypid, a.atttypid
  FROM pg_attribute a WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
  UNION
  SELECT p.root, next.typ
  FROM part p JOIN pg_type t ON t.oid = p.typ CROSS JOIN LATERAL (
    SELECT t.typbasetype WHERE t.typtype = 'd'
    UNION ALL
    SELECT t.typelem WHERE t.typtype = 'b' AND t.typcategory = 'A' AND t.typelem <> 0
    UNION ALL
    SELECT a.atttypid FROM pg_attribute a
    WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
  ) next (typ)
))";

inline constexpr char kColumns[] = R"(,
without_equality AS (
  SELECT DISTINCT p.root
  FROM part p JOIN pg_type t ON t.oid = p.typ
  WHERE t.typtype = 'b' AND NOT (t.typcategory = 'A' AND t.typelem <> 0) AND NOT EXISTS (
    SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
    WHERE o.opcdefault AND m.amname IN ('btree', 'hash')
      AND (o.opcintype = t.oid OR EXISTS (
             SELECT FROM pg_cast k WHERE k.castsource = t.oid AND k.casttarget = o.opcintype
               AND k.castmethod = 'b' AND k.castcontext = 'i')))
)
SELECT a.attrelid, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
       CASE WHEN a.attcollation <> t.typcollation THEN (
         SELECT CASE n.nspname WHEN 'pg_catalog' THEN quote_ident(c.collname)
                               ELSE format('%I.%I', n.nspname, c.collname) END
         FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = a.attcollation) END,
       a.attnotnull,
       CASE a.attgenerated WHEN '' THEN pg_get_expr(d.adbin, d.adrelid) END,
       CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
       CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
       col_description(a.attrelid, a.attnum),
       (SELECT format('%I.%I', n.nspname, s.relname)
        FROM pg_depend o JOIN pg_class s ON s.oid = o.objid JOIN pg_namespace n ON n.oid = s.relnamespace
        WHERE o.classid = 'pg_class'::regclass AND o.refclassid = 'pg_class'::regclass AND o.refobjid = a.attrelid
          AND o.refobjsubid = a.attnum AND o.deptype = 'a' AND s.relkind = 'S'
        ORDER BY n.nspname, s.relname LIMIT 1),
       a.atttypid NOT IN (SELECT root FROM without_equality),
       coalesce(a.attstattarget, -1)
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
)";

// Enum types; no table in front. $2: OIDs of those that were asked for.
inline constexpr char kEnums[] = R"(
SELECT format('%I.%I', n.nspname, t.typname) COLLATE "C" AS name,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND (t.oid = ANY ($2::oid[]) OR t.oid IN (SELECT typ FROM part))
ORDER BY name
)";

// Grants, on tables (column 0) to others than the owner, and on columns. Several roles may have granted the
// same.
inline constexpr char kGrants[] = R"(
WITH held (tbl, col, acl, owner) AS (
  SELECT oid, 0, relacl, relowner FROM pg_class WHERE oid = ANY ($1::oid[])
  UNION ALL
  SELECT attrelid, attnum, attacl, NULL FROM pg_attribute
  WHERE attrelid = ANY ($1::oid[]) AND attnum > 0 AND NOT attisdropped
)
SELECT h.tbl, h.col, coalesce(r.rolname, '') AS grantee, x.privilege_type COLLATE "C" AS privilege,
       bool_or(x.is_grantable)
FROM held h CROSS JOIN LATERAL aclexplode(h.acl) x LEFT JOIN pg_roles r ON r.oid = x.grantee
WHERE x.grantee IS DISTINCT FROM h.owner
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
)";

// Whatever depends on a column and is reported nowhere else. A view hangs on its rule _RETURN, a generated
// column on its expression (a default to the catalogue): both are named themselves.
inline constexpr char kDependents[] = R"(
SELECT DISTINCT d.refobjid, d.refobjsubid, i.type COLLATE "C", i.identity COLLATE "C"
FROM pg_depend d
LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.rulename = '_RETURN'
LEFT JOIN pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid
LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
CROSS JOIN LATERAL pg_identify_object(
  CASE WHEN r.oid IS NOT NULL OR e.oid IS NOT NULL THEN 'pg_class'::regclass ELSE d.classid END,
  coalesce(r.ev_class, e.adrelid, d.objid),
  CASE WHEN r.oid IS NOT NULL THEN 0 ELSE coalesce(e.adnum, d.objsubid) END) i
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1::oid[]) AND d.refobjsubid > 0
  AND d.classid NOT IN ('pg_constraint'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass,
                        'pg_statistic_ext'::regclass)
  AND c.relkind IS DISTINCT FROM 'i' AND c.relkind IS DISTINCT FROM 'I' AND c.relkind IS DISTINCT FROM 'S'
  AND (e.adrelid = d.refobjid AND e.adnum = d.refobjsubid) IS NOT TRUE
ORDER BY 1, 2, 3, 4
)";

inline constexpr char kIndexes[] = R"(
SELECT i.indrelid, c.relname, pg_get_indexdef(i.indexrelid),
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = i.indrelid AND a.attnum > 0
               AND (a.attnum = ANY (i.indkey) OR a.attnum IN (
                      SELECT d.refobjsubid FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid))
             ORDER BY a.attname),
       i.indisunique, i.indisprimary, i.indisvalid,
       (SELECT k.conname FROM pg_constraint k
        WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x'))
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY ($1::oid[])
ORDER BY i.indrelid, c.relname
)";

// Those of the tables, then foreign keys of other tables that reference them; a foreign key of a partitioned
// table once, though the catalogue repeats it for each partition. Columns come in key order, then those of
// INCLUDE and of expressions by name.
inline constexpr char kConstraints[] = R"(
WITH found AS MATERIALIZED (
  SELECT k.* FROM pg_constraint k
  WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND (k.conrelid = ANY ($1::oid[]) OR k.confrelid = ANY ($1::oid[]))
), placed AS (
  SELECT conrelid AS home, false AS incoming, found.* FROM found
  WHERE conrelid = ANY ($1::oid[]) AND NOT EXISTS (
    SELECT FROM pg_constraint parent WHERE parent.oid = found.conparentid AND parent.conrelid = found.conrelid)
  UNION ALL
  SELECT confrelid, true, found.* FROM found
  WHERE confrelid = ANY ($1::oid[]) AND conrelid <> confrelid AND NOT EXISTS (
    SELECT FROM pg_constraint parent WHERE parent.oid = found.conparentid AND parent.confrelid = found.confrelid)
)
SELECT k.home, k.incoming, k.conname, k.contype, pg_get_constraintdef(k.oid),
       ARRAY(SELECT a.attname::text
             FROM pg_attribute a
             LEFT JOIN unnest(k.conkey) WITH ORDINALITY key (num, pos) ON key.num = a.attnum
             LEFT JOIN pg_index i ON i.indexrelid = k.conindid AND i.indrelid = k.conrelid AND k.contype <> 'f'
             WHERE a.attrelid = k.conrelid AND a.attnum > 0
               AND (key.num IS NOT NULL OR a.attnum = ANY (i.indkey) OR a.attnum IN (
                      SELECT d.refobjsubid FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid))
             ORDER BY CASE WHEN k.contype <> 'c' THEN key.pos END NULLS LAST, a.attname),
       k.convalidated, format('%I.%I', n.nspname, c.relname) COLLATE "C" AS on_table,
       (SELECT format('%I.%I', rn.nspname, r.relname)
        FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace WHERE r.oid = k.confrelid),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY key (num, pos)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = key.num ORDER BY key.pos)
FROM placed k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY k.home, k.incoming, CASE WHEN k.incoming THEN format('%I.%I', n.nspname, c.relname) END COLLATE "C", k.conname
)";

inline constexpr char kTriggers[] = R"(
SELECT t.tgrelid, t.tgname, pg_get_triggerdef(t.oid),
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = t.tgrelid AND a.attnum > 0
               AND (a.attnum = ANY (t.tgattr) OR a.attnum IN (
                      SELECT d.refobjsubid FROM pg_depend d
                      WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.tgrelid))
             ORDER BY a.attname),
       (t.tgtype & 1) <> 0 AND (t.tgtype & 2) <> 0,
       CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END
FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid JOIN pg_namespace n ON n.oid = f.pronamespace
WHERE t.tgrelid = ANY ($1::oid[]) AND NOT t.tgisinternal AND n.nspname <> 'curlew'
ORDER BY t.tgrelid, t.tgname
)";

inline constexpr char kPolicies[] = R"(
SELECT p.polrelid, p.polname,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = p.polrelid AND a.attnum IN (
               SELECT d.refobjsubid FROM pg_depend d
               WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_class'::regclass
                 AND d.refobjid = p.polrelid AND d.refobjsubid > 0)
             ORDER BY a.attname),
       concat_ws(' ',
         CASE WHEN p.polpermissive THEN 'AS PERMISSIVE' ELSE 'AS RESTRICTIVE' END,
         'FOR ' || CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                 WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
         'TO ' || (SELECT string_agg(coalesce(quote_ident(r.rolname), 'PUBLIC'), ', ' ORDER BY r.rolname)
                   FROM unnest(p.polroles) role LEFT JOIN pg_roles r ON r.oid = role),
         'USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
         'WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
FROM pg_policy p
WHERE p.polrelid = ANY ($1::oid[])
ORDER BY p.polrelid, p.polname
)";

// How the queries on publications begin: a table is in one by itself, by its schema, by all tables, or by way
// of a partitioned table above it or a partition below it; the nearest way tells the columns.
inline constexpr char kReach[] = R"(
WITH reach (home, rel, distance) AS (
  SELECT c.oid, c.oid, 0 FROM pg_class c WHERE c.oid = ANY ($1::oid[])
  UNION ALL
  SELECT c.oid, up.relid, 1 FROM pg_class c CROSS JOIN LATERAL pg_partition_ancestors(c.oid) up (relid)
  WHERE c.oid = ANY ($1::oid[]) AND c.relispartition AND up.relid <> c.oid
  UNION ALL
  SELECT c.oid, down.relid, 2 FROM pg_class c CROSS JOIN LATERAL pg_partition_tree(c.oid) down
  WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'p' AND down.relid <> c.oid
), way (home, distance, publication, columns) AS (
  SELECT r.home, 0, p.pubname, ARRAY[]::text[]
  FROM reach r JOIN pg_class c ON c.oid = r.rel JOIN pg_publication p ON p.puballtables
  WHERE r.distance = 0 AND c.relpersistence = 'p'
  UNION ALL
)";

inline constexpr char kPublications[] = R"(
  SELECT r.home, r.distance, p.pubname,
         ARRAY(SELECT a.attname::text FROM pg_attribute a
               WHERE a.attrelid = m.prrelid AND a.attnum = ANY (m.prattrs) ORDER BY a.attname)
  FROM reach r JOIN pg_publication_rel m ON m.prrelid = r.rel JOIN pg_publication p ON p.oid = m.prpubid
  UNION ALL
  SELECT r.home, r.distance, p.pubname, ARRAY[]::text[]
  FROM reach r JOIN pg_class c ON c.oid = r.rel JOIN pg_publication_namespace m ON m.pnnspid = c.relnamespace
  JOIN pg_publication p ON p.oid = m.pnpubid
  WHERE c.relpersistence = 'p'
)
SELECT DISTINCT ON (home, publication) home, publication, columns FROM way
ORDER BY home, publication, distance, columns
)";

// Before PostgreSQL 15 there are no column lists and no schemas in publications.
inline constexpr char kPublicationsBefore15[] = R"(
  SELECT r.home, r.distance, p.pubname, ARRAY[]::text[]
  FROM reach r JOIN pg_publication_rel m ON m.prrelid = r.rel JOIN pg_publication p ON p.oid = m.prpubid
)
SELECT DISTINCT ON (home, publication) home, publication, columns FROM way
ORDER BY home, publication, distance, columns
)";

inline constexpr char kStatistics[] = R"(
SELECT s.stxrelid, s.stxname, pg_get_statisticsobjdef(s.oid),
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = s.stxrelid AND a.attnum > 0
               AND (a.attnum = ANY (s.stxkeys) OR a.attnum IN (
                      SELECT d.refobjsubid FROM pg_depend d
                      WHERE d.classid = 'pg_statistic_ext'::regclass AND d.objid = s.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.stxrelid))
             ORDER BY a.attname)
FROM pg_statistic_ext s
WHERE s.stxrelid = ANY ($1::oid[])
ORDER BY s.stxrelid, s.stxname, s.oid
)";

// Of partitioned tables, the leaves count.
inline constexpr char kSizes[] = R"(
SELECT format('%I.%I', n.nspname, c.relname), coalesce(sum(pg_relation_size(leaf.oid)), 0)::int8,
       coalesce(CASE WHEN bool_or(leaf.reltuples < 0) THEN -1 ELSE sum(leaf.reltuples)::int8 END, 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT c.oid, c.reltuples WHERE c.relkind <> 'p'
  UNION ALL
  SELECT l.oid, l.reltuples FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid
  WHERE c.relkind = 'p' AND p.isleaf AND l.relkind = 'r'
) leaf ON true
WHERE c.oid = ANY ($1::oid[])
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname
)";

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_INTROSPECT_QUERIES_H_
