#include "common/pg/introspect.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"
#include "common/pg/introspect_objects.h"
#include "common/pg/introspect_queries.h"

namespace curlew::pg {
namespace {

constexpr int kTries = 50;

// Fills a Schema query by query. The catalogue's functions give NULL for an object that has gone since the
// snapshot was taken; that shows as an empty definition and cannot do harm, because whoever compiles against
// it takes the tables' locks later and sees the difference.
class Reader {
 public:
  explicit Reader(Transaction* transaction, int server_version)
      : transaction_(*transaction), server_version_(server_version) {}

  absl::Status FindTables(const v1::Scope& scope) {
    const std::vector<std::string> names(scope.tables().begin(), scope.tables().end());
    // A scope that names nothing has an empty wire form.
    const bool all = scope.ByteSizeLong() == 0;
    ASSIGN_OR_RETURN(const Result r, transaction_.Execute(absl::StrCat(kNamed, kTables),
                                                          {ArrayParam(names), all ? "t" : "f"}));
    for (int64_t i = 0; i < r.size(); ++i) {
      v1::Table* table = schema_.add_tables();
      table->set_schema(r.Text(i, 1));
      table->set_name(r.Text(i, 2));
      table->set_kind(r.Bool(i, 3) ? v1::TABLE_KIND_PARTITIONED : v1::TABLE_KIND_TABLE);
      table->set_owner(r.Text(i, 4));
      table->set_subscribed(r.Bool(i, 5));
      table->set_partition_key(r.Text(i, 6));
      table->set_is_child(r.Bool(i, 7));
      table->set_replica_identity(r.Text(i, 8));
      table->set_row_security(r.Text(i, 9));
      SetNames(r.Array(i, 10), table->mutable_options());
      table->set_comment(r.Text(i, 11));
      oids_.push_back(r.Text(i, 0));
      tables_[r.Text(i, 0)] = table;
    }
    return absl::OkStatus();
  }

  absl::Status ReadColumns() {
    ASSIGN_OR_RETURN(const Result r, Ask(kColumns, kPartsOfTypes));
    for (int64_t i = 0; i < r.size(); ++i) {
      v1::Column* column = TableOf(r, i)->add_columns();
      columns_[{r.Text(i, 0), r.Int(i, 1)}] = column;
      column->set_name(r.Text(i, 2));
      column->set_type(r.Text(i, 3));
      column->set_collation(r.Text(i, 4));
      column->set_not_null(r.Bool(i, 5));
      column->set_default_(r.Text(i, 6));
      column->set_identity(r.Text(i, 7));
      column->set_generated(r.Text(i, 8));
      column->set_comment(r.Text(i, 9));
      column->set_owned_sequence(r.Text(i, 10));
      column->set_has_equality(r.Bool(i, 11));
      column->set_statistics_target(static_cast<int32_t>(r.Int(i, 12)));
    }
    return absl::OkStatus();
  }

  absl::Status ReadGrants() {
    ASSIGN_OR_RETURN(const Result r, Ask(kGrants));
    for (int64_t i = 0; i < r.size(); ++i) {
      v1::Privilege* grant = r.Int(i, 1) == 0 ? TableOf(r, i)->add_grants() : ColumnOf(r, i)->add_grants();
      grant->set_grantee(r.Text(i, 2));
      grant->set_privilege(r.Text(i, 3));
      grant->set_grantable(r.Bool(i, 4));
    }
    return absl::OkStatus();
  }

  absl::Status ReadDependents() {
    ASSIGN_OR_RETURN(const Result r, Ask(kDependents));
    for (int64_t i = 0; i < r.size(); ++i) {
      v1::Dependent* dependent = ColumnOf(r, i)->add_dependents();
      dependent->set_type(r.Text(i, 2));
      dependent->set_identity(r.Text(i, 3));
    }
    return absl::OkStatus();
  }

  absl::Status ReadIndexes() {
    ASSIGN_OR_RETURN(const Result r, Ask(kIndexes));
    for (int64_t i = 0; i < r.size(); ++i) {
      v1::Index* index = TableOf(r, i)->add_indexes();
      index->set_name(r.Text(i, 1));
      index->set_definition(r.Text(i, 2));
      SetNames(r.Array(i, 3), index->mutable_columns());
      index->set_unique(r.Bool(i, 4));
      index->set_primary(r.Bool(i, 5));
      index->set_valid(r.Bool(i, 6));
      index->set_constraint(r.Text(i, 7));
    }
    return absl::OkStatus();
  }

