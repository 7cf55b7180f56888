#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/deletion.h"
#include "common/lint/statements.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

bool HasStorage(const Relation& r) { return r.kind == 'r' || r.kind == 'm'; }

// --- VACUUM and ANALYZE ---

// Whether a sample of ANALYZE takes in every block of the table.
bool SampleIsAll(const Effects& e, const Relation& r) {
  int64_t target = 100;
  if (const auto it = e.catalogue.settings.find("default_statistics_target");
      it != e.catalogue.settings.end())
    (void)absl::SimpleAtoi(it->second, &target);
  return !r.assumed && r.bytes / 8192 <= 300 * target;
}

void VacuumOne(Effects& e, const Relation& r, bool full, bool analyze, bool vacuum, bool truncate) {
  const Oid oid = r.oid;
  const std::string name = e.QuotedName(r);
  if (vacuum && full) {
    e.Lock(oid, LockMode::kAccessExclusive);
    if (!HasStorage(r)) return;
    e.LockIndexes(oid, LockMode::kAccessExclusive);
    e.Rewrite(oid,
              absl::StrCat("VACUUM FULL writes ", name,
                           " and its indexes anew, and nobody can read or write meanwhile"),
              absl::StrCat("VACUUM ", name, ";"));
    return;
  }
  e.Lock(oid, LockMode::kShareUpdateExclusive);
  if (r.kind == 'p') return;
  e.LockIndexes(oid, vacuum ? LockMode::kRowExclusive : LockMode::kAccessShare);
  if (analyze) {
    // Values of composite types are looked into.
    for (const Column& column : r.columns) {
      const Type* type = e.catalogue.type(column.type);
      if (type != nullptr && type->kind == 'c' && type->relation != 0)
        e.Lock(type->relation, LockMode::kAccessShare);
    }
  }
  if (vacuum) {
    e.scans |= r.has_rows;
    // Empty pages at the end are cut off under a lock that gives way to whoever waits.
    if (truncate && r.dead_fraction > 0.5 && r.options.find("vacuum_truncate=false") == std::string::npos &&
        r.options.find("vacuum_truncate=off") == std::string::npos)
      e.Lock(oid, LockMode::kAccessExclusive);
  } else if (analyze) {
    e.scans |= r.has_rows && SampleIsAll(e, r);
  }
}

absl::Status CheckVacuumOptions(Effects& e, const pg_query::VacuumStmt& vacuum, bool full, bool analyze,
                                bool* truncate) {
  static const auto* const known = new std::set<std::string>{
      "verbose",       "skip_locked",   "analyze",  "freeze",  "full", "disable_page_skipping",
      "index_cleanup", "process_toast", "truncate", "parallel"};
  for (const Node& node : vacuum.options()) {
    const auto& option = node.def_elem();
    if (known->count(option.defname()) == 0)
      return e.Fail("42601", absl::StrCat("unrecognized VACUUM option \"", option.defname(), "\""));
    if (option.defname() == "truncate") *truncate = OptionIsOn(option);
    if (full && option.defname() == "parallel" && ConstantText(option.arg()) != "0")
      return e.Fail("0A000", "VACUUM FULL cannot be performed in parallel");
  }
  for (const Node& rel : vacuum.rels()) {
    if (!analyze && rel.vacuum_relation().va_cols_size() > 0)
      return e.Fail("0A000", "ANALYZE option must be specified when a column list is provided");
  }
  if (full && HasOption(vacuum.options(), "disable_page_skipping")) {
    e.transactional = false;
    return e.Fail("0A000", "VACUUM option DISABLE_PAGE_SKIPPING cannot be used with FULL");
  }
  return absl::OkStatus();
}

