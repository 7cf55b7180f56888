#include "common/operations/catalogue.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;

// What pg_identify_object says of the objects that a schema holds, type and identity, with their definition.
std::map<std::string, std::string> Identities(const v1::Schema& schema) {
  std::map<std::string, std::string> found;
  for (const v1::Table& table : schema.tables()) {
    const std::string name = schema::NameOf(table).Quoted();
    const auto in_schema = [&](const std::string& object) {
      return TableName{table.schema(), object}.Quoted();
    };
    found["table " + name] = "";
    for (const v1::Column& c : table.columns()) {
      const std::string column = absl::StrCat(name, ".", sql::Ident(c.name()));
      found["table column " + column] = c.type();
      const std::string& value = c.generated().empty() ? c.default_() : c.generated();
      if (!value.empty()) found["default value for " + column] = value;
    }
    for (const v1::Constraint& c : table.constraints()) {
      found[absl::StrCat("table constraint ", sql::Ident(c.name()), " on ", name)] = c.definition();
    }
    for (const v1::Index& i : table.indexes()) found["index " + in_schema(i.name())] = i.definition();
    for (const v1::Trigger& t : table.triggers()) {
      found[absl::StrCat("trigger ", sql::Ident(t.name()), " on ", name)] = t.definition();
    }
    for (const v1::Policy& p : table.policies()) {
      found[absl::StrCat("policy ", sql::Ident(p.name()), " on ", name)] = p.definition();
    }
    for (const v1::Statistics& s : table.statistics()) {
      found["statistics object " + in_schema(s.name())] = s.definition();
    }
  }
  for (const v1::View& view : schema.views()) {
    const std::string kind = view.materialized() ? "materialized view" : "view";
    found[absl::StrCat(kind, " ", view.name())] = view.query();
    for (const std::string& column : view.columns()) {
      found[absl::StrCat(kind, " column ", view.name(), ".", sql::Ident(column))] = view.query();
    }
  }
  for (const v1::Function& f : schema.functions()) {
    found[absl::StrCat(f.procedure() ? "procedure " : "function ", f.identity())] = f.definition();
  }
  for (const v1::Domain& domain : schema.domains()) {
    found["type " + domain.name()] = domain.type();
    for (const v1::Constraint& c : domain.constraints()) {
      found[absl::StrCat("domain constraint ", sql::Ident(c.name()), " on ", domain.name())] = c.definition();
    }
  }
  return found;
}

// Those that are there now, and not, or not the same, before the operation: they are gone when its DROP
// comes.
SqlText TakenAway(const CompileContext& context) {
  const std::map<std::string, std::string> before = Identities(context.before);
  SqlText list;
  for (const auto& [identity, definition] : Identities(context.now)) {
    const auto still = before.find(identity);
    if (still != before.end() && still->second == definition) continue;
    if (!list.empty()) list.Append({", "});
    list.Append({SqlText::String(identity)});
  }
  return list;
}

CatalogueCheck NameIsFree(const TableName& name, const SqlText& taken) {
  return {.description = absl::StrCat("the name ", name.Quoted(), " is free"),
          .count = {"SELECT count(*)", taken},
          .keys = {},
          .hint = "Choose another name in the plan, or free this one, then resume the rollout."};
}

}  // namespace

absl::StatusOr<TableName> ObjectName(absl::string_view text) {
  ASSIGN_OR_RETURN(TableName name, sql::ParseTableName(text));
  if (name.schema == "curlew" || name.schema == "information_schema" ||
      absl::StartsWith(name.schema, "pg_")) {
    return absl::InvalidArgumentError(absl::StrCat(name.Quoted(), ": schema ", sql::Ident(name.schema),
                                                   " is not the applications'; name another one"));
  }
  return name;
}

std::string KindOf(const v1::Schema& schema, const TableName& name) {
  const std::string quoted = name.Quoted();
  if (schema::FindEnum(schema, quoted) != nullptr) return "enum type";
  if (schema::FindDomain(schema, quoted) != nullptr) return "domain";
  if (schema::FindTable(schema, name) != nullptr) return "table";
  if (schema::FindView(schema, quoted) != nullptr) return "view";
  if (schema::FindSequence(schema, quoted) != nullptr) return "sequence";
  return "";
}

absl::Status CheckNewName(const v1::Schema& schema, const TableName& name) {
  const std::string kind = KindOf(schema, name);
  if (kind.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(kind, " ", name.Quoted(), " exists already; choose another name, or drop it first"));
}

absl::Status CheckNameIsFree(const CompileContext& context, const TableName& name) {
  const std::string kind = KindOf(context.now, name);
  if (kind.empty()) return absl::OkStatus();
  return NeedsLaterStage(absl::StrCat("the name ", name.Quoted(), " is in use by ", kind, " ", name.Quoted(),
                                      "; choose another name, or drop it first"));
}

