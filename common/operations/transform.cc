#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/objects.h"
#include "common/operations/operations.h"
#include "common/operations/policy.h"
#include "common/schema/schema.h"
#include "common/sql/batch_write.h"
#include "common/sql/statement.h"

namespace curlew::operations {
namespace {

using sql::TableName;

// Names in `write` that have no schema are in public, whatever schema the table is in.
constexpr char kSearchPath[] = "pg_catalog, public, pg_temp";

std::string Names(const std::vector<std::string>& columns) {
  return absl::StrJoin(columns, ", ",
                       [](std::string* out, const std::string& column) { out->append(sql::Ident(column)); });
}

class Transform : public Operation {
 public:
  Transform(const v1::Transform& proto, TableName table, sql::BatchWrite write,
            std::optional<sql::Expression> where, std::vector<sql::Statement> down)
      : proto_(proto),
        table_(std::move(table)),
        write_(std::move(write)),
        where_(std::move(where)),
        down_(std::move(down)) {}

  v1::Scope Scope() const override {
    v1::Scope scope = TableScope(table_.Quoted());
    if (write_.target != table_) scope.add_tables(write_.target.Quoted());
    for (const TableName& read : write_.reads) {
      if (read == table_ || read == write_.target || read.schema == "pg_catalog" ||
          read.schema == "information_schema") {
        continue;
      }
      scope.add_tables(read.Quoted());
      scope.add_views(read.Quoted());
    }
    return scope;
  }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(schema, table_.Quoted()));
    ASSIGN_OR_RETURN(const v1::Table* target, NamedTable(schema, write_.target.Quoted()));
    if (where_.has_value()) RETURN_IF_ERROR(CheckColumnsExist(*table, *where_));
    for (const auto* columns : {&write_.inserts_columns, &write_.updates_columns}) {
      for (const std::string& column : *columns) RETURN_IF_ERROR(NamedColumn(*target, column).status());
    }
    ASSIGN_OR_RETURN(const Key key, FindKey(*table));
    return CheckWalkIsNotDisturbed(key);
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, table_.Quoted()));
    ASSIGN_OR_RETURN(const v1::Table* target, NamedTable(context.before, write_.target.Quoted()));
    if (!context.ExistsNow(table_)) {
      return NeedsLaterStage(absl::StrCat("table ", table_.Quoted(), " is created by the plan"));
    }
    ASSIGN_OR_RETURN(const Key key, FindKey(*table));
    RETURN_IF_ERROR(CheckIndexStands(context, *table, *key.index));
    RETURN_IF_ERROR(CheckIsFilled(context));
    AppendPreflights(context, *table, *target, steps);
    AppendWalk(key, steps);
    AppendWarnings(*target, steps);
    v1::Step* analyze =
        steps->Add(Phase(), absl::StrCat("refresh planner statistics of ", sql::Ident(target->name())));
    v1::Analyze* action = analyze->mutable_action()->mutable_analyze();
    action->set_table(write_.target.Quoted());
    action->set_vacuum_if_bloated(write_.updates || write_.deletes);
    if (context.settings.vacuum()) {
      analyze->set_title(absl::StrCat(analyze->title(), ", and vacuum it"));
      action->set_vacuum(true);
    }
    AddLock(analyze, write_.target, kShareUpdateExclusive);
    return absl::OkStatus();
  }

 private:
  struct Key {
    const v1::Index* index = nullptr;
    std::vector<std::string> columns;  // in the order of the index
  };

  v1::Phase Phase() const { return proto_.irreversible() ? v1::PHASE_DROP : v1::PHASE_BACKFILL; }

  // The key, if rows can be walked by the index.
  static std::optional<Key> KeyOf(const v1::Table& table, const v1::Index& index) {
    if (!index.unique() || !index.valid()) return std::nullopt;
    const absl::StatusOr<IndexShape> shape = ReadIndex(index.definition());
    if (!shape.ok() || shape->partial) return std::nullopt;
    for (const std::string& column : shape->keys) {
      const v1::Column* found = schema::FindColumn(table, column);
      if (found == nullptr || !found->not_null()) return std::nullopt;
    }
    return Key{&index, shape->keys};
  }

  absl::StatusOr<Key> FindKey(const v1::Table& table) const {
    const std::set<std::string> wanted(proto_.key().begin(), proto_.key().end());
    for (const std::string& column : wanted) RETURN_IF_ERROR(NamedColumn(table, column).status());
    std::optional<Key> best;
    std::vector<std::string> others;
    for (const v1::Index& index : table.indexes()) {
      std::optional<Key> key = KeyOf(table, index);
      if (!key.has_value()) continue;
      const bool fits =
          wanted.empty() || wanted == std::set<std::string>(key->columns.begin(), key->columns.end());
      if (!fits) {
        others.push_back(absl::StrCat("[", Names(key->columns), "]"));
      } else if (!best.has_value() || (index.primary() && !best->index->primary())) {
        best = std::move(key);
      }
    }
    if (best.has_value()) return *best;
    const std::string name = table_.Quoted();
    if (wanted.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "table ", name,
          " has nothing by which its rows can be walked; it needs a primary key, or a unique index ",
          "over columns that are all NOT NULL, without expressions and predicate"));
    }
    return absl::FailedPreconditionError(absl::StrCat(
        "key: no valid unique index of ", name, " is over just these columns, all of them NOT NULL, without ",
        "expressions and predicate",
        others.empty() ? "" : absl::StrCat("; there are: ", absl::StrJoin(others, ", "))));
  }

  // The walk must meet each row once, and come to an end.
  absl::Status CheckWalkIsNotDisturbed(const Key& key) const {
    if (write_.target != table_) return absl::OkStatus();
    if (write_.inserts) {
      return absl::FailedPreconditionError(
          absl::StrCat("write: it inserts into ", table_.Quoted(),
                       ", whose rows are being walked: new ones would be written again; insert into another "
                       "table, or use a `sql` operation"));
    }
    for (const std::string& column : key.columns) {
      if (write_.updates_columns.count(column) == 0) continue;
      return absl::FailedPreconditionError(
          absl::StrCat("write: it changes ", sql::Ident(column), " of ", table_.Quoted(),
                       ", by which the rows are walked: they would be met again; walk another `key`"));
    }
    return absl::OkStatus();
  }

  // NeedsLaterStage where the statement may read, or rows are chosen by, what the stage fills: the rows are
  // walked before that, or at the same time.
  absl::Status CheckIsFilled(const CompileContext& context) const {
    std::set<TableName> named(write_.reads.begin(), write_.reads.end());
    named.insert({table_, write_.target});
    for (const AddedColumn& added : context.added) {
      const v1::Table* table = schema::FindTable(context.before, added.table);
      if (named.count(added.table) == 0 || table == nullptr) continue;
      const bool is_there = schema::FindColumn(*table, added.column) != nullptr;
      const bool chooses =
          added.table == table_ && where_.has_value() && where_->columns().count(added.column) > 0;
      // Rows as a whole hold what the stage adds for itself, too.
      const bool taken = write_.whole_rows || (is_there && added.value.has_value() && Says(added.column));
      if (!chooses && !taken) continue;
      return NeedsLaterStage(absl::StrCat(
          "column ", sql::Ident(added.column), " of ", added.table.Quoted(), " is added by the plan",
          write_.whole_rows ? ", and a row as a whole (`*`) would hold it; name the columns that exist"
                            : "; use columns that exist"));
    }
    return absl::OkStatus();
  }

  bool Says(const std::string& word) const { return write_.words.count(word) > 0; }

  void AppendPreflights(const CompileContext& context, const v1::Table& table, const v1::Table& target,
                        StepList* steps) const {
    if (table.kind() != v1::TABLE_KIND_PARTITIONED) {
      AppendCataloguePreflight(table,
                               absl::StrCat("no table inherits from ", table_.Quoted(),
                                            ", whose key would not tell its rows apart"),
                               {"SELECT count(*) FROM pg_catalog.pg_inherits WHERE inhparent = ",
                                sql::SqlText::String(table_.Quoted()), "::pg_catalog.regclass"},
                               "Take the children out (ALTER TABLE ... NO INHERIT) or make them partitions, "
                               "then resume the rollout.",
                               steps);
    }
    AppendSeesAllRowsPreflight(table, steps);
    if (write_.target != table_) AppendSeesAllRowsPreflight(target, steps);
    for (const TableName& read : write_.reads) {
      const v1::Table* other = schema::FindTable(context.before, read);
      if (other != nullptr && read != table_ && read != write_.target)
        AppendSeesAllRowsPreflight(*other, steps);
    }
  }

  void AppendWalk(const Key& key, StepList* steps) const {
    v1::Step* step = steps->Add(Phase(), absl::StrCat("write the rows of ", sql::Ident(table_.name), Verb(),
                                                      sql::Ident(write_.target.name)));
    v1::TransformRows* rows = step->mutable_action()->mutable_transform_rows();
    rows->set_table(table_.Quoted());
    for (const std::string& column : key.columns) rows->add_key(sql::Ident(column));
    if (where_.has_value()) rows->set_condition(where_->Qualified("t").str());
    rows->set_statement(write_.text);
    rows->set_search_path(kSearchPath);
    if (!down_.empty()) {
      std::vector<sql::SqlText> statements = {SetSearchPathToPublic()};
      for (const sql::Statement& statement : down_)
        statements.push_back(sql::SqlText::Verified(statement.text));
      SetSql(step->mutable_undo(), statements);
    }
    AddLock(step, write_.target, kRowExclusive);
    if (write_.target != table_) AddLock(step, table_, kRowShare);
    for (const TableName& read : write_.reads) {
      if (read != table_ && read != write_.target) AddLock(step, read, kAccessShare);
    }
  }

  const char* Verb() const { return write_.target == table_ ? " back into " : " into "; }

  void AppendWarnings(const v1::Table& target, StepList* steps) const {
    if (write_.target == table_) {
      steps->Warn(
          absl::StrCat("transform writes ", table_.Quoted(),
                       ", whose rows it walks: each is written once, but `where` is asked of it as it is "
                       "when its batch comes"));
    }
    if (!write_.deletes) return;
    for (const v1::Constraint& key : target.referenced_by()) {
      steps->Warn(absl::StrCat("rows of ", key.table(), " refer to ", write_.target.Quoted(), " (",
                               sql::Ident(key.name()),
                               "): what its foreign key does happens to them with each batch"));
    }
  }

  const v1::Transform proto_;
  const TableName table_;
  const sql::BatchWrite write_;
  const std::optional<sql::Expression> where_;
  const std::vector<sql::Statement> down_;
};