absl::Status Vacuum(Effects& e, const pg_query::VacuumStmt& vacuum) {
  const bool is_vacuum = vacuum.is_vacuumcmd();
  const bool full = HasOption(vacuum.options(), "full");
  const bool analyze = !is_vacuum || HasOption(vacuum.options(), "analyze");
  bool truncate = true;
  if (is_vacuum) RETURN_IF_ERROR(CheckVacuumOptions(e, vacuum, full, analyze, &truncate));
  if (is_vacuum) e.transactional = false;
  if (vacuum.rels().empty()) {
    std::vector<Oid> all;
    for (const auto& [oid, r] : e.catalogue.relations) {
      if (HasStorage(r) || (r.kind == 'p' && !full)) all.push_back(oid);
    }
    for (Oid oid : all) VacuumOne(e, *e.catalogue.relation(oid), full, analyze, is_vacuum, truncate);
    return absl::OkStatus();
  }
  for (const Node& rel : vacuum.rels()) {
    const auto& name = rel.vacuum_relation().relation();
    ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, name));
    const Oid oid = r->oid;
    if (!HasStorage(*r) && r->kind != 'p' && r->kind != 'f') {
      // Skipped with a warning.
      e.Lock(oid, is_vacuum ? LockMode::kShareUpdateExclusive : LockMode::kAccessShare);
      continue;
    }
    for (const Node& column : rel.vacuum_relation().va_cols()) {
      if (!r->assumed && r->Find(column.string().sval()) == nullptr) {
        e.Lock(oid, LockMode::kShareUpdateExclusive);
        return e.Fail("42703", absl::StrCat("column \"", column.string().sval(), "\" does not exist"));
      }
    }
    if (r->kind == 'p') {
      for (Oid part : e.catalogue.AllInheritors(oid))
        VacuumOne(e, *e.catalogue.relation(part), full, analyze, is_vacuum, truncate);
    } else {
      VacuumOne(e, *r, full, analyze, is_vacuum, truncate);
      if (!analyze) continue;
      // Inheritance children are sampled for the parent's statistics.
      for (Oid child : e.catalogue.AllInheritors(oid)) {
        if (child == oid) continue;
        e.Lock(child, LockMode::kAccessShare);
        e.scans |= e.catalogue.relation(child)->has_rows && SampleIsAll(e, *e.catalogue.relation(child));
      }
    }
  }
  return absl::OkStatus();
}

// --- CLUSTER ---

void ClusterOne(Effects& e, Oid oid) {
  e.Lock(oid, LockMode::kAccessExclusive);
  e.LockIndexes(oid, LockMode::kAccessExclusive);
  e.Rewrite(oid, absl::StrCat("CLUSTER writes ", e.Name(oid),
                              " and its indexes anew, and nobody can read or write meanwhile"));
}

absl::Status Cluster(Effects& e, const pg_query::ClusterStmt& cluster) {
  if (!cluster.has_relation()) {
    e.transactional = false;
    std::vector<Oid> tables;
    for (const auto& [oid, r] : e.catalogue.relations) {
      if (r.IsIndex() && r.index.clustered) tables.push_back(r.index.table);
    }
    for (Oid table : tables) ClusterOne(e, table);
    if (!e.catalogue.complete) {
      e.blocks_unseen_reads = e.blocks_unseen_writes = e.rewrites = e.scans = true;
      e.Warn(
          "rewrites-table", Severity::kError,
          "every table that was clustered before is written anew, and nobody can read or write it meanwhile");
    }
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, cluster.relation()));
  const Oid oid = r->oid;
  e.Lock(oid, LockMode::kAccessExclusive);
  if (r->kind == 'p') {
    e.transactional = false;
    const std::string schema = r->schema;
    if (const Relation* index = FindRelation(e, schema, cluster.indexname(), Assume::kNothing))
      e.Lock(index->oid, LockMode::kAccessShare);
    for (Oid part : e.catalogue.AllInheritors(oid)) {
      if (e.catalogue.relation(part)->kind == 'r') ClusterOne(e, part);
    }
    return absl::OkStatus();
  }
  if (cluster.indexname().empty()) {
    bool clustered = r->assumed;
    for (Oid index : e.catalogue.Indexes(oid)) clustered |= e.catalogue.relation(index)->index.clustered;
    if (!clustered)
      return e.Fail("42704",
                    absl::StrCat("there is no previously clustered index for table \"", r->name, "\""));
  } else {
    Relation* index = FindRelation(e, r->schema, cluster.indexname(), Assume::kIndex);
    if (index == nullptr)
      return e.Fail("42704", absl::StrCat("index \"", cluster.indexname(), "\" for table \"", r->name,
                                          "\" does not exist"));
    if (!index->assumed) {
      e.Lock(index->oid, LockMode::kAccessExclusive);
      const auto method = e.catalogue.methods.find(index->index.method);
      if (method != e.catalogue.methods.end() && method->second.name != "btree" &&
          method->second.name != "gist")
        return e.Fail("0A000", absl::StrCat("cannot cluster on index \"", index->name,
                                            "\" because access method does not support clustering"));
      if (!index->index.predicate.empty())
        return e.Fail("0A000", absl::StrCat("cannot cluster on partial index \"", index->name, "\""));
    }
  }
  ClusterOne(e, oid);
  return absl::OkStatus();
}

