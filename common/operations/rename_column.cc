#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/dependents.h"
#include "common/operations/dual_write.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"
#include "common/sql/rewrite.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;

class RenameColumn : public Operation {
 public:
  RenameColumn(const v1::RenameColumn& proto, sql::Expression up, sql::Expression down)
      : proto_(proto),
        up_(std::move(up)),
        down_(std::move(down)),
        discard_(proto.discard().begin(), proto.discard().end()) {}

  std::vector<std::string> Tables() const override { return {proto_.table()}; }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* from, NamedColumn(*table, proto_.from()));
    RETURN_IF_ERROR(CheckNewColumn(*table, proto_.to()));
    v1::Column to = *from;
    to.set_name(proto_.to());
    to.set_type(NewType(*from));
    ASSIGN_OR_RETURN(std::string default_value, NewDefault(*from));
    to.set_collation(NewCollation(*from));
    to.set_default_(default_value);
    // Objects that are carried along use the new column; the others go with the old one.
    auto carry = [&](auto* objects) {
      for (int i = objects->size() - 1; i >= 0; --i) {
        if (!Holds((*objects)[i].columns(), proto_.from())) continue;
        if (discard_.count((*objects)[i].name()) > 0) {
          objects->DeleteSubrange(i, 1);
          continue;
        }
        Carry(&(*objects)[i]);
        for (std::string& column : *(*objects)[i].mutable_columns()) {
          if (column == proto_.from()) column = proto_.to();
        }
      }
    };
    carry(table->mutable_indexes());
    carry(table->mutable_constraints());
    carry(table->mutable_statistics());
    RemoveColumn(table, proto_.from());
    *table->add_columns() = std::move(to);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<AddedColumn>> Adds(const v1::Schema&) const override {
    ASSIGN_OR_RETURN(TableName table, sql::ParseTableName(proto_.table()));
    return std::vector<AddedColumn>{{table, proto_.to(), up_}};
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* from, NamedColumn(*table, proto_.from()));
    RETURN_IF_ERROR(Check(context, *table, *from));
    const TableName name = schema::NameOf(*table);
    const v1::Column* in_the_end = schema::FindColumn(*schema::FindTable(context.after, name), proto_.to());
    const bool not_null = in_the_end != nullptr && in_the_end->not_null();
    const ColumnPair pair{
        .table = table,
        .to = proto_.to(),
        .to_type = NewType(*from),
        .to_collation = NewCollation(*from),
        .to_has_equality = proto_.type().empty() ? from->has_equality() : HasEquality(proto_.type()),
        .pending = not_null ? Pending::kNull : Pending::kMarker,
        .up = up_,
        .from = from,
        .down = down_};

    RETURN_IF_ERROR(AppendAdd(context, *table, *from, pair, steps));
    AppendPair(pair, steps);
    std::vector<SqlText> renames;
    RETURN_IF_ERROR(AppendTwins(*table, steps, &renames));
    if (from->not_null()) AppendNotNull(*table, proto_.to(), steps);
    return AppendDrop(*table, *from, pair, renames, steps);
  }

 private:
  std::string NewType(const v1::Column& from) const {
    return proto_.type().empty() ? from.type() : proto_.type();
  }

  std::string NewCollation(const v1::Column& from) const {
    return proto_.type().empty() ? from.collation() : "";
  }

  // Types without a default equality operator: their changes are seen in their bytes.
  static bool HasEquality(absl::string_view type) {
    static const auto* const without = new std::set<std::string>{
        "json", "point", "box", "polygon", "path", "line", "lseg", "circle", "xml", "pg_catalog.json"};
    return without->count(std::string(type.substr(0, type.find('[')))) == 0;
  }

  // Puts the new column into a definition, so that a later rename of the plan starts from it. What cannot be
  // written again is refused by Compile.
  void Carry(v1::Index* index) const {
    if (auto text = sql::RewriteIndex(index->definition(), {proto_.from(), proto_.to()}, index->name());
        text.ok()) {
      index->set_definition(text->str());
    }
  }
  void Carry(v1::Statistics* statistics) const {
    auto text = sql::RewriteStatistics(statistics->definition(), {proto_.from(), proto_.to()},
                                       {"public", statistics->name()});
    if (text.ok()) statistics->set_definition(text->str());
  }
  void Carry(v1::Constraint* constraint) const {
    if (constraint->type() == v1::CONSTRAINT_TYPE_FOREIGN_KEY) {
      constexpr absl::string_view kAdd = "ALTER TABLE s.t ADD CONSTRAINT k ";
      auto text =
          sql::RewriteForeignKey(constraint->definition(), {proto_.from(), proto_.to()}, {"s", "t"}, "k");
      if (text.ok()) constraint->set_definition(text->str().substr(kAdd.size()));
    } else if (constraint->type() == v1::CONSTRAINT_TYPE_CHECK) {
      auto check = sql::CheckExpression(constraint->definition());
      if (!check.ok()) return;
      auto carried = check->Substitute({{proto_.from(), sql::Expression::Column(proto_.to())}});
      if (carried.ok()) constraint->set_definition(absl::StrCat("CHECK (", carried->text(), ")"));
    }
  }

  std::string Temporary(const v1::Table& table, absl::string_view object) const {
    return sql::HashedName("curlew_new_", {table.schema(), table.name(), object, proto_.to()});
  }

  // The old default as it has to read for the new column.
  absl::StatusOr<std::string> NewDefault(const v1::Column& from) const {
    if (from.default_().empty() || up_.IsColumn()) return from.default_();
    ASSIGN_OR_RETURN(sql::Expression value, sql::Expression::Parse(from.default_()));
    ASSIGN_OR_RETURN(sql::Expression carried, up_.Substitute({{proto_.from(), value}}));
    return carried.text();
  }

  absl::Status Check(const CompileContext& context, const v1::Table& table, const v1::Column& from) const {
    const std::string label =
        absl::StrCat("column ", sql::Ident(from.name()), " of ", schema::NameOf(table).Quoted());
    auto refuse = [&](absl::string_view what, absl::string_view way_out) {
      return absl::FailedPreconditionError(absl::StrCat(label, ": ", what, "; ", way_out));
    };
    if (!context.ExistsNow(schema::NameOf(table), proto_.from())) {
      return refuse("it is added by this very plan", "give it its final name at once");
    }
    if (context.ExistsNow(schema::NameOf(table), proto_.to())) {
      return refuse(
          absl::StrCat("the name ", sql::Ident(proto_.to()), " is still in use while the plan runs"),
          "free it in a plan before this one");
    }
    for (const std::string& column : up_.columns()) {
      if (column != proto_.from()) {
        return refuse(absl::StrCat("up names column ", sql::Ident(column)),
                      absl::StrCat("it may only use ", sql::Ident(proto_.from()),
                                   ", because only its changes are followed"));
      }
    }
    for (const std::string& column : down_.columns()) {
      if (column != proto_.to()) {
        return refuse(absl::StrCat("down names column ", sql::Ident(column)),
                      absl::StrCat("it may only use ", sql::Ident(proto_.to()),
                                   ", because only its changes are followed"));
      }
    }
    if (!from.identity().empty()) {
      return refuse("it is an identity column", "its sequence cannot be carried along; keep the name");
    }
    if (!from.generated().empty()) {
      return refuse("it is a generated column",
                    "add a generated column of the new name and drop the old one");
    }
    RETURN_IF_ERROR(CheckPublications(table, context));
    RETURN_IF_ERROR(CheckNothingFixed(table, from));
    RETURN_IF_ERROR(CheckDiscard(table, from, discard_));
    const std::string ours = sql::HashedName("~curlew_", {});
    for (const v1::Trigger& trigger : table.triggers()) {
      if (trigger.before_row() && trigger.name() > ours) {
        return refuse(absl::StrCat("BEFORE trigger ", sql::Ident(trigger.name()),
                                   " would run after Curlew's, which must see what it writes"),
                      "rename it so that it sorts before ~curlew");
      }
    }
    for (const v1::Index& index : table.indexes()) {
      if (!Holds(index.columns(), from.name()) || discard_.count(index.name()) > 0) continue;
      if (table.kind() == v1::TABLE_KIND_PARTITIONED) {
        return refuse(absl::StrCat("index ", sql::Ident(index.name()),
                                   " stands on a partitioned table and cannot be built "
                                   "concurrently for the new column"),
                      "add it to `discard` and build it on each partition");
      }
      if (!index.valid()) {
        return refuse(absl::StrCat("index ", sql::Ident(index.name()), " is invalid"),
                      "drop it or reindex it first");
      }
    }
    for (const v1::Constraint& constraint : table.constraints()) {
      if (!Holds(constraint.columns(), from.name()) || discard_.count(constraint.name()) > 0) continue;
      const std::string object = absl::StrCat("constraint ", sql::Ident(constraint.name()));
      const std::string discard = absl::StrCat("add it to `discard`, and what should hold for ",
                                               sql::Ident(proto_.to()), " as an operation of its own");
      const bool other_values = !up_.IsColumn() || !proto_.type().empty();
      switch (constraint.type()) {
        case v1::CONSTRAINT_TYPE_CHECK:
          if (other_values) return refuse(object + " is about the old values", discard);
          if (absl::Status s = sql::CheckExpression(constraint.definition()).status(); !s.ok()) {
            return refuse(absl::StrCat(object, " cannot be carried along: ", s.message()), discard);
          }
          break;
        case v1::CONSTRAINT_TYPE_FOREIGN_KEY:
          if (other_values) return refuse(object + " is about the old values", discard);
          if (table.kind() == v1::TABLE_KIND_PARTITIONED) {
            return refuse(object + ": PostgreSQL 15 has no NOT VALID foreign keys on partitioned tables",
                          discard);
          }
          break;
        case v1::CONSTRAINT_TYPE_UNIQUE:
          if (constraint.definition().find("DEFERRABLE") != std::string::npos) {
            return refuse(object + " is deferrable", discard);
          }
          break;
        case v1::CONSTRAINT_TYPE_EXCLUSION:
        case v1::CONSTRAINT_TYPE_PRIMARY_KEY:
        case v1::CONSTRAINT_TYPE_UNSPECIFIED:
        default:
          return refuse(object + " cannot be built without a lock", discard);
      }
    }
    return absl::OkStatus();
  }

  absl::Status AppendAdd(const CompileContext& context, const v1::Table& table, const v1::Column& from,
                         const ColumnPair& pair, StepList* steps) const {
    AppendPartitionsPreflight(table, proto_.from(), steps);
    AppendTypePreflight(context, table, pair.to_type, steps);
    const TableName name = schema::NameOf(table);
    const SqlText relation = SqlText::Name(name), to = SqlText::Name(proto_.to());
    const std::string label = absl::StrCat(sql::Ident(table.name()), ".", sql::Ident(proto_.to()));
    if (!up_.IsColumn()) {
      v1::Step* look = steps->AddPreflight(
          absl::StrCat("check that `up` works on every row of ", sql::Ident(table.name())));
      v1::Verify* verify = look->mutable_action()->mutable_verify();
      verify->set_search_path(SearchPath(table));
      v1::Check* check = verify->add_checks();
      const SqlText value = up_.Qualified("t");
      check->set_description(absl::StrCat("`up` of ", label, " can be computed for every row"));
      check->set_count_query(SqlText({"SELECT 0 * count(", value, ") FROM ", relation, " AS t"}).str());
      check->set_hint("Mend the row, or change `up` so that it takes it, then resume the rollout.");
      check->set_table(name.Quoted());
      check->add_expressions(value.str());
      AddLock(look, name, kAccessShare);
    }
    if (from.not_null() && !up_.IsColumn()) {
      RETURN_IF_ERROR(AppendNotNullPreflight(context, table, proto_.to(), steps));
    }

    v1::Step* step = steps->Add(v1::PHASE_ADD, absl::StrCat("add column ", label, " (", pair.to_type, ")"));
    SqlText add = {"ALTER TABLE ", relation, " ADD COLUMN ", to, " ", SqlText::Verified(pair.to_type)};
    if (!from.collation().empty() && proto_.type().empty())
      add.Append({" COLLATE ", SqlText::Verified(from.collation())});
    const SqlText marker = AddMarker(pair);
    if (!marker.empty()) add.Append({", ", marker});
    std::vector<SqlText> statements = {add};
    if (from.statistics_target() >= 0) {
      statements.push_back({"ALTER TABLE ", relation, " ALTER COLUMN ", to, " SET STATISTICS ",
                            SqlText::Verified(absl::StrCat(from.statistics_target()))});
    }
    if (!from.comment().empty()) {
      statements.push_back(
          {"COMMENT ON COLUMN ", relation, ".", to, " IS ", SqlText::String(from.comment())});
    }
    for (const v1::ColumnGrant& grant : from.grants()) {
      SqlText text = {"GRANT ", SqlText::Verified(grant.privilege()),
                      " (",     to,
                      ") ON ",  relation,
                      " TO ",   grant.grantee().empty() ? SqlText{"PUBLIC"} : SqlText::Name(grant.grantee())};
      if (grant.grantable()) text.Append({" WITH GRANT OPTION"});
      statements.push_back(text);
    }
    SetSql(step->mutable_action(), statements);
    SqlText drop = {"ALTER TABLE ", relation, " DROP COLUMN IF EXISTS ", to};
    if (!marker.empty()) drop.Append({", DROP COLUMN IF EXISTS ", SqlText::Name(pair.Marker())});
    SetSql(step->mutable_undo(), {drop});
    AddLock(step, name, kAccessExclusive);
    steps->NewShape(name, proto_.to());
    steps->Warn(
        absl::StrCat("sessions with a prepared SELECT * on ", name.Quoted(),
                     " will see \"cached plan must not change result type\" once; name columns instead"));
    return absl::OkStatus();
  }

  // CONSTRAIN: what stands on the old column stands on the new one too. `renames` gets the statements that
  // give the twins their final names.
  absl::Status AppendTwins(const v1::Table& table, StepList* steps, std::vector<SqlText>* renames) const {
    const TableName name = schema::NameOf(table);
    const SqlText relation = SqlText::Name(name);
    const sql::ColumnChange change{proto_.from(), proto_.to()};
    for (const v1::Index& index : table.indexes()) {
      if (!Carried(index)) continue;
      const std::string temporary = Temporary(table, index.name());
      ASSIGN_OR_RETURN(SqlText create, sql::RewriteIndex(index.definition(), change, temporary));
      if (index.constraint().empty()) {
        AppendIndex(table, temporary, create, v1::PHASE_CONSTRAIN, steps);
        renames->push_back({"ALTER INDEX ", SqlText::Name(name.schema, temporary), " RENAME TO ",
                            SqlText::Name(index.name())});
      } else {
        AppendUnique(table, temporary, create, steps);
        renames->push_back({"ALTER TABLE ", relation, " RENAME CONSTRAINT ", SqlText::Name(temporary), " TO ",
                            SqlText::Name(index.constraint())});
      }
    }
    for (const v1::Constraint& constraint : table.constraints()) {
      if (!Carried(constraint) || constraint.type() == v1::CONSTRAINT_TYPE_UNIQUE) continue;
      const std::string temporary = Temporary(table, constraint.name());
      SqlText add;
      if (constraint.type() == v1::CONSTRAINT_TYPE_FOREIGN_KEY) {
        ASSIGN_OR_RETURN(add, sql::RewriteForeignKey(constraint.definition(), change, name, temporary));
      } else {
        ASSIGN_OR_RETURN(sql::Expression old_check, sql::CheckExpression(constraint.definition()));
        ASSIGN_OR_RETURN(sql::Expression check,
                         old_check.Substitute({{proto_.from(), sql::Expression::Column(proto_.to())}}));
        add = {"ALTER TABLE ",     relation,
               " ADD CONSTRAINT ", SqlText::Name(temporary),
               " CHECK (",         SqlText::Verified(check.text()),
               ") NOT VALID"};
      }
      if (constraint.validated()) {
        AppendValidated(table, temporary, add, steps);
      } else {
        AppendNotValid(table, temporary, add, steps);
      }
      if (constraint.type() == v1::CONSTRAINT_TYPE_FOREIGN_KEY) {
        // Adding one also locks the table that it references.
        for (v1::Step& step : steps->steps()) {
          if (step.action().has_execute_sql() && step.action().execute_sql().statements(0) == add.str()) {
            v1::TableLock* lock = step.add_locks();
            lock->set_table(constraint.referenced_table());
            lock->set_mode(kShareRowExclusive);
          }
        }
      }
      renames->push_back({"ALTER TABLE ", relation, " RENAME CONSTRAINT ", SqlText::Name(temporary), " TO ",
                          SqlText::Name(constraint.name())});
    }
    for (const v1::Statistics& statistics : table.statistics()) {
      if (!Carried(statistics)) continue;
      const TableName temporary{name.schema, Temporary(table, statistics.name())};
      ASSIGN_OR_RETURN(SqlText create, sql::RewriteStatistics(statistics.definition(), change, temporary));
      v1::Step* step = steps->Add(
          v1::PHASE_CONSTRAIN, absl::StrCat("create statistics like ", sql::Ident(statistics.name()), " on ",
                                            sql::Ident(proto_.to())));
      SetSql(step->mutable_action(), {create});
      SetSql(step->mutable_undo(), {{"DROP STATISTICS IF EXISTS ", SqlText::Name(temporary)}});
      AddLock(step, name, kShareUpdateExclusive);
      // Statistics over several columns outlive neither: the old object goes with its column.
      renames->push_back({"DROP STATISTICS IF EXISTS ", SqlText::Name(name.schema, statistics.name())});
      renames->push_back(
          {"ALTER STATISTICS ", SqlText::Name(temporary), " RENAME TO ", SqlText::Name(statistics.name())});
    }
    return absl::OkStatus();
  }

  template <typename Object>
  bool Carried(const Object& object) const {
    return Holds(object.columns(), proto_.from()) && discard_.count(object.name()) == 0;
  }

  absl::Status AppendDrop(const v1::Table& table, const v1::Column& from, const ColumnPair& pair,
                          const std::vector<SqlText>& renames, StepList* steps) const {
    const TableName name = schema::NameOf(table);
    const SqlText relation = SqlText::Name(name), to = SqlText::Name(proto_.to());
    v1::Step* step = steps->Add(v1::PHASE_DROP, absl::StrCat("drop column ", sql::Ident(table.name()), ".",
                                                             sql::Ident(proto_.from())));
    // One transaction: without its triggers the pair would part, without its column a trigger would fail.
    std::vector<SqlText> statements = DropTriggers(pair);
    if (!from.owned_sequence().empty()) {
      statements.push_back(
          {"ALTER SEQUENCE ", SqlText::Verified(from.owned_sequence()), " OWNED BY ", relation, ".", to});
    }
    SqlText alter = {"ALTER TABLE ", relation, " DROP COLUMN ", SqlText::Name(proto_.from())};
    if (pair.pending == Pending::kMarker) alter.Append({", DROP COLUMN ", SqlText::Name(pair.Marker())});
    ASSIGN_OR_RETURN(std::string default_value, NewDefault(from));
    if (!default_value.empty()) {
      alter.Append({", ALTER COLUMN ", to, " SET DEFAULT ", SqlText::Verified(default_value)});
    }
    statements.push_back(alter);
    statements.insert(statements.end(), renames.begin(), renames.end());
    SetSql(step->mutable_action(), statements);
    AddLock(step, name, kAccessExclusive);
    LockReferenced(table, proto_.from(), step);
    steps->OldShape(name, proto_.from());
    return absl::OkStatus();
  }

  const v1::RenameColumn proto_;
  const sql::Expression up_, down_;
  const std::set<std::string> discard_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeRenameColumn(const v1::RenameColumn& proto) {
  if (proto.from() == proto.to()) return absl::InvalidArgumentError("from and to are the same name");
  if (!proto.type().empty()) RETURN_IF_ERROR(sql::CheckType(proto.type()));
  sql::Expression up = sql::Expression::Column(proto.from()), down = sql::Expression::Column(proto.to());
  if (!proto.up().empty()) {
    ASSIGN_OR_RETURN(up, sql::Expression::Parse(proto.up()));
  }
  if (!proto.down().empty()) {
    ASSIGN_OR_RETURN(down, sql::Expression::Parse(proto.down()));
  }
  return std::make_unique<RenameColumn>(proto, std::move(up), std::move(down));
}

}  // namespace curlew::operations
