#include "common/operations/twins.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/carry_identity.h"
#include "common/operations/constraint_steps.h"
#include "common/operations/dependents.h"
#include "common/operations/index_steps.h"
#include "common/operations/link_preflight.h"
#include "common/schema/schema.h"
#include "common/sql/parser.h"
#include "common/sql/rewrite.h"

namespace curlew::operations {
namespace {

using sql::ColumnChange;
using sql::SqlText;
using sql::TableName;

template <typename Object>
bool Carried(const Succession& column, const Object& object) {
  return Holds(object.columns(), column.from.name()) && column.discard.count(object.name()) == 0;
}

std::string Temporary(const Succession& column, absl::string_view object) {
  return sql::HashedName("curlew_new_", {column.table.schema(), column.table.name(), object, column.to});
}

// How an index, or statistics, uses the column.
struct Usage {
  bool in_expression = false;  // or predicate
  bool opclass = false;        // as a key with an operator class of its own
};

Usage UsageOf(absl::string_view definition, absl::string_view column) {
  Usage usage;
  const auto tree = sql::Parse(definition);
  if (!tree.ok()) return {.in_expression = true, .opclass = true};
  sql::Walk(*tree, [&](const google::protobuf::Message& node) {
    if (const auto* ref = dynamic_cast<const pg_query::ColumnRef*>(&node)) {
      for (const auto& field : ref->fields()) {
        if (field.string().sval() == column) usage.in_expression = true;
      }
    } else if (const auto* key = dynamic_cast<const pg_query::IndexElem*>(&node)) {
      if (key->name() == column && !key->opclass().empty()) usage.opclass = true;
    }
    return true;
  });
  return usage;
}

// What a later operation of the stage makes of an object that the column's operation has carried.
enum class Fate { kStays, kCarriedOn, kGoesToo };

template <typename Objects>
Fate FateOf(const CompileContext& context, const Succession& column, const Objects& now_there,
            absl::string_view name, const google::protobuf::RepeatedPtrField<std::string>& columns) {
  std::set<std::string> expected;
  for (const std::string& c : columns) expected.insert(c == column.from.name() ? column.name : c);
  for (const auto& object : now_there) {
    if (object.name() != name) continue;
    return std::set<std::string>(object.columns().begin(), object.columns().end()) == expected
               ? Fate::kStays
               : Fate::kCarriedOn;
  }
  // Taken away by a later operation: together with one of its columns, or by itself.
  const v1::Table* table = schema::FindTable(context.after, schema::NameOf(column.table));
  for (const std::string& c : expected) {
    if (table == nullptr || schema::FindColumn(*table, c) == nullptr) return Fate::kGoesToo;
  }
  return Fate::kStays;
}

absl::Status Refuse(const Succession& column, absl::string_view what, absl::string_view way_out) {
  return absl::FailedPreconditionError(absl::StrCat("column ", sql::Ident(column.from.name()), " of ",
                                                    schema::NameOf(column.table).Quoted(), ": ", what, "; ",
                                                    way_out));
}

absl::Status CheckIndex(const Succession& column, const v1::Index& index, absl::string_view way_out) {
  const std::string object = absl::StrCat("index ", sql::Ident(index.name()));
  if (!index.valid()) return Refuse(column, object + " is invalid", "drop it or reindex it first");
  if (SameFamily(column.from.type(), column.type)) return absl::OkStatus();
  const Usage usage = UsageOf(index.definition(), column.from.name());
  if (usage.in_expression) {
    return Refuse(column, object + " uses it in an expression or predicate, which is about the old type",
                  way_out);
  }
  if (usage.opclass || !absl::StrContains(index.definition(), " USING btree ") || !column.has_equality) {
    return Refuse(column, object + " may not be possible for the new type", way_out);
  }
  return absl::OkStatus();
}

v1::Deferral DeferralOf(absl::string_view definition) {
  if (absl::EndsWith(definition, " DEFERRABLE INITIALLY DEFERRED")) return v1::DEFERRAL_INITIALLY_DEFERRED;
  return absl::EndsWith(definition, " DEFERRABLE") ? v1::DEFERRAL_DEFERRABLE : v1::DEFERRAL_UNSPECIFIED;
}

absl::Status CheckConstraint(const Succession& column, const v1::Constraint& constraint,
                             absl::string_view way_out) {
  const v1::Table& table = column.table;
  const std::string object = absl::StrCat("constraint ", sql::Ident(constraint.name()));
  const bool alike = column.values == NewValues::kSame ||
                     (column.values == NewValues::kCast && SameFamily(column.from.type(), column.type));
  switch (constraint.type()) {
    case v1::CONSTRAINT_TYPE_CHECK:
      if (!alike) return Refuse(column, object + " is about the old values", way_out);
      if (absl::Status s = sql::CheckExpression(constraint.definition()).status(); !s.ok()) {
        return Refuse(column, absl::StrCat(object, " cannot be carried along: ", s.message()), way_out);
      }
      return absl::OkStatus();
    case v1::CONSTRAINT_TYPE_FOREIGN_KEY:
      // numeric references no integer.
      if (!alike || (column.values == NewValues::kCast && absl::StartsWith(column.type, "numeric"))) {
        return Refuse(column, object + " is about the old values", way_out);
      }
      if (table.kind() == v1::TABLE_KIND_PARTITIONED) {
        return Refuse(column, object + ": PostgreSQL 15 has no NOT VALID foreign keys on partitioned tables",
                      way_out);
      }
      return absl::OkStatus();
    case v1::CONSTRAINT_TYPE_UNIQUE:
      return absl::OkStatus();
    case v1::CONSTRAINT_TYPE_PRIMARY_KEY:
      if (DeferralOf(constraint.definition()) != v1::DEFERRAL_UNSPECIFIED) {
        return Refuse(column, object + " is deferrable", "keep the column as it is");
      }
      if (table.kind() == v1::TABLE_KIND_PARTITIONED) {
        return Refuse(column, object + " of a partitioned table cannot be built beside the old one",
                      "keep the column as it is");
      }
      if (column.name == column.from.name()) return absl::OkStatus();
      return Refuse(column, absl::StrCat("it belongs to the primary key ", sql::Ident(constraint.name())),
                    "keep the column as it is");
    case v1::CONSTRAINT_TYPE_EXCLUSION:
    case v1::CONSTRAINT_TYPE_UNSPECIFIED:
    default:
      return Refuse(column, object + " cannot be built without a lock", way_out);
  }
}

// The parts of a partitioned index get the names of the old one's, which go with the column.
SqlText TakePartNames(const TableName& old_index, const TableName& new_index) {
  return DoBlock(
      {"\nDECLARE\n  part record;\nBEGIN\n"
       "  FOR part IN SELECT o.relid AS old_part, n.relid AS new_part, c.relname FROM\n"
       "      pg_catalog.pg_partition_tree(",
       SqlText::String(old_index.Quoted()),
       ") AS o JOIN pg_catalog.pg_class AS c ON c.oid = o.relid\n"
       "      JOIN pg_catalog.pg_index AS oi ON oi.indexrelid = o.relid JOIN pg_catalog.pg_index AS ni ON "
       "ni.indrelid = "
       "oi.indrelid\n      JOIN pg_catalog.pg_partition_tree(",
       SqlText::String(new_index.Quoted()),
       ") AS n ON n.relid = ni.indexrelid WHERE o.level > 0 LOOP\n"
       "    EXECUTE pg_catalog.format('ALTER INDEX %s RENAME TO %I', part.old_part, 'curlew_old_' || "
       "part.old_part::pg_catalog.oid);\n"
       "    EXECUTE pg_catalog.format('ALTER INDEX %s RENAME TO %I', part.new_part, part.relname);\n"
       "  END LOOP;\nEND\n"});
}

// An index of its own, of a UNIQUE constraint, or of the primary key.
absl::Status AppendIndexTwin(const Succession& column, const v1::Index& index, StepList* steps) {
  const TableName name = schema::NameOf(column.table);
  const SqlText relation = SqlText::Name(name);
  const std::string temporary = Temporary(column, index.name());
  ASSIGN_OR_RETURN(SqlText create,
                   sql::RewriteIndex(index.definition(), {column.from.name(), column.to}, temporary));
  if (column.table.kind() == v1::TABLE_KIND_PARTITIONED) {
    AppendPartitionedIndexPreflights(column.table, index.name(), std::nullopt, steps);
    steps->Work(column.table)
        ->before_finish.push_back(TakePartNames({name.schema, index.name()}, {name.schema, temporary}));
  }
  std::vector<SqlText>& last = steps->Work(column.table)->after_finish;
  if (index.primary()) {
    // The old key goes with its column, and this takes over: it is NOT NULL by then, so nothing is read.
    AppendIndex(column.table, temporary, create, v1::PHASE_CONSTRAIN, steps);
    last.push_back({"ALTER TABLE ", relation, " ADD CONSTRAINT ", SqlText::Name(index.constraint()),
                    " PRIMARY KEY USING INDEX ", SqlText::Name(temporary)});
  } else if (index.constraint().empty()) {
    AppendIndex(column.table, temporary, create, v1::PHASE_CONSTRAIN, steps);
    last.push_back(
        {"ALTER INDEX ", SqlText::Name(name.schema, temporary), " RENAME TO ", SqlText::Name(index.name())});
  } else {
    const v1::Constraint* constraint = schema::FindConstraint(column.table, index.constraint());
    AppendUnique(column.table, temporary, create,
                 constraint == nullptr ? v1::DEFERRAL_UNSPECIFIED : DeferralOf(constraint->definition()),
                 steps);
    last.push_back({"ALTER TABLE ", relation, " RENAME CONSTRAINT ", SqlText::Name(temporary), " TO ",
                    SqlText::Name(index.constraint())});
  }
  return absl::OkStatus();
}

// A CHECK or a foreign key.
absl::Status AppendConstraintTwin(const Succession& column, const v1::Constraint& constraint,
                                  StepList* steps) {
  const TableName name = schema::NameOf(column.table);
  const SqlText relation = SqlText::Name(name);
  const std::string temporary = Temporary(column, constraint.name());
  const bool foreign = constraint.type() == v1::CONSTRAINT_TYPE_FOREIGN_KEY;
  SqlText add;
  if (foreign) {
    ASSIGN_OR_RETURN(add, sql::RewriteForeignKey(constraint.definition(), {column.from.name(), column.to},
                                                 name, temporary));
  } else {
    ASSIGN_OR_RETURN(sql::Expression old_check, sql::CheckExpression(constraint.definition()));
    ASSIGN_OR_RETURN(sql::Expression check,
                     old_check.Substitute({{column.from.name(), sql::Expression::Column(column.to)}}));
    add = {"ALTER TABLE ",     relation,
           " ADD CONSTRAINT ", SqlText::Name(temporary),
           " CHECK (",         SqlText::Verified(check.text()),
           ") NOT VALID"};
  }
  const size_t first = steps->steps().size();
  if (constraint.validated()) {
    AppendValidated(column.table, temporary, add, steps);
  } else {
    AppendNotValid(column.table, temporary, add, steps);
  }
  if (foreign) {
    // Adding one also locks the table that it references.
    v1::TableLock* lock = steps->steps()[first].add_locks();
    lock->set_table(constraint.referenced_table());
    lock->set_mode(kShareRowExclusive);
  }
  steps->Work(column.table)
      ->after_finish.push_back({"ALTER TABLE ", relation, " RENAME CONSTRAINT ", SqlText::Name(temporary),
                                " TO ", SqlText::Name(constraint.name())});
  return absl::OkStatus();
}

absl::Status AppendStatisticsTwin(const Succession& column, const v1::Statistics& statistics,
                                  StepList* steps) {
  const TableName name = schema::NameOf(column.table);
  const TableName temporary{name.schema, Temporary(column, statistics.name())};
  ASSIGN_OR_RETURN(SqlText create, sql::RewriteStatistics(statistics.definition(),
                                                          {column.from.name(), column.to}, temporary));
  v1::Step* step =
      steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("create statistics like ", sql::Ident(statistics.name()),
                                                   " on the new ", sql::Ident(column.name)));
  SetSql(step->mutable_action(), {create});
  SetSql(step->mutable_undo(), {{"DROP STATISTICS IF EXISTS ", SqlText::Name(temporary)}});
  AddLock(step, name, kShareUpdateExclusive);
  // Statistics over several columns outlive neither: the old object goes with its column.
  std::vector<SqlText>& last = steps->Work(column.table)->after_finish;
  last.push_back({"DROP STATISTICS IF EXISTS ", SqlText::Name(name.schema, statistics.name())});
  last.push_back(
      {"ALTER STATISTICS ", SqlText::Name(temporary), " RENAME TO ", SqlText::Name(statistics.name())});
  return absl::OkStatus();
}

void Rewrite(v1::Index* index, ColumnChange change) {
  auto text = sql::RewriteIndex(index->definition(), change, index->name());
  if (text.ok()) index->set_definition(text->str());
}

void Rewrite(v1::Statistics* statistics, ColumnChange change) {
  auto text = sql::RewriteStatistics(statistics->definition(), change, {"public", statistics->name()});
  if (text.ok()) statistics->set_definition(text->str());
}

// Of a UNIQUE constraint: columns stand in parentheses only, and nothing else does.
std::string RenameInLists(const std::string& definition, ColumnChange change) {
  const auto tokens = sql::Scan(definition);
  if (!tokens.ok()) return definition;
  std::string renamed;
  int end = 0, depth = 0;
  for (const sql::Token& token : *tokens) {
    const absl::string_view word = absl::string_view(definition).substr(token.start, token.end - token.start);
    depth += word == "(" ? 1 : word == ")" ? -1 : 0;
    absl::StrAppend(
        &renamed, absl::string_view(definition).substr(end, token.start - end),
        depth > 0 && sql::TokenName(word) == change.from ? sql::Ident(change.to) : std::string(word));
    end = token.end;
  }
  return renamed + definition.substr(end);
}

void Rewrite(v1::Constraint* constraint, ColumnChange change) {
  if (constraint->type() == v1::CONSTRAINT_TYPE_FOREIGN_KEY) {
    constexpr absl::string_view kAdd = "ALTER TABLE s.t ADD CONSTRAINT k ";
    auto text = sql::RewriteForeignKey(constraint->definition(), change, {"s", "t"}, "k");
    if (text.ok()) constraint->set_definition(text->str().substr(kAdd.size()));
  } else if (constraint->type() == v1::CONSTRAINT_TYPE_CHECK) {
    auto check = sql::CheckExpression(constraint->definition());
    if (!check.ok()) return;
    auto carried = check->Substitute({{std::string(change.from), sql::Expression::Column(change.to)}});
    if (carried.ok()) constraint->set_definition(absl::StrCat("CHECK (", carried->text(), ")"));
  } else {
    constraint->set_definition(RenameInLists(constraint->definition(), change));
  }
}

}  // namespace

