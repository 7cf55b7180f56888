// Which message is which operation. A message without a line here does not compile (-Werror=switch).
#include "common/operations/operation.h"
#include "common/operations/operations.h"

namespace curlew::operations {

absl::StatusOr<std::unique_ptr<Operation>> MakeOperation(const v1::Operation& proto) {
  switch (proto.op_case()) {
    case v1::Operation::kAddColumn:
      return MakeAddColumn(proto.add_column());
    case v1::Operation::kRenameColumn:
      return MakeRenameColumn(proto.rename_column());
    case v1::Operation::kSetNotNull:
      return MakeSetNotNull(proto.set_not_null());
    case v1::Operation::kAddCheck:
      return MakeAddCheck(proto.add_check());
    case v1::Operation::kAddUnique:
      return MakeAddUnique(proto.add_unique());
    case v1::Operation::kCreateIndex:
      return MakeCreateIndex(proto.create_index());
    case v1::Operation::kDropColumn:
      return MakeDropColumn(proto.drop_column());
    case v1::Operation::kSql:
      return MakeSql(proto.sql());
    case v1::Operation::OP_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("the operation is empty: name one, for example rename_column");
}

}  // namespace curlew::operations
