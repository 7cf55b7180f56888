// The tables that a parsed statement names.
#ifndef CURLEW_COMMON_SQL_TABLE_REFERENCES_H_
#define CURLEW_COMMON_SQL_TABLE_REFERENCES_H_

#include <functional>

#include "common/sql/identifier.h"
#include "common/sql/parser.h"

namespace curlew::sql {

// Calls `visit` for each relation named below `tree` that is not a query of a WITH which can be seen there,
// as often as it is named.
void ForEachTable(const google::protobuf::Message& tree,
                  const std::function<void(const pg_query::RangeVar&)>& visit);

// The name as a statement means it that looks into pg_catalog and schema public.
TableName NameOf(const pg_query::RangeVar& table);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_TABLE_REFERENCES_H_
