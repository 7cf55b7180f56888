#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/alter_table.h"
#include "common/lint/bounds.h"
#include "common/lint/partition.h"
#include "common/sql/identifier.h"

namespace curlew::lint {
namespace {

// Whether `relation` is `above` or inherits from it.
bool IsBelow(const Catalogue& c, Oid relation, Oid above) {
  const std::vector<Oid> all = c.AllInheritors(above);
  return std::count(all.begin(), all.end(), relation) > 0;
}

}  // namespace

std::vector<std::string> KeyColumns(const Relation& partitioned) {
  std::vector<std::string> names;
  for (int key : partitioned.key_columns) {
    const Column* column = partitioned.ByNumber(key);
    names.push_back(column == nullptr ? "" : column->name);
  }
  return names;
}

void LockOverParts(Effects& e, Oid parent, const Bound& bound) {
  const auto it = e.catalogue.default_partition.find(parent);
  if (it == e.catalogue.default_partition.end()) return;
  const Oid by_default = it->second;
  e.Lock(by_default, LockMode::kAccessExclusive);
  if (bound.strategy == 'd') return;
  const std::vector<std::string> keys = KeyColumns(*e.catalogue.relation(parent));
  for (Oid part : e.catalogue.AllInheritors(by_default)) {
    const Relation& r = *e.catalogue.relation(part);
    if (ExcludesBound(e, r, bound, keys)) continue;
    e.Lock(part, LockMode::kAccessExclusive);
    e.Scan(part,
           absl::StrCat("the default partition ", e.QuotedName(r),
                        " is read for rows that belong into the new one"),
           absl::StrCat("-- first a CHECK on ", e.QuotedName(r),
                        " that excludes the new bound, NOT VALID, then VALIDATE"));
  }
}

absl::Status CheckOverlap(Effects& e, Oid parent, const Bound& bound, absl::string_view name) {
  if (bound.strategy == 'd' && e.catalogue.default_partition.count(parent) > 0)
    return e.Fail("42P17",
                  absl::StrCat("partition \"", name, "\" conflicts with existing default partition"));
  for (Oid part : e.catalogue.Children(parent)) {
    const auto other = ParseBound(e.catalogue.relation(part)->bound);
    if (other.has_value() && Overlap(bound, *other))
      return e.Fail("42P17", absl::StrCat("partition \"", name, "\" would overlap partition \"",
                                          e.catalogue.relation(part)->name, "\""));
  }
  return absl::OkStatus();
}

absl::Status AlterTable::Attach(const Cmd& cmd) {
  Catalogue& c = e_.catalogue;
  const auto& command = cmd.def().partition_cmd();
  ASSIGN_OR_RETURN(Relation * part, NeedRelation(e_, command.name()));
  const Oid oid = part->oid;
  if (table().kind != 'p' && !table().assumed)
    return e_.Fail("42809", absl::StrCat("table \"", table().name, "\" is not partitioned"));
  e_.Lock(oid, LockMode::kAccessExclusive);
  if (part->partition) return e_.Fail("42809", absl::StrCat("\"", part->name, "\" is already a partition"));
  if (!part->assumed && !c.Parents(oid).empty())
    return e_.Fail("42809", "cannot attach inheritance child as partition");
  e_.Lock(c.AllInheritors(oid), LockMode::kAccessExclusive);
  if (IsBelow(c, table_, oid)) return e_.Fail("42P07", "circular inheritance not allowed");
  const Bound bound = BoundOf(command.bound());
  // Names of columns that the parent has and the part lacks, or that are NOT NULL there alone.
  if (!table().assumed && !part->assumed) {
    for (const Column& column : table().columns) {
      const Column* own = part->Find(column.name);
      if (own == nullptr)
        return e_.Fail("42804", absl::StrCat("child table is missing column \"", column.name, "\""));
      if (own->type != column.type || own->typmod != column.typmod)
        return e_.Fail("42804", absl::StrCat("child table \"", part->name,
                                             "\" has different type for column \"", column.name, "\""));
      if (column.not_null && !own->not_null)
        return e_.Fail("42804",
                       absl::StrCat("column \"", column.name, "\" in child table must be marked NOT NULL"));
    }
    for (const Column& own : part->columns) {
      if (table().Find(own.name) == nullptr)
        return e_.Fail("42804", absl::StrCat("table \"", part->name, "\" contains column \"", own.name,
                                             "\" not found in parent \"", table().name, "\""));
    }
    for (const auto& [id, check] : c.constraints) {
      if (check.table != table_ || check.kind != 'c' || check.no_inherit) continue;
      const bool there =
          std::any_of(c.constraints.begin(), c.constraints.end(), [&, n = check.name](const auto& other) {
            return other.second.table == oid && other.second.kind == 'c' && other.second.name == n;
          });
      if (!there)
        return e_.Fail("42804", absl::StrCat("child table is missing constraint \"", check.name, "\""));
    }
  }
  const auto by_default = c.default_partition.find(table_);
  if (by_default != c.default_partition.end()) e_.Lock(by_default->second, LockMode::kAccessExclusive);
  RETURN_IF_ERROR(CheckOverlap(e_, table_, bound, part->name));
  RETURN_IF_ERROR(EnsureIndexes(e_, table_, oid));
  RETURN_IF_ERROR(ForeignKeysOfNewPartition(table_, oid));
  const std::vector<std::string> keys = KeyColumns(table());
  for (Oid leaf : c.AllInheritors(oid)) {
    const Relation& r = *c.relation(leaf);
    if (r.kind == 'p') continue;
    if (r.assumed ? false : ProvesBound(e_, r, bound, keys)) continue;
    const std::string name = e_.QuotedName(r);
    Scan(leaf, absl::StrCat("all rows of ", name, " are read to see that they belong into the partition"),
         absl::StrCat("ALTER TABLE ", name, " ADD CONSTRAINT ", sql::Ident(r.name + "_bound"),
                      " CHECK (... the bound, and IS NOT NULL ...) NOT VALID;\nALTER TABLE ", name,
                      " VALIDATE CONSTRAINT ", sql::Ident(r.name + "_bound"),
                      ";\n-- then ATTACH needs no scan"));
  }
  LockOverParts(e_, table_, bound);
  Relation& added = *c.relation(oid);
  added.partition = true;
  c.inheritance.push_back({oid, table_, false});
  if (bound.strategy == 'd') c.default_partition[table_] = oid;
  return absl::OkStatus();
}

bool ServesParent(const Catalogue& c, const Relation& own, const Relation& wanted) {
  if (own.partition || !own.index.valid || own.index.unique != wanted.index.unique ||
      own.index.primary != wanted.index.primary || own.index.method != wanted.index.method ||
      own.index.columns.size() != wanted.index.columns.size() ||
      own.index.key_count != wanted.index.key_count || own.index.predicate != wanted.index.predicate ||
      own.index.expressions != wanted.index.expressions)
    return false;
  const Relation* part = c.relation(own.index.table);
  const Relation* parent = c.relation(wanted.index.table);
  if (part == nullptr || parent == nullptr) return false;
  for (size_t i = 0; i < own.index.columns.size(); ++i) {
    const Column* a = part->ByNumber(own.index.columns[i]);
    const Column* b = parent->ByNumber(wanted.index.columns[i]);
    if ((a == nullptr) != (b == nullptr) || (a != nullptr && a->name != b->name)) return false;
  }
  // Those of an index of the script are not known.
  return own.index.opclasses.empty() || wanted.index.opclasses.empty() ||
         own.index.opclasses == wanted.index.opclasses;
}

absl::Status EnsureIndexes(Effects& e, Oid parent, Oid part) {
  Catalogue& c = e.catalogue;
  // Keys that reference the parent look at the new partition too.
  for (const auto& [oid, key] : c.constraints) {
    if (key.kind == 'f' && key.referenced == parent && key.table != parent)
      e.Lock(key.table, LockMode::kShareRowExclusive);
  }
  e.LockIndexes(part, LockMode::kAccessShare);
  std::vector<Oid> free = c.Indexes(part);
  for (Oid index : c.Indexes(parent)) {
    e.Lock(index, LockMode::kAccessShare);
    const Relation wanted = *c.relation(index);
    Relation& r = *c.relation(part);
    if (r.kind == 'p' && wanted.index.unique) {
      for (int key : r.key_columns) {
        const Column* own = r.ByNumber(key);
        const Column* above = own == nullptr ? nullptr : c.relation(parent)->Find(own->name);
        if (above != nullptr &&
            std::count(wanted.index.columns.begin(), wanted.index.columns.end(), above->number) == 0)
          return e.Fail("0A000",
                        "unique constraint on partitioned table must include all partitioning columns");
      }
    }
    e.Lock(index, LockMode::kShareUpdateExclusive);
    const auto match = std::find_if(free.begin(), free.end(), [&](Oid candidate) {
      return ServesParent(c, *c.relation(candidate), wanted);
    });
    if (match != free.end()) {
      c.relation(*match)->partition = true;
      free.erase(match);
      continue;
    }
    for (Oid leaf : c.AllInheritors(part)) {
      e.BuildIndex(leaf,
                   absl::StrCat("the index ", wanted.name, " of the parent is built for ", e.Name(leaf)),
                   absl::StrCat("CREATE INDEX CONCURRENTLY ... ON ", e.Name(leaf), " ...;  -- like ",
                                wanted.name, ", before it is attached"));
    }
    std::vector<std::string> columns;
    for (int number : wanted.index.columns) {
      const Column* column = c.relation(parent)->ByNumber(number);
      columns.push_back(column == nullptr ? "" : column->name);
    }
    const Oid made = NewIndex(e, r, absl::StrCat(r.name, "_", wanted.name), wanted.index.unique,
                              wanted.index.primary, columns);
    c.relation(made)->partition = true;
    c.Depend({kPgClass, made, 0}, {kPgClass, index, 0}, 'P');
  }
  return absl::OkStatus();
}

absl::Status AlterTable::Detach(const Cmd& cmd) {
  Catalogue& c = e_.catalogue;
  const auto& command = cmd.def().partition_cmd();
  const bool finalize = cmd.subtype() == pg_query::AT_DetachPartitionFinalize;
  const bool concurrent = command.concurrent();
  if (concurrent) e_.transactional = false;
  ASSIGN_OR_RETURN(Relation * part, NeedRelation(e_, command.name()));
  const Oid oid = part->oid;
  if (const auto it = c.default_partition.find(table_); it != c.default_partition.end() && !finalize) {
    if (concurrent)
      return e_.Fail("55000", "cannot detach partitions concurrently when a default partition exists");
    e_.Lock(it->second, LockMode::kAccessExclusive);
  }
  std::vector<Oid> referenced, referencing;
  for (const auto& [id, key] : c.constraints) {
    if (key.kind == 'f' && key.table == oid && key.parent != 0) referenced.push_back(key.referenced);
    if (key.kind == 'f' && key.referenced == table_) referencing.push_back(key.table);
  }
  const bool waits = !referenced.empty() || !concurrent;
  const bool is_part =
      part->assumed || std::any_of(c.inheritance.begin(), c.inheritance.end(), [&](const Inheritance& i) {
        return i.child == oid && i.parent == table_;
      });
  const auto lock = [&](Oid relation) {
    waits ? e_.Lock(relation, LockMode::kAccessExclusive)
          : e_.LockBriefly(relation, LockMode::kAccessExclusive);
  };
  if (concurrent) e_.Lock(oid, LockMode::kShareUpdateExclusive);
  if (is_part || !concurrent) lock(oid);
  bool pending = false, child = part->assumed;
  for (const Inheritance& i : c.inheritance) {
    if (i.child == oid && i.parent == table_) {
      child = true;
      pending = i.detach_pending;
    }
  }
  if (!child)
    return e_.Fail(
        "42P01", absl::StrCat("relation \"", part->name, "\" is not a partition of relation ", TableName()));
  if (finalize && !pending)
    return e_.Fail("55000", absl::StrCat("cannot complete detaching partition \"", part->name, "\""));
  for (Oid table : referencing) {
    // Its rows must not reference the part that goes; then its copy of the key for that part is dropped.
    e_.Lock(table, LockMode::kAccessExclusive);
    e_.LockIndexes(table, LockMode::kAccessShare);
    e_.Scan(table, absl::StrCat("every row of ", e_.Name(table), " is looked up in ", e_.Name(oid)));
  }
  e_.Lock(referenced, LockMode::kShareRowExclusive);
  for (Oid index : c.Indexes(oid)) {
    if (c.relation(index)->partition) lock(index);
  }
  std::erase_if(c.inheritance, [&](const Inheritance& i) { return i.child == oid && i.parent == table_; });
  c.relation(oid)->partition = false;
  if (!e_.IsNew(oid))
    e_.Warn("breaks-applications", Severity::kWarning,
            absl::StrCat("the rows of ", e_.Name(oid), " are no longer seen in ", TableName()));
  return absl::OkStatus();
}

absl::Status AlterTable::AttachIndex(const Cmd& cmd) {
  Relation* part = FindRelation(e_, cmd.def().partition_cmd().name(), Assume::kIndex);
  if (part == nullptr) return e_.Fail("42P01", "the index to attach does not exist");
  const Relation wanted = table();
  e_.Lock(part->index.table, LockMode::kAccessShare);
  e_.Lock(part->oid, LockMode::kAccessExclusive);
  e_.Lock(table().index.table, LockMode::kAccessShare);
  if (!part->assumed && !wanted.assumed && !part->partition && !ServesParent(e_.catalogue, *part, wanted))
    return e_.Fail("55000", absl::StrCat("cannot attach index \"", part->name,
                                         "\" as a partition of index \"", wanted.name, "\""));
  if (IsBelow(e_.catalogue, table_, part->oid)) return e_.Fail("42P07", "circular inheritance not allowed");
  part->partition = true;
  e_.catalogue.inheritance.push_back({part->oid, table_, false});
  e_.catalogue.Depend({kPgClass, part->oid, 0}, {kPgClass, table_, 0}, 'P');
  return absl::OkStatus();
}

absl::Status AlterTable::Inherit(const Cmd& cmd) {
  ASSIGN_OR_RETURN(Relation * parent, NeedRelation(e_, cmd.def().range_var()));
  e_.Lock(parent->oid, LockMode::kShareUpdateExclusive);
  if (parent->kind == 'p') return e_.Fail("42809", "cannot inherit from partitioned table");
  if (IsBelow(e_.catalogue, parent->oid, table_)) return e_.Fail("42P07", "circular inheritance not allowed");
  for (const Column& column : parent->columns) {
    if (table().assumed || parent->assumed) break;
    const Column* own = table().Find(column.name);
    if (own == nullptr)
      return e_.Fail("42804", absl::StrCat("child table is missing column \"", column.name, "\""));
    if (column.not_null && !own->not_null)
      return e_.Fail("42804",
                     absl::StrCat("column \"", column.name, "\" in child table must be marked NOT NULL"));
  }
  e_.catalogue.inheritance.push_back({table_, parent->oid, false});
  return absl::OkStatus();
}

absl::Status AlterTable::Disinherit(const Cmd& cmd) {
  if (table().partition) return e_.Fail("42809", "cannot change inheritance of a partition");
  ASSIGN_OR_RETURN(Relation * parent, NeedRelation(e_, cmd.def().range_var()));
  e_.Lock(parent->oid, LockMode::kAccessShare);
  const Oid oid = parent->oid;
  const size_t removed = std::erase_if(
      e_.catalogue.inheritance, [&](const Inheritance& i) { return i.child == table_ && i.parent == oid; });
  if (removed == 0 && !table().assumed)
    return e_.Fail("42P01",
                   absl::StrCat("relation \"", parent->name, "\" is not a parent of relation ", TableName()));
  return absl::OkStatus();
}

}  // namespace curlew::lint
