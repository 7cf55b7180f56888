#include "common/from_sql/footprint.h"

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/from_sql/text.h"
#include "common/lint/catalogue.h"
#include "common/sql/parser.h"

namespace curlew::from_sql {
namespace {

using google::protobuf::Message;
using pg_query::Node;
using sql::TableName;

// Reads the lists of names that DROP, COMMENT, ALTER ... OWNER and the like have.
class Namer {
 public:
  Namer(const Known& known, Keys* keys) : known_(known), keys_(*keys) {}

  void Relation(const TableName& name) {
    if (!name.name.empty()) keys_.insert(RelationKey(known_.Relation(name).Quoted()));
  }
  void Type(const pg_query::TypeName& type) {
    if (sql::IsBuiltInType(type) || type.names().empty()) return;
    keys_.insert(TypeKey(known_.Type(NameOf(type.names())).Quoted()));
  }
  void Type(const TableName& name) { keys_.insert(TypeKey(known_.Type(name).Quoted())); }
  void Function(const TableName& name) { keys_.insert(FunctionKey(known_.Function(name).Quoted())); }

  void Object(pg_query::ObjectType type, const Node& object) {
    switch (type) {
      case pg_query::OBJECT_TABLE:
      case pg_query::OBJECT_VIEW:
      case pg_query::OBJECT_MATVIEW:
      case pg_query::OBJECT_SEQUENCE:
      case pg_query::OBJECT_FOREIGN_TABLE:
        Relation(NameOf(object.list().items()));
        break;
      case pg_query::OBJECT_INDEX: {
        const TableName index = known_.Relation(NameOf(object.list().items()));
        Relation(index);
        if (const TableName table = known_.TableOf(index); !table.name.empty()) Relation(table);
        break;
      }
      // The last part is the name of the trigger, policy, rule, constraint or column itself.
      case pg_query::OBJECT_TRIGGER:
      case pg_query::OBJECT_POLICY:
      case pg_query::OBJECT_RULE:
      case pg_query::OBJECT_TABCONSTRAINT:
      case pg_query::OBJECT_COLUMN: {
        Nodes parts = object.list().items();
        if (!parts.empty()) parts.RemoveLast();
        Relation(NameOf(parts));
        break;
      }
      case pg_query::OBJECT_TYPE:
      case pg_query::OBJECT_DOMAIN:
        if (object.has_type_name()) Type(object.type_name());
        if (object.has_list()) Type(NameOf(object.list().items()));
        break;
      case pg_query::OBJECT_FUNCTION:
      case pg_query::OBJECT_PROCEDURE:
      case pg_query::OBJECT_ROUTINE:
      case pg_query::OBJECT_AGGREGATE:
        Function(NameOf(object.object_with_args().objname()));
        break;
      case pg_query::OBJECT_SCHEMA:
        keys_.insert("schema " + object.string().sval());
        break;
      case pg_query::OBJECT_EXTENSION:
        keys_.insert("extension " + object.string().sval());
        break;
      default:
        break;
    }
  }

