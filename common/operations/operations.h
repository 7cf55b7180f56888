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
absl::StatusOr<std::unique_ptr<Operation>> MakeChangeType(const v1::ChangeType& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeSplitColumn(const v1::SplitColumn& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeMergeColumns(const v1::MergeColumns& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropNotNull(const v1::DropNotNull& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeSetDefault(const v1::SetDefault& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropDefault(const v1::DropDefault& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeSetComment(const v1::SetComment& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeCreateTable(const v1::CreateTable& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropTable(const v1::DropTable& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeSetTableOptions(const v1::SetTableOptions& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeSetReplicaIdentity(const v1::SetReplicaIdentity& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeSetRowSecurity(const v1::SetRowSecurity& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeCreatePolicy(const v1::CreatePolicy& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropPolicy(const v1::DropPolicy& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeGrant(const v1::GrantPrivileges& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeRevoke(const v1::RevokePrivileges& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropIndex(const v1::DropIndex& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeRenameIndex(const v1::RenameIndex& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeReindex(const v1::Reindex& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeAddForeignKey(const v1::AddForeignKey& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeAddExclusion(const v1::AddExclusion& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropConstraint(const v1::DropConstraint& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeRenameConstraint(const v1::RenameConstraint& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeValidateConstraint(
    const v1::ValidateExistingConstraint& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeCreateEnum(const v1::CreateEnum& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeAddEnumValue(const v1::AddEnumValue& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeRenameEnumValue(const v1::RenameEnumValue& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeRemoveEnumValue(const v1::RemoveEnumValue& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeCreateDomain(const v1::CreateDomain& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeAddDomainConstraint(const v1::AddDomainConstraint& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropDomainConstraint(const v1::DropDomainConstraint& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropType(const v1::DropType& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeCreateSequence(const v1::CreateSequence& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeAlterSequence(const v1::AlterSequence& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropSequence(const v1::DropSequence& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeCreateView(const v1::CreateView& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropView(const v1::DropView& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeCreateMaterializedView(
    const v1::CreateMaterializedView& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropMaterializedView(const v1::DropMaterializedView& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeCreateFunction(const v1::CreateFunction& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropFunction(const v1::DropFunction& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeCreateTrigger(const v1::CreateTrigger& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropTrigger(const v1::DropTrigger& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeCreateExtension(const v1::CreateExtension& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropExtension(const v1::DropExtension& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeCreateStatistics(const v1::CreateStatistics& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeDropStatistics(const v1::DropStatistics& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeBackfill(const v1::BackfillColumns& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakePurge(const v1::Purge& proto);
absl::StatusOr<std::unique_ptr<Operation>> MakeTransform(const v1::Transform& proto);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_OPERATIONS_H_
