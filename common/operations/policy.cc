#include "common/operations/policy.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/operations/operation.h"
#include "common/schema/schema.h"

namespace curlew::operations {

const v1::Policy* FindPolicy(const v1::Table& table, absl::string_view name) {
  const auto found = std::find_if(table.policies().begin(), table.policies().end(),
                                  [&](const v1::Policy& policy) { return policy.name() == name; });
  return found == table.policies().end() ? nullptr : &*found;
}

bool HasPermissivePolicy(const v1::Table& table) {
  return std::any_of(table.policies().begin(), table.policies().end(), [](const v1::Policy& policy) {
    return absl::StartsWith(policy.clauses(), "AS PERMISSIVE");
  });
}

void AppendSeesAllRowsPreflight(const v1::Table& table, StepList* steps) {
  // Partitions have states of their own, and their rows are filled there.
  if (table.row_security().empty() && table.kind() != v1::TABLE_KIND_PARTITIONED) return;
  const std::string name = schema::NameOf(table).Quoted();
  const sql::SqlText relation = {sql::SqlText::String(name), "::pg_catalog.regclass"};
  AppendCataloguePreflight(table,
                           absl::StrCat("row-level security of ", name, " hides no row from the agent"),
                           {"SELECT count(*) FROM (SELECT ", relation, " AS relid UNION SELECT relid FROM ",
                            "pg_catalog.pg_partition_tree(", relation,
                            ")) AS t WHERE pg_catalog.row_security_active(t.relid::pg_catalog.oid)"},
                           "Give the agent's role BYPASSRLS, or let it own the table, not forced (NO FORCE "
                           "ROW LEVEL SECURITY), then "
                           "resume the rollout.",
                           steps);
}

}  // namespace curlew::operations
