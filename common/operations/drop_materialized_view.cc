#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/objects.h"
#include "common/operations/operations.h"

namespace curlew::operations {

absl::StatusOr<std::unique_ptr<Operation>> MakeDropMaterializedView(const v1::DropMaterializedView& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.view()));
  return MakeDropOfView(std::move(name), kMaterializedView);
}

}  // namespace curlew::operations