  absl::Status ReadConstraints() {
    ASSIGN_OR_RETURN(const Result r, Ask(kConstraints));
    for (int64_t i = 0; i < r.size(); ++i) {
      v1::Table* table = TableOf(r, i);
      v1::Constraint* constraint = r.Bool(i, 1) ? table->add_referenced_by() : table->add_constraints();
      constraint->set_name(r.Text(i, 2));
      ASSIGN_OR_RETURN(const v1::ConstraintType type, TypeOf(r.Text(i, 3)));
      constraint->set_type(type);
      constraint->set_definition(r.Text(i, 4));
      SetNames(r.Array(i, 5), constraint->mutable_columns());
      constraint->set_validated(r.Bool(i, 6));
      constraint->set_table(r.Text(i, 7));
      constraint->set_referenced_table(r.Text(i, 8));
      SetNames(r.Array(i, 9), constraint->mutable_referenced_columns());
    }
    return absl::OkStatus();
  }

  absl::Status ReadTriggers() {
    ASSIGN_OR_RETURN(const Result r, Ask(kTriggers));
    for (int64_t i = 0; i < r.size(); ++i) {
      v1::Trigger* trigger = TableOf(r, i)->add_triggers();
      trigger->set_name(r.Text(i, 1));
      trigger->set_definition(r.Text(i, 2));
      SetNames(r.Array(i, 3), trigger->mutable_columns());
      trigger->set_before_row(r.Bool(i, 4));
      trigger->set_enabled(r.Text(i, 5));
    }
    return absl::OkStatus();
  }

  absl::Status ReadPolicies() {
    ASSIGN_OR_RETURN(const Result r, Ask(kPolicies));
    for (int64_t i = 0; i < r.size(); ++i) {
      v1::Policy* policy = TableOf(r, i)->add_policies();
      policy->set_name(r.Text(i, 1));
      SetNames(r.Array(i, 2), policy->mutable_columns());
      policy->set_definition(r.Text(i, 3));
      policy->set_clauses(r.Text(i, 3));
    }
    return absl::OkStatus();
  }

  absl::Status ReadPublications() {
    ASSIGN_OR_RETURN(const Result r,
                     Ask(server_version_ >= 150000 ? kPublications : kPublicationsBefore15, kReach));
    for (int64_t i = 0; i < r.size(); ++i) {
      v1::Publication* publication = TableOf(r, i)->add_publications();
      publication->set_name(r.Text(i, 1));
      SetNames(r.Array(i, 2), publication->mutable_columns());
    }
    return absl::OkStatus();
  }

  absl::Status ReadStatistics() {
    ASSIGN_OR_RETURN(const Result r, Ask(kStatistics));
    for (int64_t i = 0; i < r.size(); ++i) {
      v1::Statistics* statistics = TableOf(r, i)->add_statistics();
      statistics->set_name(r.Text(i, 1));
      statistics->set_definition(r.Text(i, 2));
      SetNames(r.Array(i, 3), statistics->mutable_columns());
    }
    return absl::OkStatus();
  }

  absl::Status ReadEnums(const std::vector<std::string>& asked) {
    ASSIGN_OR_RETURN(const Result r, transaction_.Execute(absl::StrCat(kPartsOfTypes, kEnums),
                                                          {ArrayParam(oids_), ArrayParam(asked)}));
    for (int64_t i = 0; i < r.size(); ++i) {
      v1::EnumType* type = schema_.add_enums();
      type->set_name(r.Text(i, 0));
      SetNames(r.Array(i, 1), type->mutable_labels());
    }
    return absl::OkStatus();
  }

  // What is neither a table nor an enum that only columns use.
  absl::Status ReadObjects(const v1::Scope& scope) {
    ASSIGN_OR_RETURN(const std::vector<std::string> enums, pg::ReadObjects(&transaction_, scope, &schema_));
    return ReadEnums(enums);
  }

  absl::StatusOr<std::vector<v1::TableSize>> ReadSizes() {
    ASSIGN_OR_RETURN(const Result r, Ask(kSizes));
    std::vector<v1::TableSize> sizes(r.size());
    for (int64_t i = 0; i < r.size(); ++i) {
      sizes[i].set_table(r.Text(i, 0));
      sizes[i].set_bytes(r.Int(i, 1));
      sizes[i].set_estimated_rows(r.Int(i, 2));
    }
    return sizes;
  }

