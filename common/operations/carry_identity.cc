#include "common/operations/carry_identity.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/schema/schema.h"
#include "common/sql/type_name.h"

namespace curlew::operations {

using sql::SqlText;

SqlText DoBlock(const SqlText& body) {
  std::string tag = "$curlew$";
  while (absl::StrContains(body.str(), tag)) tag.insert(tag.size() - 1, "_");
  return SqlText::Verified(absl::StrCat("DO ", tag, body.str(), tag));
}

bool IsSequenceType(absl::string_view type) {
  const auto canonical = sql::CanonicalType(type);
  return canonical.ok() && (*canonical == "smallint" || *canonical == "integer" || *canonical == "bigint");
}

SqlText MoveIdentity(const v1::Table& table, const v1::Column& from, absl::string_view to) {
  const sql::TableName name = schema::NameOf(table);
  const SqlText relation = SqlText::Name(name), literal = SqlText::String(name.Quoted());
  const SqlText retired =
      SqlText::String(sql::HashedName("curlew_old_", {name.schema, name.name, from.name()}));
  const SqlText body = {
      "\nDECLARE\n  old_sequence pg_catalog.regclass := pg_catalog.pg_get_serial_sequence(",
      literal,
      ", ",
      SqlText::String(from.name()),
      ");\n  new_sequence pg_catalog.regclass;\n  old_settings record;\n  state record;\n  bounds record;\n"
      "  held record;\nBEGIN\n"
      "  SELECT c.relname, c.relacl, c.relowner, s.* INTO STRICT old_settings FROM pg_catalog.pg_class AS c "
      "JOIN\n"
      "    pg_catalog.pg_sequence AS s ON s.seqrelid = c.oid WHERE c.oid = old_sequence;\n"
      // The lock of the renaming keeps others from taking a number after the look.
      "  EXECUTE pg_catalog.format('ALTER SEQUENCE %s RENAME TO %I', old_sequence, ",
      retired,
      ");\n  EXECUTE pg_catalog.format('SELECT last_value, is_called FROM %s', old_sequence) INTO state;\n"
      "  ALTER TABLE ",
      relation,
      " ALTER COLUMN ",
      SqlText::Name(to),
      " ADD GENERATED ",
      from.identity() == "always" ? SqlText{"ALWAYS"} : SqlText{"BY DEFAULT"},
      " AS IDENTITY;\n  new_sequence := pg_catalog.pg_get_serial_sequence(",
      literal,
      ", ",
      SqlText::String(to),
      ");\n"
      // A bound that is the old type's own becomes the new type's own.
      "  SELECT (-2::numeric) ^ (8 * n.typlen - 1) AS least, 2::numeric ^ (8 * n.typlen - 1) - 1 AS "
      "greatest,\n"
      "    (-2::numeric) ^ (8 * o.typlen - 1) AS old_least, 2::numeric ^ (8 * o.typlen - 1) - 1 AS "
      "old_greatest\n"
      "    INTO STRICT bounds FROM pg_catalog.pg_sequence AS s JOIN pg_catalog.pg_type AS n ON n.oid = "
      "s.seqtypid,\n"
      "    pg_catalog.pg_type AS o WHERE s.seqrelid = new_sequence AND o.oid = old_settings.seqtypid;\n"
      "  EXECUTE pg_catalog.format('ALTER SEQUENCE %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s "
      "'\n"
      "    'RESTART WITH %s CACHE %s %s CYCLE', new_sequence, old_settings.seqincrement,\n"
      "    CASE WHEN old_settings.seqmin <= bounds.old_least THEN trunc(bounds.least)\n"
      "      ELSE greatest(old_settings.seqmin, trunc(bounds.least)) END,\n"
      "    CASE WHEN old_settings.seqmax >= bounds.old_greatest THEN trunc(bounds.greatest)\n"
      "      ELSE least(old_settings.seqmax, trunc(bounds.greatest)) END,\n"
      "    old_settings.seqstart, state.last_value, old_settings.seqcache,\n"
      "    CASE WHEN old_settings.seqcycle THEN '' ELSE 'NO' END);\n"
      "  PERFORM pg_catalog.setval(new_sequence, state.last_value, state.is_called);\n"
      "  FOR held IN SELECT * FROM pg_catalog.aclexplode(old_settings.relacl) AS x WHERE x.grantee <> "
      "old_settings.relowner LOOP\n"
      "    EXECUTE pg_catalog.format('GRANT %s ON SEQUENCE %s TO %s%s', held.privilege_type, new_sequence,\n"
      "      CASE WHEN held.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident("
      "pg_catalog.pg_get_userbyid(held.grantee)) END,\n"
      "      CASE WHEN held.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);\n  END LOOP;\n"
      "  EXECUTE pg_catalog.format('ALTER SEQUENCE %s RENAME TO %I', new_sequence, "
      "old_settings.relname);\nEND\n"};
  return DoBlock(body);
}

}  // namespace curlew::operations
