#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/from_sql/families.h"
#include "common/from_sql/text.h"
#include "common/schema/schema.h"
#include "common/sql/object_definition.h"

namespace curlew::from_sql {
namespace {

using pg_query::DropStmt;
using pg_query::Node;
using sql::TableName;

// One object of a DROP that names several.
class Dropper {
 public:
  Dropper(const DropStmt& drop, const Node& node, Sink* sink) : drop_(drop), node_(node), sink_(*sink) {}

  void Drop() {
    switch (drop_.remove_type()) {
      case pg_query::OBJECT_TABLE:
      case pg_query::OBJECT_VIEW:
      case pg_query::OBJECT_MATVIEW:
      case pg_query::OBJECT_SEQUENCE:
        return Relation(known().Relation(NameOf(Object().list().items())));
      case pg_query::OBJECT_INDEX:
        return Index(known().Relation(NameOf(Object().list().items())));
      case pg_query::OBJECT_TYPE:
      case pg_query::OBJECT_DOMAIN:
        return Type(known().Type(NameOf(Object().type_name().names())));
      case pg_query::OBJECT_FUNCTION:
      case pg_query::OBJECT_PROCEDURE:
        return Function();
      case pg_query::OBJECT_TRIGGER:
      case pg_query::OBJECT_POLICY:
        return OfTable();
      case pg_query::OBJECT_EXTENSION:
        return Extension(Object().string().sval());
      case pg_query::OBJECT_STATISTIC_EXT:
        return Statistics(NameOf(Object().list().items()));
      default: {
        Piece& piece = sink_.Sql(node_, "no operation drops an object of this kind");
        piece.reaches_all = Cascades();
      }
    }
  }

 private:
  Known& known() { return sink_.known(); }
  const Node& Object() const { return drop_.objects(0); }
  bool Cascades() const { return drop_.behavior() == pg_query::DROP_CASCADE; }

  // Whether IF EXISTS makes it nothing.
  bool IsNothing(bool is_there, const std::string& what) {
    if (!drop_.missing_ok() || is_there || !known().exact()) return false;
    sink_.LeaveOut(absl::StrCat("IF EXISTS: there is no ", what));
    return true;
  }

  // CASCADE may reach anything; whether it does, a known catalogue tells: the compiler refuses the operation
  // where something depends on the object.
  void Add(v1::Operation operation, const std::string& key) {
    if (Cascades() && !known().exact()) {
      sink_.Sql(node_, "CASCADE: what goes with it, the text does not tell").reaches_all = true;
      return;
    }
    Piece& piece = sink_.Operation(std::move(operation), node_, key);
    piece.reaches_all = Cascades();
    if (drop_.missing_ok() && !known().exact()) piece.notes.push_back("IF EXISTS: taken to be there");
  }

  void Relation(const TableName& name) {
    if (IsNothing(known().KindOf(name) != Kind::kUnknown, name.Quoted())) return;
    v1::Operation operation;
    switch (drop_.remove_type()) {
      case pg_query::OBJECT_TABLE:
        operation.mutable_drop_table()->set_table(name.Quoted());
        break;
      case pg_query::OBJECT_VIEW:
        operation.mutable_drop_view()->set_view(name.Quoted());
        break;
      case pg_query::OBJECT_MATVIEW:
        operation.mutable_drop_materialized_view()->set_view(name.Quoted());
        break;
      default:
        operation.mutable_drop_sequence()->set_sequence(name.Quoted());
    }
    Add(std::move(operation), RelationKey(name.Quoted()));
    known().Drop(name);
  }

  void Index(const TableName& index) {
    if (IsNothing(known().KindOf(index) != Kind::kUnknown, index.Quoted())) return;
    const TableName table = known().TableOf(index);
    if (table.name.empty()) {
      Keys touches = {RelationKey(index.Quoted())};
      Piece& piece =
          sink_.Sql("", std::move(touches), "which table the index belongs to, the text does not tell");
      piece.of_unknown_table = true;
      piece.sql =
          absl::StrCat("DROP INDEX CONCURRENTLY ", drop_.missing_ok() ? "IF EXISTS " : "", index.Quoted());
    } else {
      v1::Operation operation;
      operation.mutable_drop_index()->set_table(table.Quoted());
      operation.mutable_drop_index()->set_name(index.name);
      Add(std::move(operation), RelationKey(table.Quoted()));
    }
    known().Drop(index);
  }

