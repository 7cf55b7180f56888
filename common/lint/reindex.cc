#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/statements.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

void ReindexIndex(Effects& e, Oid oid, bool concurrently) {
  const Relation& index = *e.catalogue.relation(oid);
  const Oid table = index.index.table;
  const std::string name = e.QuotedName(index);
  if (index.assumed) {
    // Which table it belongs to is not known here: writes to it wait.
    e.Lock(oid, concurrently ? LockMode::kShareUpdateExclusive : LockMode::kAccessExclusive);
    if (!concurrently)
      e.BuildIndex(oid,
                   absl::StrCat("the index ", name,
                                " is built anew, and nobody can read or write its table meanwhile"),
                   absl::StrCat("REINDEX INDEX CONCURRENTLY ", name, ";"));
    e.scans = true;
    return;
  }
  if (concurrently) {
    e.Lock({table, oid}, LockMode::kShareUpdateExclusive);
    e.LockBriefly(oid, LockMode::kAccessExclusive);
    e.BuildIndex(table, absl::StrCat("the index ", name, " is built anew"));
    return;
  }
  e.Lock(table, LockMode::kShare);
  e.Lock(oid, LockMode::kAccessExclusive);
  e.BuildIndex(table,
               absl::StrCat("the index ", name,
                            " is built anew under a lock: writes of its table wait, and so does every query "
                            "that is planned meanwhile"),
               absl::StrCat("REINDEX INDEX CONCURRENTLY ", name, ";"));
}

void ReindexTable(Effects& e, Oid table, bool concurrently) {
  e.Lock(table, concurrently ? LockMode::kShareUpdateExclusive : LockMode::kShare);
  for (Oid index : e.catalogue.Indexes(table)) {
    const Relation& r = *e.catalogue.relation(index);
    if (concurrently && r.index.exclusion) e.Lock(index, LockMode::kShareUpdateExclusive);
    if (r.kind != 'i' || (concurrently && (r.index.exclusion || !r.index.valid))) continue;
    ReindexIndex(e, index, concurrently);
  }
  if (e.catalogue.relation(table)->assumed) {
    e.BuildIndex(table, absl::StrCat("all indexes of ", e.Name(table), " are built anew"),
                 concurrently ? "" : absl::StrCat("REINDEX TABLE CONCURRENTLY ", e.Name(table), ";"));
  }
}

absl::Status ReindexNamedIndex(Effects& e, const pg_query::ReindexStmt& reindex, bool concurrently) {
  Relation* index = FindRelation(e, reindex.relation(), Assume::kIndex);
  if (index == nullptr)
    return e.Fail("42P01", absl::StrCat("relation \"", reindex.relation().relname(), "\" does not exist"));
  if (!index->IsIndex()) return e.Fail("42809", absl::StrCat("\"", index->name, "\" is not an index"));
  const Oid oid = index->oid, table = index->index.table;
  if (index->kind == 'I') {
    e.transactional = false;
    e.Lock(table, concurrently ? LockMode::kShareUpdateExclusive : LockMode::kShare);
    e.Lock(oid, concurrently ? LockMode::kShareUpdateExclusive : LockMode::kAccessExclusive);
    for (Oid part : e.catalogue.AllInheritors(oid)) {
      if (part == oid) continue;
      e.Lock(part, LockMode::kShare);
      if (e.catalogue.relation(part)->kind == 'i') ReindexIndex(e, part, concurrently);
    }
    return absl::OkStatus();
  }
  if (concurrently && index->index.exclusion) {
    e.Lock({table, oid}, LockMode::kShareUpdateExclusive);
    return e.Fail("0A000", "concurrent index creation for exclusion constraints is not supported");
  }
  ReindexIndex(e, oid, concurrently);
  return absl::OkStatus();
}

}  // namespace

absl::Status LintReindex(Effects& e, const pg_query::ReindexStmt& reindex) {
  const bool concurrently = HasOption(reindex.params(), "concurrently");
  if (concurrently) e.transactional = false;
  switch (reindex.kind()) {
    case pg_query::REINDEX_OBJECT_INDEX:
      return ReindexNamedIndex(e, reindex, concurrently);
    case pg_query::REINDEX_OBJECT_TABLE: {
      ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, reindex.relation()));
      const Oid oid = r->oid;
      if (r->kind == 'v' || r->kind == 'S' || r->IsIndex())
        return e.Fail("42809", absl::StrCat("\"", r->name, "\" is not a table or materialized view"));
      if (r->kind != 'p') {
        ReindexTable(e, oid, concurrently);
        return absl::OkStatus();
      }
      e.transactional = false;
      e.Lock(oid, concurrently ? LockMode::kShareUpdateExclusive : LockMode::kShare);
      for (Oid part : e.catalogue.AllInheritors(oid)) {
        if (part == oid) continue;
        e.Lock(part, LockMode::kShare);
        if (e.catalogue.relation(part)->kind == 'r') ReindexTable(e, part, concurrently);
      }
      return absl::OkStatus();
    }
    default: {
      e.transactional = false;
      if (reindex.kind() == pg_query::REINDEX_OBJECT_SYSTEM) return absl::OkStatus();
      std::vector<Oid> tables;
      for (const auto& [oid, r] : e.catalogue.relations) {
        if ((r.kind == 'r' || r.kind == 'm') &&
            (reindex.kind() != pg_query::REINDEX_OBJECT_SCHEMA || r.schema == reindex.name()))
          tables.push_back(oid);
      }
      for (Oid table : tables) ReindexTable(e, table, concurrently);
      if (!e.catalogue.complete) {
        e.scans = true;
        e.blocks_unseen_reads = e.blocks_unseen_writes = !concurrently;
        if (!concurrently)
          e.Warn(
              "blocks-writes", Severity::kError,
              "all indexes of many tables are built anew, and nobody can write, or plan a query, meanwhile",
              "REINDEX ... CONCURRENTLY");
      }
      return absl::OkStatus();
    }
  }
}

}  // namespace curlew::lint