// --- REFRESH, LOCK, TRUNCATE ---

absl::Status Refresh(Effects& e, const pg_query::RefreshMatViewStmt& refresh) {
  Catalogue& c = e.catalogue;
  ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, refresh.relation(), Assume::kMaterializedView));
  const Oid oid = r->oid;
  const std::string name = e.QuotedName(*r);
  e.Lock(oid, refresh.concurrent() ? LockMode::kExclusive : LockMode::kAccessExclusive);
  if (r->kind != 'm') return e.Fail("0A000", absl::StrCat("\"", r->name, "\" is not a materialized view"));
  if (refresh.concurrent() && refresh.skip_data())
    return e.Fail("42601", "REFRESH options CONCURRENTLY and WITH NO DATA cannot be used together");
  if (refresh.concurrent() && !r->populated && !r->assumed)
    return e.Fail("0A000", "CONCURRENTLY cannot be used when the materialized view is not populated");
  if (refresh.concurrent() && !r->assumed) {
    bool unique = false;
    for (Oid index : c.Indexes(oid)) {
      const IndexPart& part = c.relation(index)->index;
      if (part.unique) e.Lock(index, LockMode::kAccessShare);
      unique |= part.unique && part.valid && part.predicate.empty() && part.expressions.empty();
    }
    if (!unique)
      return e.Fail("55000", absl::StrCat("cannot refresh materialized view ", name, " concurrently"));
  }
  if (!refresh.skip_data()) {
    std::set<Oid> below;
    for (const auto& [rule, r2] : c.rules) {
      if (r2.table != oid) continue;
      for (const Dependency& d : c.dependencies) {
        if (d.object == Address{kPgRewrite, rule, 0} && d.referenced.catalogue == kPgClass &&
            d.referenced.id != oid)
          below.insert(d.referenced.id);
      }
    }
    for (Oid table : below) {
      LockForQuery(e, table, LockMode::kAccessShare);
      for (Oid part : c.AllInheritors(table))
        e.scans |= HasStorage(*c.relation(part)) && c.relation(part)->has_rows;
    }
  }
  if (refresh.concurrent()) {
    e.LockIndexes(oid, LockMode::kRowExclusive);
    e.scans |= c.relation(oid)->has_rows;
    return absl::OkStatus();
  }
  e.LockIndexes(oid, LockMode::kAccessExclusive);
  const bool scans = e.scans;
  e.Rewrite(oid, absl::StrCat("the query of ", name, " is run again, and nobody can read it meanwhile"),
            absl::StrCat("REFRESH MATERIALIZED VIEW CONCURRENTLY ", name, ";  -- needs a unique index"),
            false);
  e.rewrites = !e.IsNew(oid);
  e.scans = scans;
  return absl::OkStatus();
}

void LockView(Effects& e, Oid view, LockMode mode) {
  const std::vector<Dependency> dependencies = e.catalogue.dependencies;
  for (const auto& [rule, r] : e.catalogue.rules) {
    if (r.table != view) continue;
    for (const Dependency& d : dependencies) {
      if (d.object != Address{kPgRewrite, rule, 0} || d.referenced.catalogue != kPgClass ||
          d.referenced.id == view)
        continue;
      const Relation* below = e.catalogue.relation(d.referenced.id);
      if (below == nullptr || (!below->IsTable() && below->kind != 'v')) continue;
      for (Oid part : e.catalogue.AllInheritors(below->oid)) e.Lock(part, mode);
      if (below->kind == 'v') LockView(e, below->oid, mode);
    }
  }
}

