// Pieces in the order of the script -> operations in an order that phases keep. Of this folder alone.
#ifndef CURLEW_COMMON_FROM_SQL_SETTLE_H_
#define CURLEW_COMMON_FROM_SQL_SETTLE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/from_sql/piece.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::from_sql {

// What the plan holds of the pieces.
struct Settled {
  std::vector<v1::Operation> operations;
  std::vector<int> pieces;                          // of each operation
  std::map<std::string, std::vector<int>> hazards;  // to acknowledge, and the pieces that have them
};

// The pieces' numbers in the order in which they come.
std::vector<int> InOrder(const std::vector<Piece>& pieces);

// Decides which pieces stay operations. `sql` runs in a phase of its own choice and changes a catalogue that
// the compiler does not see change; so
//   * what an operation before it does in a phase, it follows in that phase or a later one; what has no way
//     back runs in DROP;
//   * what it changes, and all that it touches unless it runs first of all, is `sql` from there on, in order.
// Where `schema` is given (the whole catalogue), the plan is compiled against it, and what the compiler
// refuses becomes `sql` too, until it compiles. INVALID_ARGUMENT for a piece that `sql` cannot run either;
// its number is in *blamed.
absl::StatusOr<Settled> Settle(std::vector<Piece>* pieces, const v1::Schema* schema, int* blamed);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_SETTLE_H_