  void Type(const TableName& type) {
    if (IsNothing(known().HasType(type), type.Quoted())) return;
    v1::Operation operation;
    operation.mutable_drop_type()->set_type(type.Quoted());
    Add(std::move(operation), TypeKey(type.Quoted()));
  }

  void Function() {
    const pg_query::ObjectWithArgs& object = Object().object_with_args();
    const TableName name = known().Function(NameOf(object.objname()));
    const std::vector<std::string> there = known().FunctionsNamed(name);
    std::string signature;
    if (object.args_unspecified()) {
      if (there.size() == 1) signature = there[0];
    } else {
      std::vector<std::string> types;
      for (const Node& type : object.objargs()) types.push_back(TypeText(type.type_name()).value_or("?"));
      const auto parsed =
          sql::ParseFunctionName(absl::StrCat(name.Quoted(), "(", absl::StrJoin(types, ", "), ")"));
      if (parsed.ok()) signature = *parsed;
    }
    const bool is_there = object.args_unspecified()
                              ? !there.empty()
                              : schema::FindFunction(known().now(), signature) != nullptr;
    if (IsNothing(is_there, name.Quoted())) return;
    if (signature.empty()) {
      sink_.Sql(node_, "the types of its arguments, the text does not tell");
      return;
    }
    v1::Operation operation;
    operation.mutable_drop_function()->set_function(signature);
    Add(std::move(operation), FunctionKey(name.Quoted()));
  }

  void OfTable() {
    Nodes parts = Object().list().items();
    const std::string own = parts[parts.size() - 1].string().sval();
    parts.RemoveLast();
    const TableName table = known().Relation(NameOf(parts));
    const v1::Table* there = known().Table(table);
    const bool is_trigger = drop_.remove_type() == pg_query::OBJECT_TRIGGER;
    bool found = there == nullptr && known().KindOf(table) != Kind::kUnknown;
    if (there != nullptr) {
      for (const v1::Trigger& trigger : there->triggers())
        found = found || (is_trigger && trigger.name() == own);
      for (const v1::Policy& policy : there->policies())
        found = found || (!is_trigger && policy.name() == own);
    }
    if (IsNothing(found, absl::StrCat(sql::Ident(own), " on ", table.Quoted()))) return;
    if (known().KindOf(table) == Kind::kView) {
      sink_.Sql(node_, "operations drop triggers of tables only");
      return;
    }
    v1::Operation operation;
    if (is_trigger) {
      operation.mutable_drop_trigger()->set_table(table.Quoted());
      operation.mutable_drop_trigger()->set_name(own);
    } else {
      operation.mutable_drop_policy()->set_table(table.Quoted());
      operation.mutable_drop_policy()->set_name(own);
    }
    Add(std::move(operation), RelationKey(table.Quoted()));
  }

  void Extension(const std::string& name) {
    if (IsNothing(schema::FindExtension(known().now(), name) != nullptr, name)) return;
    v1::Operation operation;
    operation.mutable_drop_extension()->set_extension(name);
    Add(std::move(operation), "extension " + name);
  }

  void Statistics(TableName name) {
    if (name.schema.empty())
      name.schema = known().search_path().empty() ? "public" : known().search_path()[0];
    for (const v1::Table& table : known().now().tables()) {
      for (const v1::Statistics& statistics : table.statistics()) {
        if (table.schema() != name.schema || statistics.name() != name.name) continue;
        v1::Operation operation;
        operation.mutable_drop_statistics()->set_table(schema::NameOf(table).Quoted());
        operation.mutable_drop_statistics()->set_name(name.name);
        const std::string key = RelationKey(schema::NameOf(table).Quoted());
        return Add(std::move(operation), key);
      }
    }
    if (IsNothing(false, name.Quoted())) return;
    sink_.Sql(node_, "which table the statistics belong to, the text does not tell");
  }

  const DropStmt& drop_;
  const Node& node_;
  Sink& sink_;
};

}  // namespace

void Drop(const Node& node, Sink* sink) {
  for (const Node& object : node.drop_stmt().objects()) {
    Node one = node;
    one.mutable_drop_stmt()->clear_objects();
    *one.mutable_drop_stmt()->add_objects() = object;
    Dropper(one.drop_stmt(), one, sink).Drop();
  }
}

}  // namespace curlew::from_sql
