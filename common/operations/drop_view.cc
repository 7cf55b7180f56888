#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/objects.h"
#include "common/operations/operations.h"

namespace curlew::operations {

absl::StatusOr<std::unique_ptr<Operation>> MakeDropView(const v1::DropView& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.view()));
  return MakeDropOfView(std::move(name), kView);
}

}  // namespace curlew::operations
