// What is fixed for each action of ALTER TABLE. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_ALTER_LEVEL_H_
#define CURLEW_COMMON_LINT_ALTER_LEVEL_H_

#include "common/lint/lint.h"
#include "pg_query.pb.h"

namespace curlew::lint {

// The lock that it takes on its table: AlterTableGetLockLevel of tablecmds.c.
LockMode LevelOf(const pg_query::AlterTableCmd& cmd);

// Its place in the order in which PostgreSQL carries the actions of one statement out.
int PassOf(const pg_query::AlterTableCmd& cmd);

// Whether it is for relations of this kind: ATSimplePermissions.
bool Allows(char kind, pg_query::AlterTableType type);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_ALTER_LEVEL_H_
