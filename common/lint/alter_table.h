// ALTER TABLE and its kin, as PostgreSQL's tablecmds.c does it: prepare, execute in passes, then rewrite,
// scan and validate. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_ALTER_TABLE_H_
#define CURLEW_COMMON_LINT_ALTER_TABLE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/lint/deletion.h"
#include "common/lint/session.h"

namespace curlew::lint {

// What the last phase has to do with one table.
struct TableWork {
  bool copies_files = false;
  std::vector<Reason> rewrites, scans;
  std::vector<Reason> built;  // indexes, unless the table is rewritten
  // Columns that were added NOT NULL without a value for the rows that there are.
  std::vector<std::string> empty_columns;
  std::vector<std::pair<Oid, Reason>> foreign_keys;  // to validate
};

class AlterTable {
 public:
  AlterTable(Effects* e, const pg_query::AlterTableStmt& statement) : e_(*e), statement_(statement) {}

  absl::Status Run();

  // Adds what CREATE TABLE and ADD COLUMN share: used by create_table.cc for the table that it makes.
  AlterTable(Effects* e, const pg_query::AlterTableStmt& statement, Oid table)
      : e_(*e), statement_(statement), table_(table), creating_(true) {}
  absl::Status AddColumn(const pg_query::ColumnDef& column, bool recurse, bool missing_ok);
  absl::Status AddConstraint(const pg_query::Constraint& constraint, const std::string& column, bool recurse);

 private:
  using Cmd = pg_query::AlterTableCmd;

  absl::Status Execute(const Cmd& cmd);
  int PlaceOf(const Cmd& cmd) const;
  void ForgetDefault(Oid table, int column);
  absl::Status Simple(const Cmd& cmd);
  absl::Status AlterCompositeType();
  // The children, locked as the statement locks; none with ONLY.
  std::vector<Oid> LockBelow(Oid table);
  bool Recurses() const { return statement_.relation().inh(); }
  Relation& table() { return *e_.catalogue.relation(table_); }
  std::string TableName() { return e_.QuotedName(table()); }
  absl::StatusOr<Column*> NeedColumn(Relation& r, absl::string_view name);

  // alter_column.cc
  absl::Status AddColumnTo(Oid table, const pg_query::ColumnDef& column, bool recurse, bool missing_ok,
                           bool inherited);
  absl::Status DropColumn(const Cmd& cmd);
  absl::Status SetNotNull(Oid table, const std::string& column);
  absl::Status SetNotNullFor(const std::string& column, bool recurse);
  absl::Status DropNotNull(const std::string& column);
  absl::Status ChangeIdentity(const Cmd& cmd);
  void LockTypeRelation(Oid type);
  void LockSequences(const pg_query::Node& expression);
  std::vector<Oid> OwnedSequences(Oid table, int column, bool identity_only);

  // alter_constraint.cc
  absl::Status AddCheck(Oid table, const pg_query::Constraint& constraint, std::string name, bool recurse,
                        bool inherited);
  absl::Status AddKey(const pg_query::Constraint& constraint, const std::string& column);
  absl::Status AddKeyUsingIndex(const pg_query::Constraint& constraint);
  absl::Status AddForeignKey(const pg_query::Constraint& constraint, const std::string& column);
  std::string NotValid(const pg_query::Constraint& constraint, const std::string& name,
                       const std::vector<std::string>& columns);
  absl::Status ForeignKeyBelow(Oid table, const Constraint& parent, bool validate);
  absl::Status DropConstraint(Oid table, const std::string& name, Behaviour behaviour, bool missing_ok,
                              bool recurse);
  absl::Status Validate(const std::string& name);

  // alter_type.cc
  absl::Status AlterType(const Cmd& cmd);
  absl::Status AlterTypeOf(Oid table, const std::string& column, const pg_query::ColumnDef& def,
                           bool partitioned);
  absl::Status RefuseDependents(Oid table, const Column& column);
  absl::Status RebuildDependents(Oid table, const Column& before, const Column& after);

  // alter_partition.cc
  absl::Status Attach(const Cmd& cmd);
  absl::Status Detach(const Cmd& cmd);
  absl::Status AttachIndex(const Cmd& cmd);
  absl::Status Inherit(const Cmd& cmd);
  absl::Status Disinherit(const Cmd& cmd);
  absl::Status ForeignKeysOfNewPartition(Oid parent, Oid part);

  // alter_other.cc
  absl::Status ChangeOwner(const std::string& owner);
  absl::Status ChangePersistence(char persistence);
  absl::Status ChangeTablespace(const Cmd& cmd);
  absl::Status ChangeMethod(const Cmd& cmd);
  absl::Status ReplicaIdentity(const Cmd& cmd);
  absl::Status ClusterOn(const Cmd& cmd);
  absl::Status RowSecurity(const Cmd& cmd);

  absl::Status Finish();
  TableWork& Work(Oid table) { return work_[table]; }
  void Scan(Oid table, std::string why, std::string safe);
  void Rewrite(Oid table, std::string why, std::string safe);
  void Validate(Oid foreign_key, std::string safe = "");

  Effects& e_;
  const pg_query::AlterTableStmt& statement_;
  Oid table_ = 0;
  bool creating_ = false;
  LockMode level_ = LockMode::kAccessShare;
  std::map<Oid, TableWork> work_;
};

// The name that PostgreSQL gives a constraint or index without one.
std::string ChooseName(const Effects& e, const Relation& table, const std::vector<std::string>& columns,
                       absl::string_view suffix);

// The queries of a foreign key over both tables take these locks on their indexes.
void LockForeignKeyQuery(Effects& e, Oid referencing, Oid referenced);

// Makes an index in the catalogue, without any lock. Returns its OID.
Oid NewIndex(Effects& e, const Relation& table, std::string name, bool unique, bool primary,
             const std::vector<std::string>& columns);
Oid NewConstraint(Effects& e, const Relation& table, std::string name, char kind);

// Whether a CHECK, as SQL, proves that the column is never NULL, as predtest.c's predicate_implied_by does.
bool ProvesNotNull(const Effects& e, const Relation& table, absl::string_view check,
                   absl::string_view column);
// Whether a validated CHECK of the table does.
bool SomeCheckProvesNotNull(const Effects& e, const Relation& table, absl::string_view column);

// Whether a DEFAULT is evaluated for each row: it calls something volatile, after constants are folded.
bool IsVolatile(const Effects& e, const pg_query::Node& expression, std::string* what);

// Whether it calls anything but immutable functions.
bool IsMutable(const Effects& e, const pg_query::Node& expression);

// Whether a domain has constraints, its own or those of a domain below it.
bool HasConstraints(const Catalogue& c, Oid domain);
// The type below all domains.
Oid BaseType(const Catalogue& c, Oid type, int* typmod);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_ALTER_TABLE_H_
