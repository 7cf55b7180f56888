#include "absl/strings/str_cat.h"
#include "common/from_sql/families.h"
#include "common/from_sql/text.h"

namespace curlew::from_sql {
namespace {

using pg_query::Node;
using pg_query::RenameStmt;
using sql::TableName;

void RenameColumn(const RenameStmt& rename, const TableName& table, const Node& node, Sink* sink) {
  const std::string down = absl::StrCat("ALTER TABLE ", table.Quoted(), " RENAME COLUMN ",
                                        sql::Ident(rename.newname()), " TO ", sql::Ident(rename.subname()));
  if (rename.relation_type() != pg_query::OBJECT_TABLE) {
    sink->Sql(node, "operations rename columns of tables only");
    return;
  }
  v1::Operation operation;
  operation.mutable_rename_column()->set_table(table.Quoted());
  operation.mutable_rename_column()->set_from(rename.subname());
  operation.mutable_rename_column()->set_to(rename.newname());
  sink->Operation(std::move(operation), node, RelationKey(table.Quoted()), down);
}

void RenameTable(const RenameStmt& rename, const TableName& table, const Node& node, Sink* sink) {
  const TableName renamed{table.schema, rename.newname()};
  Known& known = sink->known();
  Kind kind = known.KindOf(table);
  if (kind == Kind::kUnknown) kind = Kind::kTable;
  const char* what = kind == Kind::kView               ? "VIEW"
                     : kind == Kind::kMaterializedView ? "MATERIALIZED VIEW"
                     : kind == Kind::kSequence         ? "SEQUENCE"
                                                       : "TABLE";
  Piece& piece =
      sink->Sql(node, "no operation gives a relation another name",
                absl::StrCat("ALTER ", what, " ", renamed.Quoted(), " RENAME TO ", sql::Ident(table.name)));
  for (const TableName& name : {table, renamed}) {
    piece.touches.insert(RelationKey(name.Quoted()));
    piece.changes.insert(RelationKey(name.Quoted()));
  }
  known.MakeRelation(renamed, kind);
  known.Drop(table);
}

void RenameIndex(const RenameStmt& rename, const TableName& index, const Node& node, Sink* sink) {
  Known& known = sink->known();
  const TableName table = known.TableOf(index);
  const std::string down = absl::StrCat("ALTER INDEX ", TableName{index.schema, rename.newname()}.Quoted(),
                                        " RENAME TO ", sql::Ident(index.name));
  if (table.name.empty()) {
    sink->Sql(node, "which table the index belongs to, the text does not tell", down).of_unknown_table = true;
    known.MakeRelation({index.schema, rename.newname()}, Kind::kIndex);
    known.Drop(index);
    return;
  }
  v1::Operation operation;
  if (known.ConstraintTaken(index.schema, index.name)) {
    operation.mutable_rename_constraint()->set_table(table.Quoted());
    operation.mutable_rename_constraint()->set_name(index.name);
    operation.mutable_rename_constraint()->set_to(rename.newname());
    known.MakeConstraint(table, rename.newname());
  } else {
    operation.mutable_rename_index()->set_table(table.Quoted());
    operation.mutable_rename_index()->set_name(index.name);
    operation.mutable_rename_index()->set_to(rename.newname());
  }
  sink->Operation(std::move(operation), node, RelationKey(table.Quoted()), down);
  known.Drop(index);
  known.MakeIndex(table, rename.newname());
}

}  // namespace

void Rename(const Node& node, Sink* sink) {
  const RenameStmt& rename = node.rename_stmt();
  Known& known = sink->known();
  const TableName relation = rename.has_relation() ? known.Relation(rename.relation()) : TableName{};
  if (rename.missing_ok() && known.exact() && rename.has_relation() &&
      known.KindOf(relation) == Kind::kUnknown) {
    sink->LeaveOut(absl::StrCat("IF EXISTS: there is no ", relation.Quoted()));
    return;
  }
  switch (rename.rename_type()) {
    case pg_query::OBJECT_COLUMN:
      return RenameColumn(rename, relation, node, sink);
    case pg_query::OBJECT_TABLE:
      if (known.KindOf(relation) == Kind::kIndex) return RenameIndex(rename, relation, node, sink);
      return RenameTable(rename, relation, node, sink);
    case pg_query::OBJECT_VIEW:
    case pg_query::OBJECT_MATVIEW:
    case pg_query::OBJECT_SEQUENCE:
      return RenameTable(rename, relation, node, sink);
    case pg_query::OBJECT_INDEX:
      return RenameIndex(rename, relation, node, sink);
    case pg_query::OBJECT_TABCONSTRAINT: {
      v1::Operation operation;
      operation.mutable_rename_constraint()->set_table(relation.Quoted());
      operation.mutable_rename_constraint()->set_name(rename.subname());
      operation.mutable_rename_constraint()->set_to(rename.newname());
      sink->Operation(std::move(operation), node, RelationKey(relation.Quoted()),
                      absl::StrCat("ALTER TABLE ", relation.Quoted(), " RENAME CONSTRAINT ",
                                   sql::Ident(rename.newname()), " TO ", sql::Ident(rename.subname())));
      known.MakeConstraint(relation, rename.newname());
      if (known.KindOf({relation.schema, rename.subname()}) == Kind::kIndex) {
        known.Drop({relation.schema, rename.subname()});
        known.MakeIndex(relation, rename.newname());
      }
      return;
    }
    case pg_query::OBJECT_TYPE:
    case pg_query::OBJECT_DOMAIN: {
      const TableName type = known.Type(NameOf(rename.object().list().items()));
      const TableName renamed{type.schema, rename.newname()};
      const char* what = rename.rename_type() == pg_query::OBJECT_TYPE ? "TYPE" : "DOMAIN";
      Piece& piece = sink->Sql(
          node, "no operation gives a type another name",
          absl::StrCat("ALTER ", what, " ", renamed.Quoted(), " RENAME TO ", sql::Ident(type.name)));
      for (const TableName& name : {type, renamed}) {
        piece.touches.insert(TypeKey(name.Quoted()));
        piece.changes.insert(TypeKey(name.Quoted()));
      }
      known.Make(TypeKey(renamed.Quoted()));
      return;
    }
    case pg_query::OBJECT_TRIGGER:
      sink->Sql(node, "no operation gives a trigger another name",
                absl::StrCat("ALTER TRIGGER ", sql::Ident(rename.newname()), " ON ", relation.Quoted(),
                             " RENAME TO ", sql::Ident(rename.subname())));
      return;
    case pg_query::OBJECT_POLICY:
      sink->Sql(node, "no operation gives a policy another name",
                absl::StrCat("ALTER POLICY ", sql::Ident(rename.newname()), " ON ", relation.Quoted(),
                             " RENAME TO ", sql::Ident(rename.subname())));
      return;
    case pg_query::OBJECT_SCHEMA: {
      Piece& piece = sink->Sql(node, "no operation gives a schema another name",
                               absl::StrCat("ALTER SCHEMA ", sql::Ident(rename.newname()), " RENAME TO ",
                                            sql::Ident(rename.subname())));
      piece.reaches_all = true;
      return;
    }
    default: {
      Piece& piece = sink->Sql(node, "no operation gives such an object another name");
      piece.reaches_all = piece.touches.empty();
    }
  }
}

}  // namespace curlew::from_sql