  v1::Schema TakeSchema() { return std::move(schema_); }

 private:
  absl::StatusOr<Result> Ask(const char* query, const char* beginning = "") {
    return transaction_.Execute(absl::StrCat(beginning, query), {ArrayParam(oids_)});
  }
  v1::Table* TableOf(const Result& r, int64_t i) { return tables_.at(r.Text(i, 0)); }
  v1::Column* ColumnOf(const Result& r, int64_t i) { return columns_.at({r.Text(i, 0), r.Int(i, 1)}); }

  static void SetNames(const std::vector<std::string>& names,
                       google::protobuf::RepeatedPtrField<std::string>* field) {
    field->Assign(names.begin(), names.end());
  }

  static absl::StatusOr<v1::ConstraintType> TypeOf(const std::string& contype) {
    if (contype == "c") return v1::CONSTRAINT_TYPE_CHECK;
    if (contype == "f") return v1::CONSTRAINT_TYPE_FOREIGN_KEY;
    if (contype == "p") return v1::CONSTRAINT_TYPE_PRIMARY_KEY;
    if (contype == "u") return v1::CONSTRAINT_TYPE_UNIQUE;
    if (contype == "x") return v1::CONSTRAINT_TYPE_EXCLUSION;
    return absl::InternalError(
        absl::StrCat("pg_constraint.contype is \"", contype, "\", which the query leaves out"));
  }

  Transaction& transaction_;
  const int server_version_;
  v1::Schema schema_;
  std::vector<std::string> oids_;
  std::map<std::string, v1::Table*> tables_;                        // by OID
  std::map<std::pair<std::string, int64_t>, v1::Column*> columns_;  // by OID of the table and number
};

// Runs `read` on a Reader that knows the scope's tables. The catalogue's functions look past the snapshot at
// what is there now, and fail (XX000) on an object that another session drops meanwhile: then a new snapshot
// will do.
template <typename T, typename Read>
absl::StatusOr<T> InSnapshot(Connection* connection, const v1::Scope& scope, Read read) {
  for (int attempt = 1;; ++attempt) {
    ASSIGN_OR_RETURN(auto transaction, Transaction::Begin(connection, Transaction::Mode::kReadOnlySnapshot));
    RETURN_IF_ERROR(transaction->Execute(kSettings).status());
    Reader reader(transaction.get(), connection->server_version_num());
    absl::Status status = reader.FindTables(scope);
    if (status.ok()) {
      absl::StatusOr<T> value = read(reader);
      if (value.ok()) return value;
      status = value.status();
    }
    if (Sqlstate(status) != "XX000" || attempt == kTries) {
      return base::Annotate(status, "cannot read the catalogue");
    }
  }
}

v1::Scope TablesOnly(const std::vector<std::string>& tables) {
  v1::Scope scope;
  scope.mutable_tables()->Assign(tables.begin(), tables.end());
  return scope;
}

}  // namespace

absl::StatusOr<v1::Schema> ReadSchema(Connection* connection, const v1::Scope& scope) {
  return InSnapshot<v1::Schema>(connection, scope, [&](Reader& reader) -> absl::StatusOr<v1::Schema> {
    RETURN_IF_ERROR(reader.ReadColumns());
    RETURN_IF_ERROR(reader.ReadGrants());
    RETURN_IF_ERROR(reader.ReadDependents());
    RETURN_IF_ERROR(reader.ReadIndexes());
    RETURN_IF_ERROR(reader.ReadConstraints());
    RETURN_IF_ERROR(reader.ReadTriggers());
    RETURN_IF_ERROR(reader.ReadPolicies());
    RETURN_IF_ERROR(reader.ReadPublications());
    RETURN_IF_ERROR(reader.ReadStatistics());
    RETURN_IF_ERROR(reader.ReadObjects(scope));
    return reader.TakeSchema();
  });
}

absl::StatusOr<v1::Schema> ReadSchema(Connection* connection, const std::vector<std::string>& tables) {
  return ReadSchema(connection, TablesOnly(tables));
}

absl::StatusOr<std::vector<v1::TableSize>> ReadSizes(Connection* connection,
                                                     const std::vector<std::string>& tables) {
  return InSnapshot<std::vector<v1::TableSize>>(connection, TablesOnly(tables),
                                                [](Reader& reader) { return reader.ReadSizes(); });
}

}  // namespace curlew::pg
