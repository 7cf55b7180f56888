#include "common/lint/alter_level.h"

#include <algorithm>
#include <set>
#include <string>

namespace curlew::lint {
namespace {

using pg_query::Node;

LockMode OptionLock(const std::string& name) {
  static const auto* const strong = new std::set<std::string>{
      "user_catalog_table",     "security_barrier", "security_invoker", "check_option", "fastupdate",
      "gin_pending_list_limit", "buffering",        "pages_per_range",  "autosummarize"};
  return strong->count(name) > 0 ? LockMode::kAccessExclusive : LockMode::kShareUpdateExclusive;
}

}  // namespace

// The passes of ATRewriteCatalogs, in their order.
int PassOf(const pg_query::AlterTableCmd& cmd) {
  switch (cmd.subtype()) {
    case pg_query::AT_DropColumn:
    case pg_query::AT_DropConstraint:
    case pg_query::AT_DropNotNull:
    case pg_query::AT_DropIdentity:
    case pg_query::AT_DropExpression:
      return 0;
    case pg_query::AT_ColumnDefault:
      return cmd.has_def() ? 7 : 0;
    case pg_query::AT_AlterColumnType:
      return 1;
    case pg_query::AT_AddColumn:
      return 4;
    case pg_query::AT_SetNotNull:
    case pg_query::AT_SetStatistics:
    case pg_query::AT_SetStorage:
    case pg_query::AT_SetCompression:
    case pg_query::AT_SetIdentity:
    case pg_query::AT_AddIdentity:
      return 6;
    case pg_query::AT_AddConstraint:
      switch (cmd.def().constraint().contype()) {
        case pg_query::CONSTR_PRIMARY:
        case pg_query::CONSTR_UNIQUE:
        case pg_query::CONSTR_EXCLUSION:
          return 8;
        default:
          return 9;
      }
    default:
      return 10;
  }
}

// ATSimplePermissions: the kinds of relations that an action is for.
bool Allows(char kind, pg_query::AlterTableType type) {
  const bool table = kind == 'r' || kind == 'p', foreign = kind == 'f', matview = kind == 'm',
             index = kind == 'i' || kind == 'I';
  switch (type) {
    case pg_query::AT_AddColumn:
    case pg_query::AT_DropColumn:
    case pg_query::AT_AlterColumnType:
      return table || foreign || kind == 'c';
    case pg_query::AT_ColumnDefault:
      return table || foreign || kind == 'v';
    case pg_query::AT_AddIdentity:
    case pg_query::AT_SetIdentity:
    case pg_query::AT_DropIdentity:
      return table || foreign || kind == 'v';
    case pg_query::AT_SetNotNull:
    case pg_query::AT_DropNotNull:
    case pg_query::AT_AddConstraint:
    case pg_query::AT_DropConstraint:
    case pg_query::AT_ValidateConstraint:
    case pg_query::AT_EnableTrig:
    case pg_query::AT_DisableTrig:
    case pg_query::AT_EnableTrigAll:
    case pg_query::AT_DisableTrigAll:
    case pg_query::AT_EnableTrigUser:
    case pg_query::AT_DisableTrigUser:
    case pg_query::AT_EnableAlwaysTrig:
    case pg_query::AT_EnableReplicaTrig:
    case pg_query::AT_AddInherit:
    case pg_query::AT_DropInherit:
    case pg_query::AT_DropExpression:
      return table || foreign;
    case pg_query::AT_EnableRowSecurity:
    case pg_query::AT_DisableRowSecurity:
    case pg_query::AT_ForceRowSecurity:
    case pg_query::AT_NoForceRowSecurity:
    case pg_query::AT_AlterConstraint:
    case pg_query::AT_AddOf:
    case pg_query::AT_DropOf:
    case pg_query::AT_DetachPartition:
      return table;
    case pg_query::AT_SetStatistics:
      return table || foreign || matview || index;
    case pg_query::AT_SetStorage:
    case pg_query::AT_SetOptions:
    case pg_query::AT_ResetOptions:
      return table || foreign || matview;
    case pg_query::AT_SetCompression:
    case pg_query::AT_ClusterOn:
    case pg_query::AT_DropCluster:
    case pg_query::AT_ReplicaIdentity:
    case pg_query::AT_SetAccessMethod:
      return table || matview;
    case pg_query::AT_SetLogged:
    case pg_query::AT_SetUnLogged:
      return table || kind == 'S';
    case pg_query::AT_SetTableSpace:
      return table || matview || index;
    case pg_query::AT_AttachPartition:
      return kind == 'p' || kind == 'I' || kind == 'r';
    default:
      return true;
  }
}

LockMode LevelOf(const pg_query::AlterTableCmd& cmd) {
  switch (cmd.subtype()) {
    case pg_query::AT_EnableTrig:
    case pg_query::AT_EnableAlwaysTrig:
    case pg_query::AT_EnableReplicaTrig:
    case pg_query::AT_DisableTrig:
    case pg_query::AT_EnableTrigAll:
    case pg_query::AT_DisableTrigAll:
    case pg_query::AT_EnableTrigUser:
    case pg_query::AT_DisableTrigUser:
      return LockMode::kShareRowExclusive;
    case pg_query::AT_AddConstraint:
      return cmd.def().constraint().contype() == pg_query::CONSTR_FOREIGN ? LockMode::kShareRowExclusive
                                                                          : LockMode::kAccessExclusive;
    case pg_query::AT_SetRelOptions:
    case pg_query::AT_ResetRelOptions: {
      LockMode level = LockMode::kShareUpdateExclusive;
      for (const Node& option : cmd.def().list().items()) {
        const std::string& name = option.def_elem().defname();
        level = std::max(level, OptionLock(name));
      }
      return level;
    }
    case pg_query::AT_SetStatistics:
    case pg_query::AT_SetOptions:
    case pg_query::AT_ResetOptions:
    case pg_query::AT_ClusterOn:
    case pg_query::AT_DropCluster:
    case pg_query::AT_ValidateConstraint:
    case pg_query::AT_AttachPartition:
    case pg_query::AT_DetachPartitionFinalize:
      return LockMode::kShareUpdateExclusive;
    case pg_query::AT_DetachPartition:
      return cmd.def().partition_cmd().concurrent() ? LockMode::kShareUpdateExclusive
                                                    : LockMode::kAccessExclusive;
    default:
      return LockMode::kAccessExclusive;
  }
}

}  // namespace curlew::lint
