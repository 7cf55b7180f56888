#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/operations/reshape.h"

namespace curlew::operations {

absl::StatusOr<std::unique_ptr<Operation>> MakeMergeColumns(const v1::MergeColumns& proto) {
  if (proto.columns_size() < 2) {
    return absl::InvalidArgumentError("columns: a merge needs at least two; for one use rename_column");
  }
  Reshape reshape{.table = proto.table(), .discard = {proto.discard().begin(), proto.discard().end()}};
  ASSIGN_OR_RETURN(sql::Expression up, sql::Expression::Parse(proto.up()));
  reshape.to.push_back({.name = proto.into(),
                        .type = proto.type(),
                        .collation = proto.collation(),
                        .up = std::move(up),
                        .not_null = proto.not_null(),
                        .comment = proto.comment()});
  for (const v1::MergedColumn& column : proto.columns()) {
    ASSIGN_OR_RETURN(sql::Expression down, sql::Expression::Parse(column.down()));
    reshape.from.push_back({.name = column.column(), .down = std::move(down)});
  }
  return MakeReshape(std::move(reshape));
}

}  // namespace curlew::operations
