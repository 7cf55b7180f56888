// A partitioned table with the parts of one of its indexes.
#ifndef CURLEW_AGENT_EXECUTOR_INDEX_TREE_H_
#define CURLEW_AGENT_EXECUTOR_INDEX_TREE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// A table of the tree. Names are qualified and quoted.
struct IndexNode {
  uint32_t table_oid = 0;
  std::string schema;  // not quoted
  std::string table;
  char kind = 'r';  // pg_class.relkind
  int level = 0;
  // The index here that is attached to the one above (at the top: the index itself); "" where there is none.
  std::string index;
  bool valid = false;
  // The index above, to which the one here is to be attached; "" at the top, and where there is none yet.
  std::string parent_index;

  bool partitioned() const { return kind == 'p'; }
};

// The tree below `table`, itself first, parents before their partitions, otherwise in order of names.
// Partitions that are being detached are no part of it. NOT_FOUND where the table does not exist; errors as
// in common/pg/error.h.
absl::StatusOr<std::vector<IndexNode>> ReadIndexTree(pg::Connection* connection, const std::string& table,
                                                     const std::string& index);

// FAILED_PRECONDITION where the table is not partitioned, or where a partition is a foreign table: such an
// index could never become valid.
absl::Status CheckIndexable(const std::vector<IndexNode>& nodes);

// The name, not quoted, that the part of `index` on the table of `node` gets: the index's name, cut, and a
// hash of both names.
std::string PartName(const std::string& index, const IndexNode& node);
// The same, qualified and quoted: a part lives in the schema of its table.
std::string QualifiedPartName(const std::string& index, const IndexNode& node);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_INDEX_TREE_H_
