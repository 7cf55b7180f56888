#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/from_sql/families.h"
#include "common/from_sql/names.h"
#include "common/from_sql/text.h"

namespace curlew::from_sql {
namespace {

using pg_query::Constraint;
using pg_query::Node;

// "integer" for serial; empty for other types.
std::string SerialType(const pg_query::TypeName& type) {
  if (type.names_size() != 1 || !type.array_bounds().empty()) return "";
  const std::string& name = type.names(0).string().sval();
  if (name == "serial" || name == "serial4") return "integer";
  if (name == "bigserial" || name == "serial8") return "bigint";
  if (name == "smallserial" || name == "serial2") return "smallint";
  return "";
}

void AddString(const std::string& text, google::protobuf::RepeatedPtrField<Node>* nodes) {
  nodes->Add()->mutable_string()->set_sval(text);
}

absl::Status ReadConstraint(const Constraint& constraint, const std::string& name, ColumnParts* parts) {
  switch (constraint.contype()) {
    case pg_query::CONSTR_NULL:
      return absl::OkStatus();
    case pg_query::CONSTR_NOTNULL:
      parts->column.set_not_null(true);
      return absl::OkStatus();
    case pg_query::CONSTR_DEFAULT: {
      if (constraint.raw_expr().has_a_const() && constraint.raw_expr().a_const().isnull()) {
        return absl::OkStatus();
      }
      const auto text = ExpressionText(constraint.raw_expr());
      if (!text.has_value())
        return absl::InvalidArgumentError("its default is more than a plan's expression");
      parts->column.set_default_(*text);
      return absl::OkStatus();
    }
    case pg_query::CONSTR_IDENTITY:
      if (!constraint.options().empty()) {
        return absl::InvalidArgumentError("its identity has settings, which no operation takes");
      }
      parts->column.set_identity(constraint.generated_when() == "a" ? v1::IDENTITY_ALWAYS
                                                                    : v1::IDENTITY_BY_DEFAULT);
      return absl::OkStatus();
    case pg_query::CONSTR_GENERATED: {
      const auto text = ExpressionText(constraint.raw_expr());
      if (!text.has_value()) {
        return absl::InvalidArgumentError("its generation expression is more than a plan's expression");
      }
      parts->column.set_generated(*text);
      return absl::OkStatus();
    }
    case pg_query::CONSTR_ATTR_DEFERRABLE:
    case pg_query::CONSTR_ATTR_NOT_DEFERRABLE:
    case pg_query::CONSTR_ATTR_DEFERRED:
    case pg_query::CONSTR_ATTR_IMMEDIATE:
      if (parts->others.empty()) return absl::InvalidArgumentError("a deferral belongs to no constraint");
      if (constraint.contype() == pg_query::CONSTR_ATTR_DEFERRABLE) parts->others.back().set_deferrable(true);
      if (constraint.contype() == pg_query::CONSTR_ATTR_DEFERRED) {
        parts->others.back().set_deferrable(true);
        parts->others.back().set_initdeferred(true);
      }
      return absl::OkStatus();
    case pg_query::CONSTR_PRIMARY:
    case pg_query::CONSTR_UNIQUE:
    case pg_query::CONSTR_FOREIGN:
    case pg_query::CONSTR_CHECK: {
      Constraint own = constraint;
      if (own.contype() == pg_query::CONSTR_FOREIGN) {
        AddString(name, own.mutable_fk_attrs());
      } else if (own.contype() != pg_query::CONSTR_CHECK) {
        AddString(name, own.mutable_keys());
      }
      parts->others.push_back(std::move(own));
      return absl::OkStatus();
    }
    default:
      return absl::InvalidArgumentError("it has a constraint of a kind that no operation takes");
  }
}

}  // namespace

absl::StatusOr<ColumnParts> ReadColumn(const pg_query::ColumnDef& column, const Known& known) {
  ColumnParts parts;
  parts.column.set_name(column.colname());
  if (!column.compression().empty() || !column.storage().empty() || !column.fdwoptions().empty()) {
    return absl::InvalidArgumentError("no operation sets a column's compression or storage");
  }
  parts.serial = SerialType(column.type_name());
  if (parts.serial.empty()) {
    const auto type = known.TypeName(column.type_name());
    if (!type.has_value()) return absl::InvalidArgumentError("its type is none that a plan can write");
    parts.column.set_type(*type);
  } else {
    parts.column.set_type(parts.serial);
    parts.column.set_not_null(true);
  }
  if (column.has_coll_clause()) {
    parts.column.set_collation(Spelled(NameOf(column.coll_clause().collname())));
  }
  for (const Node& node : column.constraints()) {
    RETURN_IF_ERROR(ReadConstraint(node.constraint(), column.colname(), &parts));
  }
  return parts;
}

sql::TableName SerialSequence(const sql::TableName& table, absl::string_view column, absl::string_view type,
                              Sink* sink) {
  const sql::TableName sequence{table.schema,
                                ChooseName(table.name, column, "seq", [&](const std::string& name) {
                                  return sink->known().RelationTaken(table.schema, name);
                                })};
  v1::Operation operation;
  operation.mutable_create_sequence()->set_sequence(sequence.Quoted());
  if (type != "bigint") operation.mutable_create_sequence()->set_type(std::string(type));
  Node node;
  pg_query::CreateSeqStmt* create = node.mutable_create_seq_stmt();
  create->mutable_sequence()->set_schemaname(sequence.schema);
  create->mutable_sequence()->set_relname(sequence.name);
  create->mutable_sequence()->set_relpersistence("p");
  create->mutable_sequence()->set_inh(true);
  Piece& piece = sink->Operation(std::move(operation), node, RelationKey(sequence.Quoted()),
                                 absl::StrCat("DROP SEQUENCE ", sequence.Quoted()));
  piece.sql = absl::StrCat("CREATE SEQUENCE ", sequence.Quoted(), " AS ", type);
  piece.extra = true;
  piece.group = static_cast<int>(sink->pieces().size()) - 1;
  sink->known().MakeRelation(sequence, Kind::kSequence);
  return sequence;
}

void OwnSequence(const sql::TableName& table, absl::string_view column, const sql::TableName& sequence,
                 Sink* sink) {
  Piece& piece = sink->Sql(absl::StrCat("ALTER SEQUENCE ", sequence.Quoted(), " OWNED BY ", table.Quoted(),
                                        ".", sql::Ident(column)),
                           {RelationKey(table.Quoted()), RelationKey(sequence.Quoted())},
                           "a sequence's owner is set by no operation",
                           absl::StrCat("ALTER SEQUENCE ", sequence.Quoted(), " OWNED BY NONE"));
  // Nothing that operations look at.
  piece.changes.clear();
  piece.completes = true;
  piece.extra = true;
  // All that the column needs stands together, from its sequence on.
  std::vector<Piece>& pieces = sink->pieces();
  const std::string key = RelationKey(sequence.Quoted());
  const auto made = std::find_if(pieces.begin(), pieces.end(), [&](const Piece& p) {
    return p.extra && p.is_operation() && p.changes.count(key) > 0;
  });
  if (made == pieces.end()) return;
  const std::string column_of = RelationKey(table.Quoted());
  for (auto p = made; p != pieces.end(); ++p) {
    const bool defines =
        p->is_operation() && (p->operation->has_create_table() || p->operation->has_add_column());
    if (defines && p->changes.count(column_of) > 0 && p->statement == sink->statement()) {
      if (p->group < 0) p->group = made->group;
      made->group = p->group;
    }
  }
  pieces.back().group = made->group;
}

}  // namespace curlew::from_sql
