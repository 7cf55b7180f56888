// The makers of all operations, one for each file. Only registry.cc needs them.
#ifndef CURLEW_COMMON_OPERATIONS_OPERATIONS_H_
#define CURLEW_COMMON_OPERATIONS_OPERATIONS_H_

#include <memory>

#include "common/operations/operation.h"

namespace curlew::operations {

// Each reads the expressions of its message once: INVALID_ARGUMENT where one does not parse.
absl::StatusOr<std::unique_ptr<Operation>> MakeAddColumn(const v1::AddColumn& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeRenameColumn(const v1::RenameColumn& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeSetNotNull(const v1::SetNotNull& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeAddCheck(const v1::AddCheck& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeAddUnique(const v1::AddUnique& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeCreateIndex(const v1::CreateIndex& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropColumn(const v1::DropColumn& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeSql(const v1::Sql& proto);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_OPERATIONS_H_
