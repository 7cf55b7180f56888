// One function for each family of statements. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_STATEMENTS_H_
#define CURLEW_COMMON_LINT_STATEMENTS_H_

#include "absl/status/status.h"
#include "common/lint/session.h"

namespace curlew::lint {

// Judges any statement but transaction control; linter.cc does that.
absl::Status LintStatement(Effects& e, const pg_query::Node& node, absl::string_view text);

// create.cc
absl::Status LintCreateTable(Effects& e, const pg_query::CreateStmt& create, bool foreign);
absl::Status LintCreateView(Effects& e, const pg_query::ViewStmt& view);
absl::Status LintCreateTableAs(Effects& e, const pg_query::CreateTableAsStmt& create, bool execute);
// A new relation of the script, with the columns that a query gives it not known.
Relation& MakeRelation(Effects& e, const pg_query::RangeVar& name, char kind);

// create_index.cc
absl::Status LintCreateIndex(Effects& e, const pg_query::IndexStmt& index);

// create_object.cc: objects on tables and others.
absl::Status LintCreateObject(Effects& e, const pg_query::Node& node);

// alter_object.cc: RENAME, SET SCHEMA, OWNER, COMMENT, GRANT, types, domains, sequences, publications.
absl::Status LintAlterObject(Effects& e, const pg_query::Node& node);

// rename.cc
absl::Status LintRename(Effects& e, const pg_query::RenameStmt& rename);

// reindex.cc
absl::Status LintReindex(Effects& e, const pg_query::ReindexStmt& reindex);

// maintenance.cc: VACUUM, ANALYZE, CLUSTER, REINDEX, REFRESH, LOCK, TRUNCATE.
absl::Status LintMaintenance(Effects& e, const pg_query::Node& node);

// query.cc: SELECT, INSERT, UPDATE, DELETE, MERGE, COPY.
absl::Status LintQuery(Effects& e, const pg_query::Node& node, absl::string_view text);
// What a query reads, without running it: a view's.
absl::Status LintQueryTables(Effects& e, const pg_query::Node& query);
// The tables that are planned when a query runs: with their indexes.
void LockForQuery(Effects& e, Oid relation, LockMode mode);

// body.cc: DO and what functions do when they are called.
absl::Status LintDo(Effects& e, const pg_query::DoStmt& statement);
// `given` are the arguments of the call, as far as they are known.
absl::Status LintFunctionCall(Effects& e, const Function& function, const Nodes& given);

// The sequence of a call of nextval, setval or currval with a constant name; null where it is none.
Relation* SequenceOf(Effects& e, const pg_query::FuncCall& call);

// Whether it cannot run in a transaction block, nor in a function, by its text alone.
bool IsTopLevelOnly(const pg_query::Node& node);

// Whether somebody else uses the table: it was there before the script and has rows, as far as is known.
bool IsLive(const Effects& e, Oid table);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_STATEMENTS_H_