 private:
  const Known& known_;
  Keys& keys_;
};

template <typename M>
const M* As(const Message& message) {
  return message.GetDescriptor() == M::descriptor() ? static_cast<const M*>(&message) : nullptr;
}

// The objects of statements that name them in lists.
void NameObjects(const Message& message, Namer* namer) {
  if (const auto* drop = As<pg_query::DropStmt>(message)) {
    for (const Node& object : drop->objects()) namer->Object(drop->remove_type(), object);
  } else if (const auto* comment = As<pg_query::CommentStmt>(message)) {
    namer->Object(comment->objtype(), comment->object());
  } else if (const auto* grant = As<pg_query::GrantStmt>(message)) {
    for (const Node& object : grant->objects()) {
      if (grant->targtype() == pg_query::ACL_TARGET_OBJECT) namer->Object(grant->objtype(), object);
    }
  } else if (const auto* rename = As<pg_query::RenameStmt>(message)) {
    namer->Object(rename->rename_type(), rename->object());
  } else if (const auto* move = As<pg_query::AlterObjectSchemaStmt>(message)) {
    namer->Object(move->object_type(), move->object());
  } else if (const auto* owner = As<pg_query::AlterOwnerStmt>(message)) {
    namer->Object(owner->object_type(), owner->object());
  } else if (const auto* values = As<pg_query::AlterEnumStmt>(message)) {
    namer->Type(NameOf(values->type_name()));
  } else if (const auto* domain = As<pg_query::AlterDomainStmt>(message)) {
    namer->Type(NameOf(domain->type_name()));
  } else if (const auto* trigger = As<pg_query::CreateTrigStmt>(message)) {
    namer->Function(NameOf(trigger->funcname()));
  }
}

}  // namespace

Keys Footprint(const Message& tree, const Known& known) {
  Keys keys;
  Namer namer(known, &keys);
  std::set<std::string> local;  // names of WITH
  sql::Walk(tree, [&](const Message& message) {
    if (const auto* with = As<pg_query::CommonTableExpr>(message)) local.insert(with->ctename());
    return true;
  });
  sql::Walk(tree, [&](const Message& message) {
    if (const auto* relation = As<pg_query::RangeVar>(message)) {
      if (!relation->schemaname().empty() || local.count(relation->relname()) == 0) {
        namer.Relation({relation->schemaname(), relation->relname()});
      }
    } else if (const auto* type = As<pg_query::TypeName>(message)) {
      namer.Type(*type);
    } else if (const auto* call = As<pg_query::FuncCall>(message)) {
      if (call->funcname_size() == 0 || call->funcname(0).string().sval() == "pg_catalog") return true;
      const TableName name = known.Function(NameOf(call->funcname()));
      if (known.Made(FunctionKey(name.Quoted())) || !known.FunctionsNamed(name).empty()) namer.Function(name);
    } else {
      NameObjects(message, &namer);
    }
    return true;
  });
  return keys;
}

Keys NamedIn(absl::string_view text, const Keys& known_keys) {
  Keys found;
  const auto tokens = sql::Scan(text);
  std::set<std::string> words;
  if (tokens.ok()) {
    for (const sql::Token& token : *tokens) {
      words.insert(sql::TokenName(text.substr(token.start, token.end - token.start)));
    }
  }
  for (const std::string& key : known_keys) {
    const auto name = sql::ParseTableName(key.substr(key.find(' ') + 1));
    // What cannot be read may name it.
    if (!tokens.ok() || !name.ok() || words.count(name->name) > 0) found.insert(key);
  }
  return found;
}

bool IsHarmlessFunction(const pg_query::FuncCall& call) {
  // Volatile, or of extensions that many have, and yet they change nothing.
  static const auto* const known = new std::set<std::string>{
      "clock_timestamp",  "crypt",   "digest",     "gen_random_bytes", "gen_random_uuid", "gen_salt",
      "random",           "setseed", "similarity", "timeofday",        "unaccent",        "uuid_generate_v1",
      "uuid_generate_v4", "hmac"};
  // By name, whether all forms of a function of PostgreSQL's own change nothing.
  static const auto* const own = [] {
    auto* names = new std::map<std::string, bool>;
    const lint::Catalogue catalogue = lint::BuiltInCatalogue();
    for (const auto& [oid, function] : *catalogue.functions) {
      const bool steady = function.volatility != 'v';
      auto [name, is_new] = names->emplace(function.name, steady);
      if (!is_new) name->second = name->second && steady;
    }
    return names;
  }();
  const TableName name = NameOf(call.funcname());
  if (name.schema.empty() && known->count(name.name) > 0) return true;
  if (!name.schema.empty() && name.schema != "pg_catalog") return false;
  const auto found = own->find(name.name);
  return found != own->end() && found->second;
}

bool IsBuiltInType(absl::string_view name) {
  static const auto* const own = [] {
    auto* names = new std::set<std::string>;
    for (const auto& [oid, type] : lint::BuiltInCatalogue().types) names->insert(type.name);
    return names;
  }();
  return own->count(std::string(name)) > 0;
}

}  // namespace curlew::from_sql