void AppendCatalogueChecks(std::string title, const std::vector<CatalogueCheck>& checks, StepList* steps) {
  v1::Verify* verify = steps->AddPreflight(std::move(title))->mutable_action()->mutable_verify();
  verify->set_search_path("pg_catalog, pg_temp");
  for (const CatalogueCheck& check : checks) {
    v1::Check* added = verify->add_checks();
    added->set_description(check.description);
    added->set_count_query(check.count.str());
    added->set_key_query(check.keys.str());
    added->set_hint(check.hint);
  }
}

CatalogueCheck SchemaExists(absl::string_view schema) {
  return {.description = absl::StrCat("schema ", sql::Ident(schema), " exists"),
          .count = {"SELECT count(*) WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = ",
                    SqlText::String(schema), ")"},
          .keys = {},
          .hint = "Create the schema, or name another one in the plan, then resume the rollout."};
}

// An array type that stands in the way is renamed by PostgreSQL itself.
void AppendTypeNamePreflight(const TableName& name, StepList* steps) {
  AppendCatalogueChecks(
      absl::StrCat("check that the name ", name.Quoted(), " is free"),
      {SchemaExists(name.schema),
       NameIsFree(name,
                  {" FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace WHERE n.nspname = ",
                   SqlText::String(name.schema), " AND t.typname = ", SqlText::String(name.name),
                   " AND NOT (t.typcategory = 'A' AND t.typelem <> 0)"})},
      steps);
}

void AppendSequenceNamePreflight(const TableName& name, StepList* steps) {
  AppendCatalogueChecks(
      absl::StrCat("check that the name ", name.Quoted(), " is free"),
      {SchemaExists(name.schema),
       NameIsFree(name,
                  {" FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = ",
                   SqlText::String(name.schema), " AND c.relname = ", SqlText::String(name.name)})},
      steps);
}

CatalogueCheck NothingUses(const CompileContext& context, absl::string_view what, const SqlText& roots) {
  // What hangs on an object by 'a' or 'i' is a part of it and goes with it. A view hangs on its rule _RETURN.
  // A partition's columns, defaults and constraints follow its parent's.
  SqlText used = {
      "WITH RECURSIVE part (class, id) AS (", roots,
      " UNION SELECT d.classid, d.objid FROM part AS p JOIN pg_depend AS d ON d.refclassid = p.class AND "
      "d.refobjid = p.id WHERE d.deptype IN ('a', 'i')), used AS (SELECT DISTINCT i.type || ' ' || "
      "i.identity "
      "AS what FROM part AS p JOIN pg_depend AS d ON d.refclassid = p.class AND d.refobjid = p.id LEFT JOIN "
      "pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.rulename = '_RETURN' "
      "LEFT JOIN pg_attrdef AS e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid LEFT JOIN "
      "pg_constraint AS k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid LEFT JOIN pg_class AS "
      "c "
      "ON c.oid = coalesce(e.adrelid, k.conrelid, CASE WHEN d.classid = 'pg_class'::regclass THEN d.objid "
      "END) "
      "CROSS JOIN LATERAL pg_identify_object(CASE WHEN r.oid IS NULL THEN d.classid ELSE "
      "'pg_class'::regclass END, coalesce(r.ev_class, d.objid), CASE WHEN r.oid IS NULL THEN d.objsubid ELSE "
      "0 END) AS i WHERE d.deptype NOT IN ('a', 'i') AND (d.classid, d.objid) NOT IN (SELECT class, id FROM "
      "part) AND c.relispartition IS NOT TRUE"};
  const SqlText taken_away = TakenAway(context);
  if (!taken_away.empty()) {
    used.Append({" AND i.type || ' ' || i.identity <> ALL (ARRAY[", taken_away, "])"});
  }
  used.Append({")"});
  return {.description = absl::StrCat("nothing uses ", what),
          .count = {used, " SELECT count(*) FROM used"},
          .keys = {used, " SELECT what FROM used ORDER BY what"},
          .hint = absl::StrCat("Take away what uses ", what,
                               " by operations before this one, or leave this one out.")};
}

SqlText TypeRoot(const TableName& name) {
  return {
      "SELECT 'pg_type'::regclass::oid, t.oid FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = "
      "t.typnamespace WHERE n.nspname = ",
      SqlText::String(name.schema), " AND t.typname = ", SqlText::String(name.name)};
}

SqlText SequenceRoot(const TableName& name) {
  return {
      "SELECT 'pg_class'::regclass::oid, c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = "
      "c.relnamespace WHERE n.nspname = ",
      SqlText::String(name.schema), " AND c.relname = ", SqlText::String(name.name)};
}

bool IsOfType(absl::string_view type, const TableName& name) {
  while (absl::ConsumeSuffix(&type, "[]")) {
  }
  const absl::StatusOr<TableName> parsed = sql::ParseTableName(type);
  return parsed.ok() && *parsed == name;
}

}  // namespace curlew::operations
