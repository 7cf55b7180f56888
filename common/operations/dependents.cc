#include "common/operations/dependents.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operation.h"
#include "common/operations/step_list.h"
#include "common/schema/schema.h"
#include "common/sql/parser.h"

namespace curlew::operations {
namespace {

// Removes the elements of a repeated field that use `column`.
template <typename Repeated>
void EraseUsers(Repeated* elements, absl::string_view column) {
  elements->erase(std::remove_if(elements->begin(), elements->end(),
                                 [&](const auto& e) { return Holds(e.columns(), column); }),
                  elements->end());
}

}  // namespace

absl::Status CheckNothingFixed(const v1::Table& table, const v1::Column& column, PrimaryKey primary_key) {
  auto refuse = [&](absl::string_view what, absl::string_view way_out) {
    return absl::FailedPreconditionError(absl::StrCat("column ", sql::Ident(column.name()), " of ",
                                                      schema::NameOf(table).Quoted(), ": ", what, "; ",
                                                      way_out));
  };
  if (!table.partition_key().empty()) {
    auto tokens = sql::Scan(table.partition_key());
    if (!tokens.ok()) return refuse("the partition key cannot be read", "use a `sql` operation");
    for (const sql::Token& token : *tokens) {
      if (sql::TokenName(
              absl::string_view(table.partition_key()).substr(token.start, token.end - token.start)) ==
          column.name()) {
        return refuse(absl::StrCat("the table is partitioned by it, ", table.partition_key()),
                      "PostgreSQL cannot change a partition key; build a new table and move the rows");
      }
    }
  }
  for (const v1::Constraint& c : table.constraints()) {
    if (primary_key == PrimaryKey::kRefused && c.type() == v1::CONSTRAINT_TYPE_PRIMARY_KEY &&
        Holds(c.columns(), column.name())) {
      return refuse(absl::StrCat("it belongs to the primary key ", sql::Ident(c.name())),
                    "a primary key cannot be changed by this operation; keep the column");
    }
  }
  for (const v1::Index& index : table.indexes()) {
    if (Holds(index.columns(), column.name()) &&
        table.replica_identity() == absl::StrCat("index ", index.name())) {
      return refuse(absl::StrCat("index ", sql::Ident(index.name()), " is the table's replica identity"),
                    "choose another replica identity first (ALTER TABLE ... REPLICA IDENTITY)");
    }
  }
  for (const v1::Constraint& key : table.referenced_by()) {
    if (Holds(key.referenced_columns(), column.name())) {
      return refuse(
          absl::StrCat("foreign key ", sql::Ident(key.name()), " of ", key.table(), " references it"),
          "drop that foreign key first, in a plan of its own");
    }
  }
  for (const v1::Constraint& key : table.constraints()) {
    const auto referenced = sql::ParseTableName(key.referenced_table());
    if (referenced.ok() && *referenced == schema::NameOf(table) &&
        Holds(key.referenced_columns(), column.name())) {
      return refuse(
          absl::StrCat("foreign key ", sql::Ident(key.name()), " of the table itself references it"),
          "drop that foreign key first, in a plan of its own");
    }
  }
  for (const v1::Trigger& trigger : table.triggers()) {
    if (Holds(trigger.columns(), column.name())) {
      return refuse(absl::StrCat("trigger ", sql::Ident(trigger.name()), " names it (UPDATE OF or WHEN)"),
                    "recreate that trigger without the column first");
    }
  }
  for (const v1::Policy& policy : table.policies()) {
    if (Holds(policy.columns(), column.name())) {
      return refuse(absl::StrCat("row-level security policy ", sql::Ident(policy.name()), " uses it"),
                    "recreate that policy without the column first");
    }
  }
  for (const v1::Publication& publication : table.publications()) {
    if (Holds(publication.columns(), column.name())) {
      return refuse(absl::StrCat("publication ", sql::Ident(publication.name()), " lists it"),
                    "take it out of the publication's column list first");
    }
  }
  for (const v1::Dependent& dependent : column.dependents()) {
    return refuse(
        absl::StrCat(dependent.type(), " ", dependent.identity(), " depends on it"),
        "drop or recreate that object without the column first, for example in a `sql` operation of an "
        "earlier plan");
  }
  return absl::OkStatus();
}

absl::Status CheckDiscard(const v1::Table& table, const v1::Column& column,
                          const std::set<std::string>& discard) {
  for (const std::string& name : discard) {
    auto uses = [&](const auto& objects) {
      return std::any_of(objects.begin(), objects.end(), [&](const auto& o) {
        return o.name() == name && Holds(o.columns(), column.name());
      });
    };
    if (!uses(table.indexes()) && !uses(table.constraints()) && !uses(table.statistics())) {
      return absl::FailedPreconditionError(absl::StrCat(
          "discard: ", sql::Ident(name), " is no index, constraint or statistics object on column ",
          sql::Ident(column.name()), " of ", schema::NameOf(table).Quoted(), "; take it out of the list"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDropped(const v1::Table& table, const v1::Column& column,
                          const std::set<std::string>& discard) {
  RETURN_IF_ERROR(CheckNothingFixed(table, column));
  RETURN_IF_ERROR(CheckDiscard(table, column, discard));
  auto check = [&](absl::string_view kind, const auto& objects) -> absl::Status {
    for (const auto& object : objects) {
      if (!Holds(object.columns(), column.name()) || object.columns_size() < 2 ||
          discard.count(object.name()) > 0)
        continue;
      return absl::FailedPreconditionError(
          absl::StrCat("column ", sql::Ident(column.name()), " of ", schema::NameOf(table).Quoted(), ": ",
                       kind, " ", sql::Ident(object.name()),
                       " covers other columns too and would go with it; add it to `discard`, or replace "
                       "it in a plan before this one"));
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(check("index", table.indexes()));
  RETURN_IF_ERROR(check("constraint", table.constraints()));
  return check("statistics object", table.statistics());
}

absl::Status CheckAllDiscarded(const v1::Table& table, const std::vector<const v1::Column*>& columns,
                               const std::set<std::string>& discard) {
  std::set<std::string> used;
  auto check = [&](absl::string_view kind, const auto& objects) -> absl::Status {
    for (const auto& object : objects) {
      for (const v1::Column* column : columns) {
        if (!Holds(object.columns(), column->name())) continue;
        used.insert(object.name());
        if (discard.count(object.name()) > 0) continue;
        return absl::FailedPreconditionError(
            absl::StrCat("column ", sql::Ident(column->name()), " of ", schema::NameOf(table).Quoted(), ": ",
                         kind, " ", sql::Ident(object.name()),
                         " goes with it; add it to `discard`, and what should hold for the new columns as an "
                         "operation of its own"));
      }
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(check("constraint", table.constraints()));
  RETURN_IF_ERROR(check("index", table.indexes()));
  RETURN_IF_ERROR(check("statistics object", table.statistics()));
  for (const std::string& name : discard) {
    if (used.count(name) > 0) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("discard: ", sql::Ident(name), " is no index, constraint or statistics object on ",
                     columns.size() == 1 ? "the column" : "one of the columns", " of ",
                     schema::NameOf(table).Quoted(), "; take it out of the list"));
  }
  return absl::OkStatus();
}

void AppendPartitionsPreflight(const v1::Table& table, absl::string_view column, StepList* steps) {
  if (table.kind() != v1::TABLE_KIND_PARTITIONED) return;
  const sql::SqlText relation = {sql::SqlText::String(schema::NameOf(table).Quoted()),
                                 "::pg_catalog.regclass"};
  AppendCataloguePreflight(
      table,
      absl::StrCat("nothing stands on column ", sql::Ident(column), " of a partition of ",
                   schema::NameOf(table).Quoted(), " alone"),
      {"WITH own AS (SELECT a.attrelid, a.attnum FROM pg_catalog.pg_partition_tree(", relation,
       ") AS p JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.relid WHERE p.level > 0 AND a.attname = ",
       sql::SqlText::String(column),
       ") SELECT (SELECT count(*) FROM own JOIN pg_catalog.pg_partitioned_table AS k ON k.partrelid = "
       "own.attrelid "
       "WHERE own.attnum = ANY (k.partattrs)) + (SELECT count(*) FROM own JOIN pg_catalog.pg_depend AS d ON "
       "d.refclassid "
       "= 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = own.attrelid AND d.refobjsubid = "
       "own.attnum WHERE "
       "d.classid <> 'pg_catalog.pg_attrdef'::pg_catalog.regclass "
       // What the table hands down to its partitions.
       "AND NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE d.classid = "
       "'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid AND (c.relispartition OR c.oid = "
       "own.attrelid)) "
       "AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS c WHERE d.classid = "
       "'pg_catalog.pg_constraint'::pg_catalog.regclass AND c.oid = d.objid AND (c.conparentid <> 0 OR "
       "c.coninhcount > "
       "0)) AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS c WHERE d.classid = "
       "'pg_catalog.pg_trigger'::pg_catalog.regclass AND c.oid = d.objid AND c.tgparentid <> 0))"},
      "Drop these indexes, constraints, views and the like of the partitions first, then resume the rollout.",
      steps);
}

void RemoveColumn(v1::Table* table, absl::string_view column) {
  EraseUsers(table->mutable_indexes(), column);
  EraseUsers(table->mutable_constraints(), column);
  EraseUsers(table->mutable_statistics(), column);
  auto* columns = table->mutable_columns();
  columns->erase(
      std::remove_if(columns->begin(), columns->end(), [&](const auto& c) { return c.name() == column; }),
      columns->end());
}

void AppendReferencedLocks(const v1::Table& table, absl::string_view column, TableWork* work) {
  for (const v1::Constraint& c : table.constraints()) {
    if (c.type() == v1::CONSTRAINT_TYPE_FOREIGN_KEY && Holds(c.columns(), column)) {
      work->finish_locks.push_back(c.referenced_table());
    }
  }
}

}  // namespace curlew::operations
