#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"
#include "common/sql/parser.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

constexpr char kUsingIndex[] = "index ";

class SetReplicaIdentity : public Operation {
 public:
  explicit SetReplicaIdentity(const v1::SetReplicaIdentity& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    if (table->kind() == v1::TABLE_KIND_PARTITIONED) {
      return absl::FailedPreconditionError(absl::StrCat(
          "table ", schema::NameOf(*table).Quoted(),
          " is partitioned, and it is its partitions' replica identity that counts; set theirs, by "
          "a `sql` operation (ALTER TABLE <partition> REPLICA IDENTITY ...)"));
    }
    if (proto_.identity() == v1::REPLICA_IDENTITY_INDEX) RETURN_IF_ERROR(CheckIndex(*table));
    table->set_replica_identity(Wanted());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    if (table->replica_identity() == Wanted()) {
      steps->Warn(absl::StrCat("set_replica_identity: ", name.Quoted(),
                               " has that replica identity already; ", "the operation does nothing"));
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(CheckPublished(*table, context));
    v1::Step* step = steps->Add(v1::PHASE_CONSTRAIN,
                                absl::StrCat("set the replica identity of ", sql::Ident(table->name())));
    SetSql(step->mutable_action(), {Alter(name, Wanted())});
    if (context.ExistsNow(name)) SetSql(step->mutable_undo(), {Alter(name, table->replica_identity())});
    AddLock(step, name, kAccessExclusive);
    return absl::OkStatus();
  }

 private:
  // As the schema writes it.
  std::string Wanted() const {
    switch (proto_.identity()) {
      case v1::REPLICA_IDENTITY_FULL:
        return "full";
      case v1::REPLICA_IDENTITY_NOTHING:
        return "nothing";
      case v1::REPLICA_IDENTITY_INDEX:
        return absl::StrCat(kUsingIndex, proto_.index());
      case v1::REPLICA_IDENTITY_DEFAULT:
      case v1::REPLICA_IDENTITY_UNSPECIFIED:
      default:
        return "default";
    }
  }

  static SqlText Alter(const sql::TableName& table, absl::string_view identity) {
    const SqlText alter = {"ALTER TABLE ", SqlText::Name(table), " REPLICA IDENTITY "};
    if (absl::ConsumePrefix(&identity, kUsingIndex)) {
      return {alter, "USING INDEX ", SqlText::Name(identity)};
    }
    if (identity == "full") return {alter, "FULL"};
    if (identity == "nothing") return {alter, "NOTHING"};
    return {alter, "DEFAULT"};
  }

  // What PostgreSQL demands of the index.
  absl::Status CheckIndex(const v1::Table& table) const {
    const v1::Index* index = schema::FindIndex(table, proto_.index());
    const std::string label =
        absl::StrCat("index ", sql::Ident(proto_.index()), " of ", schema::NameOf(table).Quoted());
    auto refuse = [&](absl::string_view why) {
      return absl::FailedPreconditionError(absl::StrCat(
          label, " ", why,
          " and cannot tell rows apart; choose a valid unique index over NOT NULL columns, without "
          "predicate and expressions, that is not deferrable, or identity `full`"));
    };
    if (index == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat(label,
                       " does not exist at this point of the plan; check the name, or put create_index "
                       "before this operation"));
    }
    if (!index->unique()) return refuse("is not unique");
    if (!index->valid()) return refuse("is not valid");
    ASSIGN_OR_RETURN(const pg_query::ParseResult tree, sql::Parse(index->definition()));
    if (tree.stmts_size() != 1 || !tree.stmts(0).stmt().has_index_stmt()) {
      return absl::InternalError(absl::StrCat(label, ": its definition cannot be read"));
    }
    const pg_query::IndexStmt& definition = tree.stmts(0).stmt().index_stmt();
    if (definition.has_where_clause()) return refuse("has a predicate");
    for (const pg_query::Node& key : definition.index_params()) {
      if (key.index_elem().name().empty()) return refuse("has an expression");
      ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(table, key.index_elem().name()));
      if (!column->not_null()) {
        return refuse(absl::StrCat("has the column ", sql::Ident(column->name()), ", which may be NULL,"));
      }
    }
    const v1::Constraint* constraint = schema::FindConstraint(table, index->constraint());
    if (constraint != nullptr && absl::StrContains(constraint->definition(), " DEFERRABLE")) {
      return refuse("belongs to a deferrable constraint");
    }
    return absl::OkStatus();
  }

  // A published table without an identity refuses UPDATE and DELETE.
  absl::Status CheckPublished(const v1::Table& table, const CompileContext& context) const {
    if (table.publications().empty() || context.Acknowledged("breaks-applications")) return absl::OkStatus();
    const bool has_primary_key = std::any_of(table.indexes().begin(), table.indexes().end(),
                                             [](const auto& i) { return i.primary(); });
    const bool has_none = Wanted() == "nothing" || (Wanted() == "default" && !has_primary_key);
    if (!has_none) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("table ", schema::NameOf(table).Quoted(), " is published by ",
                     sql::Ident(table.publications(0).name()), ": without a replica identity ",
                     Wanted() == "default" ? "(it has no primary key) " : "",
                     "every UPDATE and DELETE fails where the publication publishes them. Choose identity "
                     "`index` or `full`, "
                     "or write `settings: {acknowledge: [breaks-applications]}` in the plan"));
  }

  const v1::SetReplicaIdentity proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeSetReplicaIdentity(const v1::SetReplicaIdentity& proto) {
  if (proto.identity() == v1::REPLICA_IDENTITY_UNSPECIFIED) {
    return absl::InvalidArgumentError("identity: is required; give default, full, nothing or index");
  }
  if ((proto.identity() == v1::REPLICA_IDENTITY_INDEX) == proto.index().empty()) {
    return absl::InvalidArgumentError(
        proto.index().empty() ? "index: is required with identity `index`; name a unique index of the table"
                              : "index: belongs to identity `index` only; leave it out");
  }
  return std::make_unique<SetReplicaIdentity>(proto);
}

}  // namespace curlew::operations
