#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/from_sql/families.h"
#include "common/from_sql/text.h"
#include "common/sql/type_name.h"

namespace curlew::from_sql {
namespace {

using pg_query::DefElem;
using pg_query::Node;
using sql::TableName;

// The column that OWNED BY names, as SQL; "NONE"; empty where there is no OWNED BY.
std::string Owner(const Nodes& options, const Known& known, TableName* table) {
  for (const Node& node : options) {
    if (node.def_elem().defname() != "owned_by") continue;
    Nodes parts = node.def_elem().arg().list().items();
    if (parts.size() < 2) return "NONE";
    const std::string column = parts[parts.size() - 1].string().sval();
    parts.RemoveLast();
    *table = known.Relation(NameOf(parts));
    return absl::StrCat(table->Quoted(), ".", sql::Ident(column));
  }
  return "";
}

}  // namespace

std::optional<v1::SequenceSettings> ReadSettings(const Nodes& options, std::string* type) {
  v1::SequenceSettings settings;
  for (const Node& node : options) {
    const DefElem& option = node.def_elem();
    const std::string& name = option.defname();
    if (name == "owned_by") continue;
    if (name == "as") {
      *type = TypeText(option.arg().type_name()).value_or("");
      continue;
    }
    if (name == "cycle") {
      settings.set_cycle(ValueText(option.arg()) != "false");
      continue;
    }
    // NO MINVALUE and NO MAXVALUE are the defaults.
    if ((name == "minvalue" || name == "maxvalue") && !option.has_arg()) continue;
    const auto number = Number(option.arg());
    if (!number.has_value()) return std::nullopt;
    if (name == "start") {
      settings.set_start(*number);
    } else if (name == "increment") {
      settings.set_increment(*number);
    } else if (name == "minvalue") {
      settings.set_minimum(*number);
    } else if (name == "maxvalue") {
      settings.set_maximum(*number);
    } else if (name == "cache") {
      settings.set_cache(*number);
    } else {
      return std::nullopt;
    }
  }
  return settings;
}

void CreateSequence(const Node& node, Sink* sink) {
  const pg_query::CreateSeqStmt& statement = node.create_seq_stmt();
  Known& known = sink->known();
  const TableName name = known.Relation(statement.sequence());
  if (statement.if_not_exists() && known.KindOf(name) != Kind::kUnknown) {
    sink->LeaveOut(absl::StrCat("IF NOT EXISTS: ", name.Quoted(), " is there"));
    return;
  }
  const std::string down = absl::StrCat("DROP SEQUENCE ", name.Quoted());
  std::string type;
  const auto settings = ReadSettings(statement.options(), &type);
  if (!settings.has_value() || statement.sequence().relpersistence() != "p") {
    sink->Sql(node, "a setting is none that create_sequence takes", down);
  } else {
    v1::Operation operation;
    v1::CreateSequence* create = operation.mutable_create_sequence();
    create->set_sequence(name.Quoted());
    create->set_type(type);
    if (settings->ByteSizeLong() > 0) *create->mutable_settings() = *settings;
    sink->Operation(std::move(operation), node, RelationKey(name.Quoted()), down).leads = true;
    TableName table;
    const std::string owner = Owner(statement.options(), known, &table);
    if (!owner.empty() && owner != "NONE") {
      Piece& piece = sink->Sql(absl::StrCat("ALTER SEQUENCE ", name.Quoted(), " OWNED BY ", owner),
                               {RelationKey(name.Quoted()), RelationKey(table.Quoted())},
                               "a sequence's owner is set by no operation",
                               absl::StrCat("ALTER SEQUENCE ", name.Quoted(), " OWNED BY NONE"));
      piece.changes.clear();
      piece.completes = true;
    }
  }
  known.MakeRelation(name, Kind::kSequence);
}

void AlterSequence(const Node& node, Sink* sink) {
  const pg_query::AlterSeqStmt& statement = node.alter_seq_stmt();
  Known& known = sink->known();
  const TableName name = known.Relation(statement.sequence());
  const std::string key = RelationKey(name.Quoted());
  if (statement.missing_ok() && known.exact() && known.KindOf(name) == Kind::kUnknown) {
    sink->LeaveOut(absl::StrCat("IF EXISTS: there is no ", name.Quoted()));
    return;
  }
  TableName table;
  const std::string owner = Owner(statement.options(), known, &table);
  if (!owner.empty()) {
    // Who owned it before, only a sequence that the script makes tells.
    Piece& piece =
        sink->Sql(node, "a sequence's owner is set by no operation",
                  known.Made(key) ? absl::StrCat("ALTER SEQUENCE ", name.Quoted(), " OWNED BY NONE") : "");
    if (!table.name.empty()) piece.touches.insert(RelationKey(table.Quoted()));
    if (statement.options_size() == 1) {
      piece.changes.clear();
      piece.completes = known.Made(key);
    }
    return;
  }
  std::string type;
  const auto settings = ReadSettings(statement.options(), &type);
  bool resets = false;  // NO MINVALUE is a setting here
  for (const Node& option : statement.options()) {
    resets = resets || (!option.def_elem().has_arg() && absl::EndsWith(option.def_elem().defname(), "value"));
  }
  if (!settings.has_value() || !type.empty() || resets) {
    Piece& piece = sink->Sql(node, "a setting is none that alter_sequence takes");
    piece.changes = {key};
    return;
  }
  v1::Operation operation;
  operation.mutable_alter_sequence()->set_sequence(name.Quoted());
  *operation.mutable_alter_sequence()->mutable_settings() = *settings;
  sink->Operation(std::move(operation), node, key);
}

}  // namespace curlew::from_sql