absl::Status CheckTwins(const CompileContext& context, const Succession& column, absl::string_view way_out) {
  for (const v1::Index& index : column.table.indexes()) {
    if (Carried(column, index)) RETURN_IF_ERROR(CheckIndex(column, index, way_out));
  }
  for (const v1::Constraint& constraint : column.table.constraints()) {
    if (Carried(column, constraint)) RETURN_IF_ERROR(CheckConstraint(column, constraint, way_out));
  }
  for (const v1::Statistics& statistics : column.table.statistics()) {
    if (!Carried(column, statistics) || SameFamily(column.from.type(), column.type)) continue;
    if (UsageOf(statistics.definition(), column.from.name()).in_expression) {
      return Refuse(column,
                    absl::StrCat("statistics object ", sql::Ident(statistics.name()),
                                 " uses it in an expression, which is about the old type"),
                    way_out);
    }
  }
  if (column.name != column.from.name()) return absl::OkStatus();
  // A column that keeps its name: what an earlier operation of the stage has carried is not there yet.
  const v1::Table* now = schema::FindTable(context.now, schema::NameOf(column.table));
  auto check = [&](const auto& objects, const auto& objects_now) {
    for (const auto& object : objects) {
      if (!Carried(column, object)) continue;
      for (const auto& other : objects_now) {
        if (other.name() == object.name() && other.SerializeAsString() != object.SerializeAsString()) {
          return NeedsLaterStage(absl::StrCat(sql::Ident(object.name()), " on column ",
                                              sql::Ident(column.from.name()),
                                              " is changed by an operation before this one"));
        }
      }
    }
    return absl::OkStatus();
  };
  if (now == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(check(column.table.indexes(), now->indexes()));
  RETURN_IF_ERROR(check(column.table.constraints(), now->constraints()));
  return check(column.table.statistics(), now->statistics());
}

absl::Status AppendTwins(const CompileContext& context, const Succession& column, StepList* steps) {
  const v1::Table* after = schema::FindTable(context.after, schema::NameOf(column.table));
  if (after == nullptr) return absl::OkStatus();
  for (const v1::Index& index : column.table.indexes()) {
    if (!Carried(column, index) ||
        FateOf(context, column, after->indexes(), index.name(), index.columns()) != Fate::kStays) {
      continue;
    }
    RETURN_IF_ERROR(AppendIndexTwin(column, index, steps));
  }
  for (const v1::Constraint& constraint : column.table.constraints()) {
    if (!Carried(column, constraint) || constraint.type() == v1::CONSTRAINT_TYPE_UNIQUE ||
        constraint.type() == v1::CONSTRAINT_TYPE_PRIMARY_KEY ||
        FateOf(context, column, after->constraints(), constraint.name(), constraint.columns()) !=
            Fate::kStays) {
      continue;
    }
    RETURN_IF_ERROR(AppendConstraintTwin(column, constraint, steps));
  }
  for (const v1::Statistics& statistics : column.table.statistics()) {
    if (!Carried(column, statistics) || FateOf(context, column, after->statistics(), statistics.name(),
                                               statistics.columns()) != Fate::kStays) {
      continue;
    }
    RETURN_IF_ERROR(AppendStatisticsTwin(column, statistics, steps));
  }
  return absl::OkStatus();
}

bool UsesInExpression(absl::string_view definition, absl::string_view column) {
  return UsageOf(definition, column).in_expression;
}

void RenameInDefinitions(absl::string_view from, absl::string_view to, const std::set<std::string>& discard,
                         v1::Table* table) {
  auto carry = [&](auto* objects, auto sorted) {
    for (int i = objects->size() - 1; i >= 0; --i) {
      auto* object = objects->Mutable(i);
      if (!Holds(object->columns(), from)) continue;
      if (discard.count(object->name()) > 0) {
        objects->DeleteSubrange(i, 1);
        continue;
      }
      if (from == to) continue;
      Rewrite(object, {from, to});
      for (std::string& column : *object->mutable_columns()) {
        if (column == from) column = std::string(to);
      }
      if (sorted(*object)) std::sort(object->mutable_columns()->begin(), object->mutable_columns()->end());
    }
  };
  carry(table->mutable_indexes(), [](const v1::Index&) { return true; });
  carry(table->mutable_constraints(),
        [](const v1::Constraint& c) { return c.type() == v1::CONSTRAINT_TYPE_CHECK; });
  carry(table->mutable_statistics(), [](const v1::Statistics&) { return true; });
}

}  // namespace curlew::operations
