// How the server would carry a data statement out. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_QUERY_PLAN_H_
#define CURLEW_COMMON_LINT_QUERY_PLAN_H_

#include <map>
#include <set>

#include "common/lint/session.h"

namespace curlew::lint {

struct QueryPlan {
  bool by_server = false;  // whether a server was asked
  std::set<Oid> scanned;   // tables that are read from end to end
  std::set<Oid> read;      // by_server: all tables that the plan reaches
};

// The plan of a statement over the tables `named`: the server's, where there is an Explainer and it knows all
// of them; else a table is scanned where no condition fits an index of it.
QueryPlan PlanOf(Effects& e, const pg_query::Node& node, const std::map<Oid, LockMode>& named);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_QUERY_PLAN_H_
