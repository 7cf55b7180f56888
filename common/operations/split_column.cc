#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/operations/reshape.h"

namespace curlew::operations {

absl::StatusOr<std::unique_ptr<Operation>> MakeSplitColumn(const v1::SplitColumn& proto) {
  if (proto.into_size() < 2) {
    return absl::InvalidArgumentError("into: a split needs at least two columns; for one use rename_column");
  }
  Reshape reshape{.table = proto.table(), .discard = {proto.discard().begin(), proto.discard().end()}};
  for (const v1::ColumnPart& part : proto.into()) {
    ASSIGN_OR_RETURN(sql::Expression up, sql::Expression::Parse(part.up()));
    reshape.to.push_back({.name = part.column(),
                          .type = part.type(),
                          .collation = part.collation(),
                          .up = std::move(up),
                          .not_null = part.not_null(),
                          .comment = part.comment()});
  }
  ASSIGN_OR_RETURN(sql::Expression down, sql::Expression::Parse(proto.down()));
  reshape.from.push_back({.name = proto.column(), .down = std::move(down)});
  return MakeReshape(std::move(reshape));
}

}  // namespace curlew::operations
