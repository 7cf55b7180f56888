#include "common/operations/trigger_functions.h"

#include "absl/strings/str_cat.h"
#include "common/operations/carry_identity.h"
#include "common/operations/operation.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

// Partitions may have triggers of their own.
bool HasTriggers(const v1::Table& table) {
  return !table.triggers().empty() || table.kind() == v1::TABLE_KIND_PARTITIONED;
}

SqlText Functions(const v1::Table& table) {
  const SqlText relation = {SqlText::String(schema::NameOf(table).Quoted()), "::pg_catalog.regclass"};
  return {
      "FROM pg_catalog.pg_trigger AS g JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid JOIN "
      "pg_catalog.pg_language AS l ON l.oid = p.prolang WHERE NOT g.tgisinternal AND l.lanname = 'plpgsql' "
      "AND "
      "g.tgrelid IN (SELECT ",
      relation, " UNION SELECT relid FROM pg_catalog.pg_partition_tree(", relation, "))"};
}

}  // namespace

std::vector<SqlText> RecompileTriggerFunctions(const v1::Table& table) {
  if (!HasTriggers(table)) return {};
  return {DoBlock(
      {"\nDECLARE\n  found record;\nBEGIN\n"
       "  FOR found IN SELECT DISTINCT p.oid::pg_catalog.regprocedure AS name, p.procost\n      ",
       Functions(table),
       " LOOP\n    EXECUTE pg_catalog.format('ALTER FUNCTION %s COST %s', found.name, found.procost);\n"
       "  END LOOP;\nEND\n"})};
}

void AppendTriggerFunctionsPreflight(const v1::Table& table, StepList* steps) {
  if (!HasTriggers(table)) return;
  AppendCataloguePreflight(
      table,
      absl::StrCat("the agent may alter the PL/pgSQL functions of the triggers of ",
                   schema::NameOf(table).Quoted(), ", which sessions have to compile again for the new type"),
      {"SELECT count(DISTINCT p.oid) ", Functions(table),
       " AND NOT pg_catalog.pg_has_role(p.proowner, 'USAGE')"},
      "Make the agent's role a member of the role that owns these functions, then resume the rollout.",
      steps);
}

}  // namespace curlew::operations
