// The parts of ALTER TABLE that are about one column. `node` is the ALTER TABLE with this part alone. Of this
// folder alone.
#ifndef CURLEW_COMMON_FROM_SQL_ALTER_COLUMN_H_
#define CURLEW_COMMON_FROM_SQL_ALTER_COLUMN_H_

#include "common/from_sql/sink.h"
#include "common/sql/identifier.h"

namespace curlew::from_sql {

using AlterCommand = pg_query::AlterTableCmd;

void AddColumn(const AlterCommand& command, const sql::TableName& table, const pg_query::Node& node,
               Sink* sink);
void DropColumn(const AlterCommand& command, const sql::TableName& table, const pg_query::Node& node,
                Sink* sink);
void ColumnDefault(const AlterCommand& command, const sql::TableName& table, const pg_query::Node& node,
                   Sink* sink);
void NotNull(const AlterCommand& command, const sql::TableName& table, const pg_query::Node& node,
             Sink* sink);
void ColumnType(const AlterCommand& command, const sql::TableName& table, const pg_query::Node& node,
                Sink* sink);
void StatisticsTarget(const AlterCommand& command, const sql::TableName& table, const pg_query::Node& node,
                      Sink* sink);

// ADD PRIMARY KEY on a table that the script makes, as dumps write it: it becomes part of create_table. False
// where it is not so.
bool AddPrimaryKey(const pg_query::Constraint& constraint, const sql::TableName& table,
                   const pg_query::Node& node, Sink* sink);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_ALTER_COLUMN_H_