absl::Status LockTable(Effects& e, const pg_query::LockStmt& lock) {
  const auto mode = static_cast<LockMode>(lock.mode());
  for (const Node& node : lock.relations()) {
    ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, node.range_var()));
    if (!r->IsTable() && r->kind != 'v')
      return e.Fail("42809", absl::StrCat("cannot lock relation \"", r->name, "\""));
    const Oid oid = r->oid;
    e.Lock(oid, mode);
    if (r->kind == 'v') {
      LockView(e, oid, mode);
    } else if (node.range_var().inh()) {
      e.Lock(e.catalogue.AllInheritors(oid), mode);
    }
  }
  return absl::OkStatus();
}

absl::Status Truncate(Effects& e, const pg_query::TruncateStmt& truncate) {
  Catalogue& c = e.catalogue;
  std::vector<Oid> all;
  for (const Node& node : truncate.relations()) {
    ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, node.range_var()));
    // Of the usual wrappers of foreign tables only postgres_fdw can.
    if (r->kind == 'f' && e.catalogue.complete)
      return e.Fail("0A000", absl::StrCat("cannot truncate foreign table \"", r->name, "\""));
    if (!r->IsTable() && r->kind != 'f')
      return e.Fail("42809", absl::StrCat("\"", r->name, "\" is not a table"));
    const Oid oid = r->oid;
    if (r->kind == 'p' && !node.range_var().inh()) {
      e.Lock(oid, LockMode::kAccessExclusive);
      return e.Fail("42809", "cannot truncate only a partitioned table");
    }
    for (Oid part : node.range_var().inh() ? c.AllInheritors(oid) : std::vector<Oid>{oid}) {
      e.Lock(part, LockMode::kAccessExclusive);
      all.push_back(part);
    }
  }
  const auto among = [&](Oid table) { return std::count(all.begin(), all.end(), table) > 0; };
  if (truncate.behavior() == pg_query::DROP_CASCADE) {
    for (size_t i = 0; i < all.size(); ++i) {
      for (const auto& [oid, key] : c.constraints) {
        if (key.kind == 'f' && key.referenced == all[i] && !among(key.table)) {
          e.Lock(key.table, LockMode::kAccessExclusive);
          all.push_back(key.table);
        }
      }
    }
  } else {
    for (const auto& [oid, key] : c.constraints) {
      if (key.kind == 'f' && among(key.referenced) && !among(key.table))
        return e.Fail("0A000",
                      absl::StrCat("cannot truncate a table referenced in a foreign key constraint: ",
                                   e.Name(key.table), " references ", e.Name(key.referenced)));
    }
  }
  for (Oid table : all) {
    const bool stored = c.relation(table)->kind == 'r';
    if (stored) e.LockIndexes(table, LockMode::kAccessExclusive);
    if (truncate.restart_seqs()) {
      for (const Dependency& d : c.dependencies) {
        const Relation* s = d.referenced.catalogue == kPgClass && d.referenced.id == table &&
                                    d.referenced.sub != 0 && d.object.catalogue == kPgClass
                                ? c.relation(d.object.id)
                                : nullptr;
        if (s != nullptr && s->kind == 'S') e.Lock(s->oid, LockMode::kAccessExclusive);
      }
    }
    if (IsLive(e, table) && stored)
      e.Warn("breaks-applications", Severity::kWarning,
             absl::StrCat("all rows of ", e.Name(table), " are gone at once"));
    c.relation(table)->has_rows = false;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LintMaintenance(Effects& e, const Node& node) {
  switch (node.node_case()) {
    case Node::kVacuumStmt:
      return Vacuum(e, node.vacuum_stmt());
    case Node::kClusterStmt:
      return Cluster(e, node.cluster_stmt());
    case Node::kReindexStmt:
      return LintReindex(e, node.reindex_stmt());
    case Node::kRefreshMatViewStmt:
      return Refresh(e, node.refresh_mat_view_stmt());
    case Node::kLockStmt:
      return LockTable(e, node.lock_stmt());
    default:
      return Truncate(e, node.truncate_stmt());
  }
}

}  // namespace curlew::lint