absl::StatusOr<std::vector<sql::Statement>> ParseDown(const v1::Transform& proto) {
  if (proto.down().empty() != proto.irreversible()) {
    return absl::InvalidArgumentError(
        "give either `down`, the statements that take back what was written, or `irreversible: true`, and "
        "not "
        "both");
  }
  if (proto.down().empty()) return std::vector<sql::Statement>();
  ASSIGN_OR_RETURN(std::vector<sql::Statement> down, sql::ParseStatements(proto.down()));
  for (const sql::Statement& statement : down) {
    if (statement.kind == sql::StatementKind::kTransactional) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "down: line ", statement.line,
        ": CONCURRENTLY cannot run in a transaction, as an undo does: ", statement.text.substr(0, 80)));
  }
  return down;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeTransform(const v1::Transform& proto) {
  ASSIGN_OR_RETURN(TableName table, sql::ParseTableName(proto.table()));
  absl::StatusOr<sql::BatchWrite> write = sql::ParseBatchWrite(proto.write());
  if (!write.ok()) return absl::InvalidArgumentError(absl::StrCat("write: ", write.status().message()));
  std::optional<sql::Expression> where;
  if (!proto.where().empty()) {
    ASSIGN_OR_RETURN(where, sql::Expression::Parse(proto.where()));
  }
  ASSIGN_OR_RETURN(std::vector<sql::Statement> down, ParseDown(proto));
  return std::make_unique<Transform>(proto, std::move(table), *std::move(write), std::move(where),
                                     std::move(down));
}

}  // namespace curlew::operations
