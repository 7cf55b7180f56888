// Operations: what a person asks for. Open: a new one is a message in plan.proto, one file here, one line in
// registry.cc. Pure: no I/O, no clock; they give steps as data, others execute them.
#ifndef CURLEW_COMMON_OPERATIONS_OPERATION_H_
#define CURLEW_COMMON_OPERATIONS_OPERATION_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/operations/constraint_steps.h"
#include "common/operations/index_steps.h"
#include "common/operations/step_list.h"
#include "common/sql/expression.h"
#include "common/sql/identifier.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

// A column that an operation adds, and the value that existing rows get in it, over columns that exist now.
struct AddedColumn {
  sql::TableName table;
  std::string column;
  std::optional<sql::Expression> value;  // absent where rows get NULL or the default
  // Whether it takes the place of a column of the same name, which stays until DROP: what a later operation
  // of the plan says of that name goes into a later stage.
  bool replaces = false;
};

// What an operation may look at while it is compiled. "Stage" is the stage of the plan that the operation
// belongs to; most plans have one.
struct CompileContext {
  const v1::Schema& now;     // before the stage
  const v1::Schema& before;  // after the operations before this one
  const v1::Schema& after;   // after the whole stage
  const v1::PlanSettings& settings;
  const std::vector<AddedColumn>& added;  // by all operations of the stage

  bool Acknowledged(absl::string_view hazard) const;
  // The value that a column of `table` will have, over the columns that exist now: itself, or what the plan
  // fills it with. FAILED_PRECONDITION for an added column that is not filled. Any column of a table that the
  // stage creates is itself.
  absl::StatusOr<sql::Expression> Project(const sql::TableName& table, absl::string_view column) const;
  // The same for an expression.
  absl::StatusOr<sql::Expression> Project(const sql::TableName& table,
                                          const sql::Expression& expression) const;
  // Whether the column is there before the stage.
  bool ExistsNow(const sql::TableName& table, absl::string_view column) const;
  // Whether the table is there before the stage; one that the stage creates is empty and unknown to
  // applications.
  bool ExistsNow(const sql::TableName& table) const;
};

// FAILED_PRECONDITION that does not hold against a later stage of the plan: the operation needs what an
// earlier one's later phase provides (a name that is dropped and used again). The compiler begins a new stage
// with the operation; only where it is the first of its stage does the error reach the author.
absl::Status NeedsLaterStage(absl::string_view message);
bool IsNeedsLaterStage(const absl::Status& status);

// One operation of a plan. Const and thread-safe. Errors are INVALID_ARGUMENT where the operation is wrong in
// itself, FAILED_PRECONDITION where the schema does not let it; each names object, reason and the way out.
class Operation {
 public:
  virtual ~Operation() = default;

  // What it has to know of the catalogue, by the names that the plan writes: what it works on and what must
  // not be there yet. Empty where that cannot be told (sql).
  virtual v1::Scope Scope() const = 0;
  // Changes `schema` to what later operations of the plan see. Judges the operation against the schema.
  virtual absl::Status Apply(v1::Schema* schema) const = 0;
  // The columns that it adds to tables that exist.
  virtual absl::StatusOr<std::vector<AddedColumn>> Adds(const v1::Schema& before) const;
  // The steps of every phase, each with its undo. Called after Apply has succeeded on context.before. What it
  // wants of the table's dual write and backfill goes into StepList::Work, which all operations of the stage
  // on that table share.
  virtual absl::Status Compile(const CompileContext& context, StepList* steps) const = 0;
};

// The operation that `proto` describes. INVALID_ARGUMENT where none is set. The object copies what it needs.
absl::StatusOr<std::unique_ptr<Operation>> MakeOperation(const v1::Operation& proto);

// --- Shared by the operations. ---

// A scope of one table.
v1::Scope TableScope(absl::string_view name);

// The table that a plan names, in `schema`. FAILED_PRECONDITION where it is not there or is a partition.
absl::StatusOr<v1::Table*> NamedTable(v1::Schema* schema, absl::string_view name);
absl::StatusOr<const v1::Table*> NamedTable(const v1::Schema& schema, absl::string_view name);

// The column, or FAILED_PRECONDITION naming the columns that there are.
absl::StatusOr<v1::Column*> NamedColumn(v1::Table* table, absl::string_view column);
absl::StatusOr<const v1::Column*> NamedColumn(const v1::Table& table, absl::string_view column);

// OK unless the table has a column (a system column, too), index or constraint of that name.
absl::Status CheckNewColumn(const v1::Table& table, absl::string_view column);
absl::Status CheckNewObject(const v1::Table& table, absl::string_view name);

// OK unless `expression` names a column that the table lacks.
absl::Status CheckColumnsExist(const v1::Table& table, const sql::Expression& expression);

// OK unless the table is published and the plan does not acknowledge "published-table".
absl::Status CheckPublications(const v1::Table& table, const CompileContext& context);

// OK unless the table has a column, or an index or constraint, of that name before the stage: it then stands
// in the way while the stage runs, and the undo would drop it, even if an operation takes it away in the end.
// NeedsLaterStage otherwise.
absl::Status CheckColumnIsFree(const CompileContext& context, const sql::TableName& table,
                               absl::string_view column);
absl::Status CheckObjectIsFree(const CompileContext& context, const sql::TableName& table,
                               absl::string_view name);

// Whether the value is NULL, or is not, as NOT NULL means it: of a composite type, IS NULL and IS NOT NULL
// ask for its fields.
sql::SqlText IsNull(const sql::SqlText& value);
sql::SqlText IsGiven(const sql::SqlText& value);

// search_path for expressions about a table: fixed, so that trigger, backfill and checks agree.
std::string SearchPath(const v1::Table& table);

// An SQL expression of type text that gives the key of row `t`: 'contacts (id)=(42)'.
sql::SqlText RowKey(const v1::Table& table, absl::string_view row);

// Steps that make a column NOT NULL without a scan under a strong lock.
void AppendNotNull(const v1::Table& table, absl::string_view column, StepList* steps);

// Preflight: every existing row has a value for the column. Nothing where the value cannot be NULL or there
// is none to look at.
absl::Status AppendNotNullPreflight(const CompileContext& context, const v1::Table& table,
                                    absl::string_view column, StepList* steps);

// Preflight: `count`, a query of the catalogue about what the snapshot does not hold, gives 0.
void AppendCataloguePreflight(const v1::Table& table, std::string description, const sql::SqlText& count,
                              absl::string_view hint, StepList* steps);

// Preflight: nothing in `schema` has the name of a relation (table, view, sequence, index) that the plan
// makes. `table` is the one that the step names as its concern.
void AppendRelationNamePreflight(const v1::Table& table, absl::string_view schema, absl::string_view name,
                                 StepList* steps);

// Preflight without a table: `count`, a query of the catalogue, gives 0. For objects that are no tables.
void AppendCataloguePreflight(std::string description, const sql::SqlText& count, absl::string_view hint,
                              StepList* steps);

// Preflight: a column of `type` can be added without a rewrite of the table, which a domain with constraints
// forces. Nothing where the type is a plain one, or the plan acknowledges "rewrites-table".
void AppendTypePreflight(const CompileContext& context, const v1::Table& table, absl::string_view type,
                         StepList* steps);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_OPERATION_H_
