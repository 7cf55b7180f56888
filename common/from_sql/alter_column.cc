#include "common/from_sql/alter_column.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/from_sql/casts.h"
#include "common/from_sql/families.h"
#include "common/from_sql/footprint.h"
#include "common/from_sql/text.h"
#include "common/schema/schema.h"
#include "common/sql/expression.h"

namespace curlew::from_sql {
namespace {

using pg_query::Constraint;
using pg_query::Node;
using sql::TableName;

std::string AlterColumn(const TableName& table, absl::string_view column) {
  return absl::StrCat("ALTER TABLE ", table.Quoted(), " ALTER COLUMN ", sql::Ident(column), " ");
}

// The column as the database, or the script, has it; nullptr where that is not known.
const v1::Column* Find(const TableName& table, const std::string& column, const Known& known) {
  const v1::Table* there = known.Table(table);
  return there == nullptr ? nullptr : schema::FindColumn(*there, column);
}

// The ADD COLUMN without the constraints that are pieces of their own.
Node Bare(const Node& node) {
  Node bare = node;
  pg_query::ColumnDef* column = bare.mutable_alter_table_stmt()
                                    ->mutable_cmds(0)
                                    ->mutable_alter_table_cmd()
                                    ->mutable_def()
                                    ->mutable_column_def();
  Nodes kept;
  for (const Node& constraint : column->constraints()) {
    const auto type = constraint.constraint().contype();
    if (type == pg_query::CONSTR_NULL || type == pg_query::CONSTR_NOTNULL ||
        type == pg_query::CONSTR_DEFAULT || type == pg_query::CONSTR_IDENTITY ||
        type == pg_query::CONSTR_GENERATED) {
      *kept.Add() = constraint;
    }
  }
  *column->mutable_constraints() = kept;
  return bare;
}

bool MayBeVolatile(const std::string& expression) {
  const auto parsed = sql::Expression::Parse(expression);
  return !parsed.ok() || parsed->MayBeVolatile();
}

// The piece that makes the table, if an operation does.
std::optional<size_t> MakesTable(const TableName& table, Sink* sink) {
  for (size_t i = 0; i < sink->pieces().size(); ++i) {
    const Piece& piece = sink->pieces()[i];
    if (piece.is_operation() && piece.operation->has_create_table() &&
        piece.operation->create_table().table() == table.Quoted()) {
      return i;
    }
  }
  return std::nullopt;
}

// Whether nothing has looked at the rows of the table since.
bool NoRowsSince(size_t piece, const TableName& table, Sink* sink) {
  const std::string key = RelationKey(table.Quoted());
  for (size_t i = piece; i < sink->pieces().size(); ++i) {
    const Piece& later = sink->pieces()[i];
    if (later.reaches_all && !later.is_operation()) return false;
    if (!later.is_operation() && !later.completes && later.touches.count(key) > 0) return false;
  }
  return true;
}

// A value for rows that are written without a column which is about to go; "" where none is to be had.
std::string Filler(const v1::Table& table, const v1::Column& column) {
  for (const v1::Constraint& constraint : table.constraints()) {
    const auto& columns = constraint.columns();
    if (std::find(columns.begin(), columns.end(), column.name()) != columns.end()) return "";
  }
  const std::string& type = column.type();
  if (type == "text" || absl::StartsWith(type, "character")) return "''";
  if (type == "integer" || type == "bigint" || type == "smallint" || absl::StartsWith(type, "numeric") ||
      type == "double precision" || type == "real") {
    return "0";
  }
  if (type == "boolean") return "false";
  if (type == "date" || absl::StartsWith(type, "timestamp")) return "now()";
  if (type == "jsonb" || type == "json") return absl::StrCat("'{}'::", type);
  if (type == "uuid") return "gen_random_uuid()";
  if (absl::EndsWith(type, "[]")) return absl::StrCat("'{}'::", type);
  return "";
}

// What covers other columns than this one too, and goes with it.
std::vector<std::string> GoesToo(const v1::Table& table, const std::string& column) {
  std::vector<std::string> names;
  auto add = [&](const auto& objects) {
    for (const auto& object : objects) {
      const auto& columns = object.columns();
      if (columns.size() > 1 && std::find(columns.begin(), columns.end(), column) != columns.end() &&
          std::find(names.begin(), names.end(), object.name()) == names.end()) {
        names.push_back(object.name());
      }
    }
  };
  add(table.constraints());
  add(table.indexes());
  add(table.statistics());
  return names;
}

}  // namespace

void AddColumn(const AlterCommand& command, const TableName& table, const Node& node, Sink* sink) {
  Known& known = sink->known();
  const pg_query::ColumnDef& definition = command.def().column_def();
  const std::string key = RelationKey(table.Quoted());
  const std::string& name = definition.colname();
  if (command.missing_ok() &&
      (Find(table, name, known) != nullptr || sink->AddsColumn(table, name) != nullptr)) {
    sink->LeaveOut(absl::StrCat("IF NOT EXISTS: ", table.Quoted(), " has a column ", sql::Ident(name)));
    return;
  }
  const std::string down = absl::StrCat("ALTER TABLE ", table.Quoted(), " DROP COLUMN ", sql::Ident(name));
  absl::StatusOr<ColumnParts> parts = ReadColumn(definition, known);
  if (parts.ok()) {
    const v1::TableColumn& c = parts->column;
    if (c.not_null() && c.default_().empty() && c.generated().empty() && parts->serial.empty() &&
        c.identity() == v1::IDENTITY_UNSPECIFIED && !known.Made(key)) {
      parts = absl::InvalidArgumentError(
          "NOT NULL without a default: works on an empty table only; give the rows a value by a default, or "
          "by "
          "UPDATE and SET NOT NULL after it");
    }
  }
  if (!parts.ok()) {
    sink->Sql(node, std::string(parts.status().message()), down);
    return;
  }
  v1::TableColumn& column = parts->column;
  std::optional<TableName> sequence;
  if (!parts->serial.empty()) {
    sequence = SerialSequence(table, name, parts->serial, sink);
    column.set_default_(absl::StrCat("nextval(", sql::Literal(sequence->Quoted()), "::regclass)"));
  }
  const auto made = MakesTable(table, sink);
  bool stands_alone = !sequence.has_value();
  for (const std::string& touched : Footprint(Bare(node), known)) {
    // What the script made after the table is not there when the table is made.
    stands_alone = stands_alone && (touched == key || !known.Made(touched));
  }
  if (made.has_value() && stands_alone && NoRowsSince(*made + 1, table, sink)) {
    *sink->pieces()[*made].operation->mutable_create_table()->add_columns() = column;
    v1::Operation operation;
    operation.mutable_add_column()->set_table(table.Quoted());
    operation.mutable_add_column()->set_column(name);
    operation.mutable_add_column()->set_type(column.type());
    sink->Operation(std::move(operation), Bare(node), key, down);
    sink->Merge(sink->pieces().size() - 1, static_cast<int>(*made));
  } else {
    v1::Operation operation;
    v1::AddColumn* add = operation.mutable_add_column();
    add->set_table(table.Quoted());
    add->set_column(name);
    add->set_type(column.type());
    add->set_collation(column.collation());
    add->set_default_(column.default_());
    add->set_not_null(column.not_null());
    add->set_identity(column.identity());
    if (add->identity() != v1::IDENTITY_UNSPECIFIED) add->set_not_null(false);
    add->set_generated(column.generated());
    if (!add->default_().empty() && MayBeVolatile(add->default_())) add->set_up(add->default_());
    Piece& piece = sink->Operation(std::move(operation), Bare(node), key, down);
    if (!column.generated().empty() && !known.Made(key)) piece.acknowledge = {"rewrites-table"};
    if (command.missing_ok() && !known.exact()) piece.notes.push_back("IF NOT EXISTS: taken not to be there");
  }
  if (sequence.has_value()) OwnSequence(table, name, *sequence, sink);
  for (const Constraint& constraint : parts->others) AddConstraint(constraint, table, sink);
}

void DropColumn(const AlterCommand& command, const TableName& table, const Node& node, Sink* sink) {
  Known& known = sink->known();
  const v1::Table* there = known.Table(table);
  const v1::Column* column = Find(table, command.name(), known);
  if (command.missing_ok() && known.exact() && there != nullptr && column == nullptr) {
    sink->LeaveOut(
        absl::StrCat("IF EXISTS: ", table.Quoted(), " has no column ", sql::Ident(command.name())));
    return;
  }
  if (command.behavior() == pg_query::DROP_CASCADE && !known.exact()) {
    sink->Sql(node, "CASCADE: what goes with it, the text does not tell").reaches_all = true;
    return;
  }
  v1::Operation operation;
  v1::DropColumn* drop = operation.mutable_drop_column();
  drop->set_table(table.Quoted());
  drop->set_column(command.name());
  std::vector<std::string> notes;
  if (column != nullptr) {
    for (const std::string& name : GoesToo(*there, command.name())) drop->add_discard(name);
    if (column->not_null() && column->default_().empty() && column->identity().empty() &&
        column->generated().empty()) {
      drop->set_down(Filler(*there, *column));
      if (!drop->down().empty()) {
        notes.push_back(
            "down: rows that the new application writes get this until the column goes; choose what the old "
            "one "
            "can bear");
      }
    }
  }
  if (command.missing_ok() && !known.exact()) notes.push_back("IF EXISTS: taken to be there");
  Piece& piece = sink->Operation(std::move(operation), node, RelationKey(table.Quoted()));
  piece.notes = notes;
  piece.reaches_all = command.behavior() == pg_query::DROP_CASCADE;
}

void ColumnDefault(const AlterCommand& command, const TableName& table, const Node& node, Sink* sink) {
  const std::string key = RelationKey(table.Quoted());
  Piece* adds = sink->AddsColumn(table, command.name());
  const int number = adds == nullptr ? -1 : static_cast<int>(adds - sink->pieces().data());
  const bool to_null = command.has_def() && command.def().has_a_const() && command.def().a_const().isnull();
  v1::Operation operation;
  if (!command.has_def() || to_null) {
    operation.mutable_drop_default()->set_table(table.Quoted());
    operation.mutable_drop_default()->set_column(command.name());
    sink->Operation(std::move(operation), node, key);
    if (number < 0) return;
    // A default that was there only to fill the rows.
    v1::AddColumn* add = sink->pieces()[number].operation->mutable_add_column();
    if (add->default_().empty()) return;
    if (add->up().empty()) add->set_up(add->default_());
    add->clear_default_();
    sink->Merge(sink->pieces().size() - 1, number);
    return;
  }
  const auto text = ExpressionText(command.def());
  if (!text.has_value()) {
    sink->Sql(node, "the default is more than a plan's expression");
    return;
  }
  operation.mutable_set_default()->set_table(table.Quoted());
  operation.mutable_set_default()->set_column(command.name());
  operation.mutable_set_default()->set_default_(*text);
  sink->Operation(std::move(operation), node, key);
  const size_t own = sink->pieces().size() - 1;
  if (number >= 0 && !sink->pieces()[number].operation->add_column().up().empty()) {
    sink->pieces()[number].operation->mutable_add_column()->set_default_(*text);
    sink->Merge(own, number);
    return;
  }
  // DROP DEFAULT, TYPE, SET DEFAULT: the type's change carries the default over until the new one is set, so
  // that no row is written without one.
  int change = -1;
  for (size_t i = own; i-- > 0;) {
    Piece& piece = sink->pieces()[i];
    if (!piece.is_operation() || piece.merged_into.has_value()) continue;
    if (piece.operation->has_change_type() && piece.operation->change_type().table() == table.Quoted() &&
        piece.operation->change_type().column() == command.name()) {
      change = static_cast<int>(i);
    }
    if (change >= 0 && piece.operation->has_drop_default() &&
        piece.operation->drop_default().table() == table.Quoted() &&
        piece.operation->drop_default().column() == command.name()) {
      sink->Merge(i, change);
      return;
    }
  }
}

void NotNull(const AlterCommand& command, const TableName& table, const Node& node, Sink* sink) {
  const std::string key = RelationKey(table.Quoted());
  v1::Operation operation;
  if (command.subtype() == pg_query::AT_DropNotNull) {
    operation.mutable_drop_not_null()->set_table(table.Quoted());
    operation.mutable_drop_not_null()->set_column(command.name());
    sink->Operation(std::move(operation), node, key);
    return;
  }
  operation.mutable_set_not_null()->set_table(table.Quoted());
  operation.mutable_set_not_null()->set_column(command.name());
  Piece* adds = sink->AddsColumn(table, command.name());
  const int number = adds == nullptr ? -1 : static_cast<int>(adds - sink->pieces().data());
  const bool is_new = number >= 0;
  sink->Operation(std::move(operation), node, key,
                  is_new ? AlterColumn(table, command.name()) + "DROP NOT NULL" : "");
  if (!is_new) return;
  v1::AddColumn* add = sink->pieces()[number].operation->mutable_add_column();
  if (add->up().empty() && add->default_().empty()) return;
  add->set_not_null(true);
  sink->Merge(sink->pieces().size() - 1, number);
}

void ColumnType(const AlterCommand& command, const TableName& table, const Node& node, Sink* sink) {
  Known& known = sink->known();
  const pg_query::ColumnDef& definition = command.def().column_def();
  const auto type = known.TypeName(definition.type_name());
  if (!type.has_value()) {
    sink->Sql(node, "its type is none that a plan can write");
    return;
  }
  v1::Operation operation;
  v1::ChangeType* change = operation.mutable_change_type();
  change->set_table(table.Quoted());
  change->set_column(command.name());
  change->set_type(*type);
  if (definition.has_coll_clause()) {
    change->set_collation(Spelled(NameOf(definition.coll_clause().collname())));
  }
  const v1::Column* column = Find(table, command.name(), known);
  const std::string from = column == nullptr ? "" : column->type();
  const std::string owned = column == nullptr ? "" : column->owned_sequence();
  if (definition.has_raw_default()) {
    const auto up = ExpressionText(definition.raw_default(), {table.name});
    const std::vector<std::string> columns = ColumnsOf(definition.raw_default());
    if (!up.has_value() || columns != std::vector<std::string>{command.name()}) {
      sink->Sql(node, "USING takes more than the column itself");
      return;
    }
    // A plain cast to the type is what change_type does by itself.
    if (*up != absl::StrCat(sql::Ident(command.name()), "::", *type)) change->set_up(*up);
  }
  if (const std::string down = WayBack(command.name(), from, *change); !down.empty()) change->set_down(down);
  if (!from.empty() && change->down().empty() && !HasCast(*type, from)) {
    sink->Sql(node, absl::StrCat("there is no cast from ", *type, " back to ", from,
                                 "; write change_type by hand, with `down`"));
    return;
  }
  sink->Operation(std::move(operation), node, RelationKey(table.Quoted()));
  const v1::Sequence* sequence = owned.empty() ? nullptr : schema::FindSequence(known.now(), owned);
  if (sequence == nullptr) return;
  Piece& keep =
      sink->Sql(absl::StrCat("ALTER SEQUENCE ", sequence->name(), " AS ", sequence->type()),
                {RelationKey(sequence->name()), RelationKey(table.Quoted())},
                "change_type gives the sequence the column's new type, and the script leaves it as it is");
  keep.notes.push_back("leave this one out: the sequence would still end with the numbers of the old type");
  keep.changes.clear();
  keep.completes = false;
  keep.extra = true;
  keep.group = static_cast<int>(sink->pieces().size()) - 2;
  sink->pieces()[keep.group].group = keep.group;
}

void StatisticsTarget(const AlterCommand& command, const TableName& table, const Node& node, Sink* sink) {
  const v1::Column* column = Find(table, command.name(), sink->known());
  sink->Sql(node, "a column's statistics target is set by no operation",
            column == nullptr ? ""
                              : absl::StrCat(AlterColumn(table, command.name()), "SET STATISTICS ",
                                             column->statistics_target()));
}

bool AddPrimaryKey(const Constraint& constraint, const TableName& table, const Node& node, Sink* sink) {
  if (constraint.contype() != pg_query::CONSTR_PRIMARY || !constraint.indexname().empty()) return false;
  const auto made = MakesTable(table, sink);
  const bool plain = constraint.including().empty() && constraint.options().empty() &&
                     !constraint.deferrable() && constraint.indexspace().empty();
  if (!made.has_value() || !plain || !NoRowsSince(*made + 1, table, sink)) return false;
  v1::CreateTable* create = sink->pieces()[*made].operation->mutable_create_table();
  if (!create->primary_key().empty()) return false;
  Constraint unnamed = constraint;
  unnamed.clear_conname();
  const std::string given = ConstraintName(unnamed, table, sink->known());
  if (!constraint.conname().empty() && constraint.conname() != given) return false;
  for (const std::string& column : Strings(constraint.keys())) create->add_primary_key(column);
  sink->Operation(sink->pieces()[*made].operation.value(), node, RelationKey(table.Quoted()));
  sink->Merge(sink->pieces().size() - 1, static_cast<int>(*made));
  sink->known().MakeConstraint(table, given);
  sink->known().MakeIndex(table, given);
  return true;
}

}  // namespace curlew::from_sql
