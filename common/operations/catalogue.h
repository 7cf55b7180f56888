// What operations on types, sequences and extensions share: names, and looks at the catalogue for what the
// snapshot does not hold.
#ifndef CURLEW_COMMON_OPERATIONS_CATALOGUE_H_
#define CURLEW_COMMON_OPERATIONS_CATALOGUE_H_

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/operations/operation.h"
#include "common/sql/identifier.h"
#include "common/sql/sql_text.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

// The name of an object as a plan writes it; the schema is public by default. INVALID_ARGUMENT for what is no
// name, and for schemas of PostgreSQL's and of Curlew's own.
absl::StatusOr<sql::TableName> ObjectName(absl::string_view text);

// What `schema` knows by that name: "enum type", "domain", "table", "view" or "sequence"; empty where
// nothing.
std::string KindOf(const v1::Schema& schema, const sql::TableName& name);

// OK unless `schema` knows something by that name; for Apply.
absl::Status CheckNewName(const v1::Schema& schema, const sql::TableName& name);
// OK unless something had that name before the stage, which stands in the way until DROP; for Compile.
// NeedsLaterStage otherwise.
absl::Status CheckNameIsFree(const CompileContext& context, const sql::TableName& name);

// A query that must give 0.
struct CatalogueCheck {
  std::string description;  // what holds then
  sql::SqlText count;
  sql::SqlText keys;  // names what was counted; may be empty
  std::string hint;
};

// One preflight of several checks, without a table. It runs with search_path = pg_catalog, pg_temp.
void AppendCatalogueChecks(std::string title, const std::vector<CatalogueCheck>& checks, StepList* steps);

// The schema exists.
CatalogueCheck SchemaExists(absl::string_view schema);

// Preflight: the schema exists and nothing in it has the name of a type, or of a sequence, that the plan
// makes.
void AppendTypeNamePreflight(const sql::TableName& name, StepList* steps);
void AppendSequenceNamePreflight(const sql::TableName& name, StepList* steps);

// Nothing depends on the objects that `roots` selects ("SELECT class, id": OIDs of catalogue and object), nor
// on what is a part of them; what the operations before this one take away does not count. `what` names the
// object in messages.
CatalogueCheck NothingUses(const CompileContext& context, absl::string_view what, const sql::SqlText& roots);

// Selects the type, or the sequence, as `roots` of NothingUses.
sql::SqlText TypeRoot(const sql::TableName& name);
sql::SqlText SequenceRoot(const sql::TableName& name);

// Takes the element of that name out of a list of a schema.
template <typename Elements>
void EraseNamed(absl::string_view name, Elements* elements) {
  elements->erase(std::remove_if(elements->begin(), elements->end(),
                                 [&](const auto& element) { return element.name() == name; }),
                  elements->end());
}

// Whether a column's `type`, as the catalogue or a plan writes it, is the type `name` or an array of it.
bool IsOfType(absl::string_view type, const sql::TableName& name);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_CATALOGUE_H_
