// What operations on views, functions, triggers and statistics share.
#ifndef CURLEW_COMMON_OPERATIONS_OBJECTS_H_
#define CURLEW_COMMON_OPERATIONS_OBJECTS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/operations/catalogue.h"
#include "common/operations/operation.h"
#include "common/sql/query.h"

namespace curlew::operations {

// How pg_identify_object calls the kinds of relations that queries make.
inline constexpr char kView[] = "view";
inline constexpr char kMaterializedView[] = "materialized view";

// What runs before statements with words of the author: names without a schema mean `path` and PostgreSQL's
// own, whatever the agent's role has set.
sql::SqlText SetSearchPath(const std::string& path);
// The same for names that are in public where no schema is written.
sql::SqlText SetSearchPathToPublic();

// View `name`, or what else has that name, and the relations that its query names.
v1::Scope ViewScope(const sql::TableName& name, const std::vector<sql::TableName>& tables);

// The view of that kind. FAILED_PRECONDITION where there is none, or one of another kind.
absl::StatusOr<const v1::View*> NamedView(const v1::Schema& schema, const sql::TableName& name,
                                          absl::string_view kind);

// The operation that drops a view of that kind.
std::unique_ptr<Operation> MakeDropOfView(sql::TableName name, absl::string_view kind);

// FAILED_PRECONDITION, naming what there is, where something depends on the object.
absl::Status CheckNoDependents(absl::string_view what,
                               const google::protobuf::RepeatedPtrField<v1::Dependent>& dependents);

// FAILED_PRECONDITION where two columns of the query have one name.
absl::Status CheckColumnsDiffer(const sql::TableName& name, const sql::Query& query);

// Notes that the view depends on what its query names, or does not any more: on columns of tables, on
// views and on functions of that name. `kind` and `name` as pg_identify_object gives them.
void AddDependents(const sql::Query& query, absl::string_view kind, const std::string& name,
                   v1::Schema* schema);
void ForgetDependent(absl::string_view kind, const std::string& name, v1::Schema* schema);

// Preflight: the server understands the query and, where `columns` are those of a view that it replaces,
// gives them the same types. Nothing where the stage changes what the query may name, so that it need not be
// there yet.
void AppendQueryPreflight(const CompileContext& context, const sql::TableName& view, const sql::Query& query,
                          const std::vector<std::string>& columns, StepList* steps);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_OBJECTS_H_
