// What the steps of a plan need of the tables that are there.
#ifndef CURLEW_AGENT_PREFLIGHT_NEEDS_H_
#define CURLEW_AGENT_PREFLIGHT_NEEDS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/pg/connection.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// What becomes of a table.
struct TableNeeds {
  bool changes = false;  // by DDL, which only its owner may
  bool reads = false;    // rows
  bool updates = false;  // rows, by a walk
  bool deletes = false;  // rows, by a walk
  int walks = 0;         // that leave a dead row for each that they write
  int index_builds = 0;
  bool rewrites = false;  // the whole table
};

// All of a plan. Pure.
struct PlanNeeds {
  std::map<std::string, TableNeeds> tables;  // by name as the plan has it: qualified, quoted
  // Schemas, not quoted, in which something is made besides indexes and triggers.
  std::set<std::string> creates_in;
  // Whether it takes locks that an autovacuum may stand in the way of.
  bool ddl = false;
  // Whether walks switch off other triggers than Curlew's.
  bool replica_role = false;
};
PlanNeeds NeedsOf(const v1::CompiledPlan& plan);

// A table with its partitions.
struct TableFacts {
  int64_t heap_bytes = 0;
  int64_t table_bytes = 0;  // with TOAST
  int64_t index_bytes = 0;
  int64_t rows = 0;  // estimated
};
// Of those that exist, by the names given. Errors as in common/pg/error.h.
absl::StatusOr<std::map<std::string, TableFacts>> ReadTableFacts(pg::Connection* connection,
                                                                 const std::vector<std::string>& tables);

// Names of all tables of `needs`.
std::vector<std::string> NamesOf(const PlanNeeds& needs);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_PREFLIGHT_NEEDS_H_
