#include "common/from_sql/sink.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/from_sql/footprint.h"
#include "common/from_sql/text.h"

namespace curlew::from_sql {

std::pair<v1::Phase, v1::Phase> PhasesOf(const v1::Operation& operation) {
  using Op = v1::Operation;
  switch (operation.op_case()) {
    case Op::kCreateTable:
    case Op::kCreateEnum:
    case Op::kCreateDomain:
    case Op::kCreateSequence:
    case Op::kCreateExtension:
    case Op::kAddEnumValue:
    case Op::kGrant:
      return {v1::PHASE_ADD, v1::PHASE_ADD};
    case Op::kCreateFunction:
      // A body that exists is replaced later than a new one is made.
      return {v1::PHASE_ADD, v1::PHASE_CONSTRAIN};
    case Op::kAddColumn: {
      const v1::AddColumn& add = operation.add_column();
      if (add.identity() != v1::IDENTITY_UNSPECIFIED || (!add.up().empty() && !add.default_().empty())) {
        return {v1::PHASE_ADD, v1::PHASE_DROP};
      }
      return {v1::PHASE_ADD, add.up().empty() ? v1::PHASE_ADD : v1::PHASE_DROP};
    }
    case Op::kCreateIndex:
    case Op::kCreateStatistics:
      return {v1::PHASE_ADD, v1::PHASE_CONSTRAIN};
    case Op::kSetNotNull:
    case Op::kAddCheck:
    case Op::kAddUnique:
    case Op::kAddForeignKey:
    case Op::kAddExclusion:
    case Op::kAddDomainConstraint:
    case Op::kValidateConstraint:
    case Op::kSetDefault:
    case Op::kSetComment:
    case Op::kSetTableOptions:
    case Op::kSetReplicaIdentity:
    case Op::kSetRowSecurity:
    case Op::kCreatePolicy:
    case Op::kRenameIndex:
    case Op::kRenameConstraint:
    case Op::kReindex:
    case Op::kAlterSequence:
    case Op::kCreateView:
    case Op::kCreateMaterializedView:
    case Op::kCreateTrigger:
      return {v1::PHASE_CONSTRAIN, v1::PHASE_CONSTRAIN};
    case Op::kRenameColumn:
    case Op::kChangeType:
    case Op::kSplitColumn:
    case Op::kMergeColumns:
    case Op::kRemoveEnumValue:
      return {v1::PHASE_ADD, v1::PHASE_DROP};
    default:
      return {v1::PHASE_DROP, v1::PHASE_DROP};
  }
}

std::string PathPrefix(const Known& known) {
  if (known.is_plain_path()) return "";
  std::vector<std::string> names;
  for (const std::string& schema : known.search_path()) names.push_back(sql::Ident(schema));
  return absl::StrCat("SELECT pg_catalog.set_config('search_path', ",
                      sql::Literal(absl::StrJoin(names, ", ")), ", true);\n");
}

std::string Sink::SqlOf(const pg_query::Node& node) const {
  const auto printed = Printed(node);
  return absl::StrCat(PathPrefix(known_), printed.has_value() ? *printed : std::string(text_));
}

Piece& Sink::Operation(v1::Operation operation, const pg_query::Node& node, const std::string& changed,
                       std::string down) {
  Piece piece;
  piece.statement = statement_;
  piece.sql = SqlOf(node);
  piece.down = std::move(down);
  piece.touches = Footprint(node, known_);
  piece.touches.insert(changed);
  piece.changes.insert(changed);
  std::tie(piece.first, piece.last) = PhasesOf(operation);
  known_.Apply(operation);
  piece.operation = std::move(operation);
  return pieces_.emplace_back(std::move(piece));
}

Piece& Sink::Sql(const pg_query::Node& node, std::string why, std::string down) {
  Piece& piece = Sql("", Footprint(node, known_), std::move(why), std::move(down));
  piece.sql = SqlOf(node);
  return piece;
}

Piece& Sink::Sql(std::string sql, Keys touches, std::string why, std::string down) {
  Piece piece;
  piece.statement = statement_;
  piece.sql = std::move(sql);
  piece.down = std::move(down);
  piece.changes = touches;
  piece.touches = std::move(touches);
  piece.why = std::move(why);
  return pieces_.emplace_back(std::move(piece));
}

Piece* Sink::AddsColumn(const sql::TableName& table, absl::string_view column) {
  const std::string key = RelationKey(table.Quoted());
  for (size_t i = pieces_.size(); i-- > 0;) {
    Piece& piece = pieces_[i];
    if (piece.merged_into.has_value()) continue;
    if (piece.reaches_all && !piece.is_operation()) return nullptr;
    if (piece.touches.count(key) == 0) continue;
    if (piece.is_operation() && piece.operation->has_add_column()) {
      const v1::AddColumn& add = piece.operation->add_column();
      if (add.column() == column && add.table() == table.Quoted()) {
        const bool plain = add.generated().empty() && add.identity() == v1::IDENTITY_UNSPECIFIED;
        return plain ? &piece : nullptr;
      }
      continue;
    }
    if (!piece.is_operation() || piece.operation->has_backfill() || piece.operation->has_purge() ||
        piece.operation->has_drop_column() || piece.operation->has_rename_column()) {
      return nullptr;
    }
  }
  return nullptr;
}

}  // namespace curlew::from_sql
