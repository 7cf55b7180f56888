// What introspection asks the catalogue about views, functions, types, sequences and extensions. Of this
// folder alone; see introspect_queries.h for how they run. Those that take names come after kNamed.
#ifndef CURLEW_COMMON_PG_INTROSPECT_OBJECT_QUERIES_H_
#define CURLEW_COMMON_PG_INTROSPECT_OBJECT_QUERIES_H_

namespace curlew::pg {

inline constexpr char kViews[] = R"(
SELECT c.oid, format('%I.%I', n.nspname, c.relname) COLLATE "C" AS name, c.relkind = 'm',
       btrim(pg_get_viewdef(c.oid), E' \n;'),
       ARRAY(SELECT o COLLATE "C" FROM unnest(c.reloptions) o ORDER BY 1),
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       pg_get_userbyid(c.relowner)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND (n.nspname, c.relname) IN (SELECT schema, name FROM named)
ORDER BY 2
)";

// The OID of the function that the text $1 names, public by default; an error where the text or one of its
// types is none. Runs with `public` in the search path, for the types.
inline constexpr char kFindFunction[] = R"(
SELECT p.oid
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid = to_regprocedure(
    CASE cardinality(parse_ident($1, strict => false)) WHEN 1 THEN 'public.' ELSE '' END || $1)
  AND p.prokind <> 'a' AND n.nspname NOT IN ('curlew', 'information_schema') AND n.nspname !~ '^pg_'
)";

// $1: OIDs.
inline constexpr char kFunctions[] = R"(
SELECT p.oid, (pg_identify_object('pg_proc'::regclass, p.oid, 0)).identity,
       rtrim(pg_get_functiondef(p.oid), E' \n'), pg_get_userbyid(p.proowner), p.prokind = 'p'
FROM pg_proc p
WHERE p.oid = ANY ($1::oid[])
)";

// What would stand in the way if the objects $1 of catalogue $2 were dropped, other objects that is: a view
// hangs on its rule _RETURN, a default or generated column on its expression, and the column is named
// instead; what is only a part of the object goes with it. A relation is also used by way of its row type.
inline constexpr char kObjectDependents[] = R"(
WITH used (home, class, id) AS (
  SELECT o, $2::regclass, o FROM unnest($1::oid[]) o
  UNION ALL
  SELECT c.oid, 'pg_type'::regclass, t.oid
  FROM pg_class c JOIN pg_type t ON t.oid = c.reltype OR t.typelem = c.reltype AND t.typcategory = 'A'
  WHERE $2::regclass = 'pg_class'::regclass AND c.oid = ANY ($1::oid[])
)
SELECT DISTINCT u.home, i.type COLLATE "C", i.identity COLLATE "C"
FROM used u JOIN pg_depend d ON d.refclassid = u.class AND d.refobjid = u.id
LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.rulename = '_RETURN'
LEFT JOIN pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid
LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
LEFT JOIN pg_proc f ON f.oid = coalesce(t.tgfoid, CASE WHEN d.classid = 'pg_proc'::regclass THEN d.objid END)
CROSS JOIN LATERAL pg_identify_object(
  CASE WHEN r.oid IS NOT NULL OR e.oid IS NOT NULL THEN 'pg_class'::regclass ELSE d.classid END,
  coalesce(r.ev_class, e.adrelid, d.objid),
  CASE WHEN r.oid IS NOT NULL THEN 0 ELSE coalesce(e.adnum, d.objsubid) END) i
WHERE NOT EXISTS (
    SELECT FROM pg_depend part
    WHERE part.classid = d.classid AND part.objid = d.objid AND part.objsubid = d.objsubid
      AND part.refclassid = d.refclassid AND part.refobjid = d.refobjid AND part.deptype IN ('a', 'i'))
  AND (f.pronamespace = to_regnamespace('curlew')) IS NOT TRUE
ORDER BY 1, 2, 3
)";

// Enum types and domains.
inline constexpr char kTypes[] = R"(
SELECT t.oid, t.typtype = 'd', format('%I.%I', n.nspname, t.typname) COLLATE "C" AS name,
       format_type(t.typbasetype, t.typtypmod), t.typnotnull, pg_get_expr(t.typdefaultbin, 0)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd') AND (n.nspname, t.typname) IN (SELECT schema, name FROM named)
ORDER BY 3
)";

// $1: OIDs of domains.
inline constexpr char kDomainConstraints[] = R"(
SELECT contypid, conname, pg_get_constraintdef(oid), convalidated
FROM pg_constraint
WHERE contypid = ANY ($1::oid[]) AND contype = 'c'
ORDER BY contypid, conname
)";

inline constexpr char kSequences[] = R"(
SELECT format('%I.%I', n.nspname, c.relname) COLLATE "C" AS name, format_type(s.seqtypid, NULL), s.seqstart,
       s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
       (SELECT format('%I.%I.%I', tn.nspname, t.relname, a.attname)
        FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
          AND d.deptype IN ('a', 'i'))
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname, c.relname) IN (SELECT schema, name FROM named)
ORDER BY 1
)";

// $1: names.
inline constexpr char kExtensions[] = R"(
SELECT e.extname, e.extversion, n.nspname
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = ANY ($1::name[])
ORDER BY e.extname
)";

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_INTROSPECT_OBJECT_QUERIES_H_
