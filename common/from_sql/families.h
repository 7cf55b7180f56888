// The families of statements. Each function puts the pieces of one statement into the sink. Of this folder
// alone.
#ifndef CURLEW_COMMON_FROM_SQL_FAMILIES_H_
#define CURLEW_COMMON_FROM_SQL_FAMILIES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/from_sql/sink.h"

namespace curlew::from_sql {

// --- One file each. `node` is the whole statement. ---
void AlterTable(const pg_query::Node& node, Sink* sink);
void CreateTable(const pg_query::Node& node, Sink* sink);
void CreateIndex(const pg_query::Node& node, Sink* sink);
void Rename(const pg_query::Node& node, Sink* sink);
void Drop(const pg_query::Node& node, Sink* sink);
void CreateView(const pg_query::Node& node, Sink* sink);
void CreateTableAs(const pg_query::Node& node, Sink* sink);
void CreateFunction(const pg_query::Node& node, Sink* sink);
void CreateTrigger(const pg_query::Node& node, Sink* sink);
void CreateEnum(const pg_query::Node& node, Sink* sink);
void AlterEnum(const pg_query::Node& node, Sink* sink);
void CreateDomain(const pg_query::Node& node, Sink* sink);
void AlterDomain(const pg_query::Node& node, Sink* sink);
void CreateSequence(const pg_query::Node& node, Sink* sink);
void AlterSequence(const pg_query::Node& node, Sink* sink);
void CreateExtension(const pg_query::Node& node, Sink* sink);
void CreateStatistics(const pg_query::Node& node, Sink* sink);
void Comment(const pg_query::Node& node, Sink* sink);
void Grant(const pg_query::Node& node, Sink* sink);
void CreatePolicy(const pg_query::Node& node, Sink* sink);
void Update(const pg_query::Node& node, Sink* sink);
void Delete(const pg_query::Node& node, Sink* sink);
void OtherData(const pg_query::Node& node, Sink* sink);
void Select(const pg_query::Node& node, Sink* sink);
// Whatever has no family: `sql`, with its inverse where there is an obvious one.
void Other(const pg_query::Node& node, Sink* sink);

// --- Shared by the families. ---

// A column as CREATE TABLE and ADD COLUMN define it.
struct ColumnParts {
  v1::TableColumn column;
  std::string serial;                        // "integer" of a serial column; empty for others
  bool primary_key = false;                  // PRIMARY KEY without a name of its own
  std::vector<pg_query::Constraint> others;  // that are operations of their own, with their keys filled in
};

// Reads a column. INVALID_ARGUMENT with the reason where it is more than operations can say.
absl::StatusOr<ColumnParts> ReadColumn(const pg_query::ColumnDef& column, const Known& known);

// A table constraint as ALTER TABLE ... ADD, with the name that PostgreSQL would give it.
pg_query::Node AddConstraintNode(const sql::TableName& table, pg_query::Constraint constraint);
std::string ConstraintName(const pg_query::Constraint& constraint, const sql::TableName& table,
                           const Known& known);
// Puts the constraint into the sink: an operation where one can say it.
void AddConstraint(pg_query::Constraint constraint, const sql::TableName& table, Sink* sink);

// Puts what a serial column needs before and after the column: its sequence, its owner. Gives the sequence.
sql::TableName SerialSequence(const sql::TableName& table, absl::string_view column, absl::string_view type,
                              Sink* sink);
void OwnSequence(const sql::TableName& table, absl::string_view column, const sql::TableName& sequence,
                 Sink* sink);

// Settings of a sequence; absent where there is one that operations do not know (OWNED BY is passed over).
std::optional<v1::SequenceSettings> ReadSettings(
    const google::protobuf::RepeatedPtrField<pg_query::Node>& options, std::string* type);

// Keys of an index.
absl::StatusOr<std::vector<v1::IndexKey>> ReadKeys(
    const google::protobuf::RepeatedPtrField<pg_query::Node>& params);

// WITH (...) as parameters; absent where one has no plain value.
std::optional<std::vector<v1::Parameter>> ReadParameters(
    const google::protobuf::RepeatedPtrField<pg_query::Node>& options);

// DEFERRABLE and INITIALLY DEFERRED.
v1::Deferral ReadDeferral(const pg_query::Constraint& constraint);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_FAMILIES_H_
