#include "absl/strings/str_cat.h"
#include "common/from_sql/families.h"
#include "common/from_sql/text.h"

namespace curlew::from_sql {
namespace {

using pg_query::Node;
using sql::TableName;

// The word that CREATE and DROP have for what DefineStmt makes.
const char* Defined(pg_query::ObjectType type) {
  switch (type) {
    case pg_query::OBJECT_TYPE:
      return "TYPE";
    case pg_query::OBJECT_COLLATION:
      return "COLLATION";
    case pg_query::OBJECT_TSCONFIGURATION:
      return "TEXT SEARCH CONFIGURATION";
    case pg_query::OBJECT_TSDICTIONARY:
      return "TEXT SEARCH DICTIONARY";
    default:
      return nullptr;
  }
}

}  // namespace

void Other(const Node& node, Sink* sink) {
  Known& known = sink->known();
  const std::string text = PathPrefix(known) + std::string(sink->text());
  switch (node.node_case()) {
    case Node::kCreateSchemaStmt: {
      const pg_query::CreateSchemaStmt& schema = node.create_schema_stmt();
      const bool sure =
          !schema.if_not_exists() && schema.schema_elts().empty() && !schema.schemaname().empty();
      Piece& piece = sink->Sql(node, "no operation makes a schema",
                               sure ? absl::StrCat("DROP SCHEMA ", sql::Ident(schema.schemaname())) : "");
      piece.sql = text;
      piece.changes.insert("schema " + schema.schemaname());
      piece.touches.insert("schema " + schema.schemaname());
      known.Make("schema " + schema.schemaname());
      return;
    }
    case Node::kCompositeTypeStmt:
    case Node::kCreateRangeStmt: {
      const TableName type = node.has_composite_type_stmt()
                                 ? known.Relation(node.composite_type_stmt().typevar())
                                 : known.Type(NameOf(node.create_range_stmt().type_name()));
      Piece& piece = sink->Sql(node, "operations make enum types and domains only",
                               absl::StrCat("DROP TYPE ", type.Quoted()));
      piece.sql = text;
      piece.changes = {TypeKey(type.Quoted())};
      piece.touches.insert(TypeKey(type.Quoted()));
      known.Make(TypeKey(type.Quoted()));
      return;
    }
    case Node::kDefineStmt: {
      const pg_query::DefineStmt& define = node.define_stmt();
      const char* word = Defined(define.kind());
      const std::string name = Spelled(NameOf(define.defnames()));
      Piece& piece = sink->Sql(node, "no operation makes an object of this kind",
                               word == nullptr || define.if_not_exists()
                                   ? ""
                                   : absl::StrCat(PathPrefix(known), "DROP ", word, " ", name));
      piece.sql = text;
      if (define.kind() == pg_query::OBJECT_TYPE) {
        const TableName type = known.Type(NameOf(define.defnames()));
        piece.touches.insert(TypeKey(type.Quoted()));
        known.Make(TypeKey(type.Quoted()));
      } else {
        const TableName function = known.Function(NameOf(define.defnames()));
        piece.touches.insert(FunctionKey(function.Quoted()));
        known.Make(FunctionKey(function.Quoted()));
      }
      piece.changes = piece.touches;
      return;
    }
    case Node::kRuleStmt: {
      const pg_query::RuleStmt& rule = node.rule_stmt();
      sink->Sql(node, "no operation makes a rule",
                rule.replace() ? ""
                               : absl::StrCat("DROP RULE ", sql::Ident(rule.rulename()), " ON ",
                                              known.Relation(rule.relation()).Quoted()))
          .sql = text;
      return;
    }
    case Node::kAlterObjectSchemaStmt: {
      const pg_query::AlterObjectSchemaStmt& move = node.alter_object_schema_stmt();
      const bool is_relation = move.has_relation();
      const TableName from = is_relation ? known.Relation(move.relation()) : TableName{};
      const TableName to{move.newschema(), from.name};
      const bool is_table = move.object_type() == pg_query::OBJECT_TABLE;
      Piece& piece = sink->Sql(
          node, "no operation moves an object to another schema",
          is_table ? absl::StrCat("ALTER TABLE ", to.Quoted(), " SET SCHEMA ", sql::Ident(from.schema)) : "");
      piece.reaches_all = !is_relation;
      if (is_relation) {
        piece.touches.insert(RelationKey(to.Quoted()));
        piece.changes.insert(RelationKey(to.Quoted()));
        const Kind kind = known.KindOf(from);
        known.MakeRelation(to, kind == Kind::kUnknown ? Kind::kTable : kind);
        known.Drop(from);
      }
      return;
    }
    case Node::kRefreshMatViewStmt: {
      Piece& piece = sink->Sql(node, "no operation refreshes a materialised view");
      piece.data_only = true;
      return;
    }
    case Node::kVacuumStmt:
      if (node.vacuum_stmt().is_vacuumcmd()) {
        sink->LeaveOut("VACUUM changes no schema, and runs in no transaction: run it by hand");
        return;
      }
      sink->LeaveOut("ANALYZE changes no schema; operations refresh statistics themselves");
      return;
    case Node::kReindexStmt: {
      const pg_query::ReindexStmt& reindex = node.reindex_stmt();
      const TableName name = known.Relation(reindex.relation());
      const bool is_table = reindex.kind() == pg_query::REINDEX_OBJECT_TABLE;
      const bool is_index = reindex.kind() == pg_query::REINDEX_OBJECT_INDEX;
      const TableName table = is_table ? name : known.TableOf(name);
      if ((is_table || is_index) && !table.name.empty()) {
        v1::Operation operation;
        operation.mutable_reindex()->set_table(table.Quoted());
        if (is_index) operation.mutable_reindex()->set_name(name.name);
        sink->Operation(std::move(operation), node, RelationKey(table.Quoted()));
        return;
      }
      sink->LeaveOut("REINDEX changes no schema: use the operation reindex, with the table of the index");
      return;
    }
    case Node::kAlterOwnerStmt: {
      Piece& piece = sink->Sql(node, "no operation changes an owner");
      piece.sql = text;
      piece.changes.clear();
      return;
    }
    case Node::kCallStmt: {
      Piece& piece = sink->Sql(node, "what a procedure does, the text does not tell");
      piece.sql = text;
      piece.reaches_all = true;
      return;
    }
    case Node::kAlterFunctionStmt: {
      Piece& piece = sink->Sql(node, "no operation changes a function but by its definition");
      const TableName name = known.Function(NameOf(node.alter_function_stmt().func().objname()));
      piece.touches.insert(FunctionKey(name.Quoted()));
      piece.changes.insert(FunctionKey(name.Quoted()));
      return;
    }
    default: {
      Piece& piece = sink->Sql(node, "there is no operation for it");
      piece.sql = text;
      // What it is about, nobody has told.
      piece.reaches_all = piece.touches.empty();
    }
  }
}

}  // namespace curlew::from_sql
