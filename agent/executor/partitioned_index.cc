#include "agent/executor/partitioned_index.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/attempt/leaves.h"
#include "agent/executor/concurrent_index.h"
#include "agent/executor/ddl.h"
#include "agent/executor/index_tree.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

constexpr char kShareLock[] = "ShareLock";
constexpr char kExclusiveLock[] = "AccessExclusiveLock";

// One of several short transactions.
absl::Status RunPart(const RunContext& context, const std::function<absl::Status(DdlTransaction&)>& work) {
  return RunDdl(context,
                {.deadline = DdlStatementTimeout(context.settings), .journal = DdlOptions::Journal::kNothing},
                work);
}

// The constraint that an index belongs to.
struct Owner {
  std::string name;
  std::string kind;      // "UNIQUE" or "PRIMARY KEY"
  std::string deferral;  // " DEFERRABLE INITIALLY DEFERRED", or ""
};

absl::StatusOr<std::optional<Owner>> ReadOwner(DdlTransaction& ddl, const std::string& index) {
  ASSIGN_OR_RETURN(const pg::Result row,
                   ddl.Execute("SELECT conname, contype, condeferrable, condeferred FROM pg_constraint"
                               " WHERE conindid = to_regclass($1) AND contype IN ('p', 'u', 'x')",
                               {index}));
  if (row.empty()) return std::optional<Owner>();
  return std::optional<Owner>(Owner{.name = row.Text(0, 0),
                                    .kind = row.Text(0, 1) == "p" ? "PRIMARY KEY" : "UNIQUE",
                                    .deferral = absl::StrCat(row.Bool(0, 2) ? " DEFERRABLE" : "",
                                                             row.Bool(0, 3) ? " INITIALLY DEFERRED" : "")});
}

class Build {
 public:
  Build(ConcurrentSession& session, const v1::ExecuteSqlConcurrently& action)
      : session_(session), context_(session.context()), action_(action) {}

  absl::Status Run() {
    // Refuses what it cannot finish before it makes anything.
    ASSIGN_OR_RETURN(const std::vector<IndexNode> before, List());
    RETURN_IF_ERROR(CheckIndexable(before));
    ASSIGN_OR_RETURN(const IndexState found,
                     ReadIndexState(session_.connection(), action_.index(), action_.table()));
    if (found == IndexState::kOnOtherTable) return NotOurs(action_.index());
    if (found == IndexState::kAbsent) RETURN_IF_ERROR(MakeParent());
    std::set<uint32_t> done;
    while (true) {
      RETURN_IF_ERROR(context_.cancel->Check());
      ASSIGN_OR_RETURN(const std::vector<IndexNode> nodes, List());
      const auto next = std::find_if(nodes.begin(), nodes.end(), &Build::IsMissing);
      if (next == nodes.end()) break;
      if (!done.insert(next->table_oid).second) {
        return absl::AbortedError(
            absl::StrCat("the index of ", next->table, " does not stay attached to ", next->parent_index));
      }
      Tell(nodes, *next);
      const absl::Status status = MakePart(*next);
      if (status.ok()) continue;
      if (absl::IsCancelled(status)) return status;
      if (!IsGone(*next)) return status;
    }
    RETURN_IF_ERROR(MakeValid());
    ASSIGN_OR_RETURN(const IndexState made,
                     ReadIndexState(session_.connection(), action_.index(), action_.table()));
    if (made == IndexState::kValid) return absl::OkStatus();
    return absl::AbortedError(
        absl::StrCat("index ", action_.index(), " is not valid though every partition has its part of it"));
  }

 private:
  absl::StatusOr<std::vector<IndexNode>> List() {
    return ReadIndexTree(session_.connection(), action_.table(), action_.index());
  }

  // Whether the table has no part of the index yet, or one that is of no use, and the table above has.
  static bool IsMissing(const IndexNode& node) {
    return !node.parent_index.empty() && (node.index.empty() || (!node.partitioned() && !node.valid));
  }

  bool IsGone(const IndexNode& node) {
    const absl::StatusOr<std::vector<IndexNode>> nodes = List();
    if (!nodes.ok()) return false;
    return std::none_of(nodes->begin(), nodes->end(), [&](const IndexNode& other) {
      return other.table_oid == node.table_oid && other.table == node.table;
    });
  }

  void Tell(const std::vector<IndexNode>& nodes, const IndexNode& node) {
    const auto tables =
        std::count_if(nodes.begin(), nodes.end(), [](const IndexNode& n) { return !n.partitioned(); });
    const auto left = std::count_if(nodes.begin(), nodes.end(), [](const IndexNode& n) {
      return !n.partitioned() && (n.index.empty() || !n.valid);
    });
    session_.SetSubject(absl::StrCat(node.table, ", ", tables - left, " of ", tables, " partitions done: "));
  }

  // The statement that makes the index on a partitioned table alone.
  std::string MakeOnly(const std::string& name, const std::string& table) {
    const v1::PartitionedIndex& how = action_.partitioned();
    if (!how.constraint().empty()) {
      return absl::StrCat("ALTER TABLE ONLY ", table, " ADD CONSTRAINT ", sql::Ident(name), " ",
                          how.constraint());
    }
    return absl::StrCat(how.unique() ? "CREATE UNIQUE INDEX " : "CREATE INDEX ", sql::Ident(name),
                        " ON ONLY ", table, " ", how.definition());
  }

  absl::Status MakeParent() {
    ASSIGN_OR_RETURN(const sql::TableName name, sql::ParseTableName(action_.index()));
    const bool constrains = !action_.partitioned().constraint().empty();
    return RunPart(
        AboutPart(context_, action_.table(), action_.table(), constrains ? kExclusiveLock : kShareLock),
        [&](DdlTransaction& ddl) { return ddl.Run({MakeOnly(name.name, action_.table())}); });
  }

  absl::Status MakePart(const IndexNode& node) {
    if (!node.index.empty()) return session_.Execute(absl::StrCat("REINDEX INDEX CONCURRENTLY ", node.index));
    const std::string index = QualifiedPartName(action_.index(), node);
    if (!node.partitioned()) {
      RETURN_IF_ERROR(
          BuildIndex(session_, index, node.table,
                     absl::StrCat(action_.partitioned().unique() ? "CREATE UNIQUE INDEX CONCURRENTLY "
                                                                 : "CREATE INDEX CONCURRENTLY ",
                                  sql::Ident(PartName(action_.index(), node)), " ON ", node.table, " ",
                                  action_.partitioned().definition())));
    }
    // Made (where it is partitioned), constrained and attached at once: so no half of it can be left over.
    return RunPart(AboutPart(context_, action_.table(), node.table, kExclusiveLock),
                   [&](DdlTransaction& ddl) { return Attach(ddl, node, index); });
  }

  absl::Status Attach(DdlTransaction& ddl, const IndexNode& node, const std::string& index) {
    if (node.partitioned()) {
      ASSIGN_OR_RETURN(const pg::Result found, ddl.Execute("SELECT to_regclass($1) IS NOT NULL", {index}));
      if (!found.Bool(0, 0))
        RETURN_IF_ERROR(ddl.Run({MakeOnly(PartName(action_.index(), node), node.table)}));
    } else {
      ASSIGN_OR_RETURN(const std::optional<Owner> above, ReadOwner(ddl, node.parent_index));
      ASSIGN_OR_RETURN(const std::optional<Owner> own, ReadOwner(ddl, index));
      if (above.has_value() && !own.has_value()) {
        const std::string name = sql::Ident(PartName(action_.index(), node));
        RETURN_IF_ERROR(ddl.Run({absl::StrCat("ALTER TABLE ", node.table, " ADD CONSTRAINT ", name, " ",
                                              above->kind, " USING INDEX ", name, above->deferral)}));
      }
    }
    return ddl.Run({absl::StrCat("ALTER INDEX ", node.parent_index, " ATTACH PARTITION ", index)});
  }

  // The server looks whether an index has all its parts when one is attached. Where the last missing
  // partition has gone instead, a part that is attached already is attached once more, from the bottom up.
  absl::Status MakeValid() {
    ASSIGN_OR_RETURN(const std::vector<IndexNode> nodes, List());
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
      if (!node->partitioned() || node->valid || node->index.empty()) continue;
      const auto part = std::find_if(nodes.begin(), nodes.end(), [&](const IndexNode& other) {
        return other.parent_index == node->index && !other.index.empty();
      });
      if (part == nodes.end()) {
        RETURN_IF_ERROR(MakeAgain(*node));
        continue;
      }
      RETURN_IF_ERROR(RunPart(
          AboutPart(context_, action_.table(), part->table, kExclusiveLock), [&](DdlTransaction& ddl) {
            return ddl.Run({absl::StrCat("ALTER INDEX ", node->index, " ATTACH PARTITION ", part->index)});
          }));
    }
    return absl::OkStatus();
  }

  // Where all partitions of the parent have gone, the index is valid as soon as it is made.
  absl::Status MakeAgain(const IndexNode& node) {
    if (node.level > 0) return absl::OkStatus();
    RETURN_IF_ERROR(DropPartitionedIndex(session_, action_));
    return MakeParent();
  }

  ConcurrentSession& session_;
  const RunContext& context_;
  const v1::ExecuteSqlConcurrently& action_;
};

// Drops the index, or the constraint that it belongs to, in the transaction.
absl::Status DropInTransaction(DdlTransaction& ddl, const std::string& index, const std::string& table) {
  ASSIGN_OR_RETURN(const pg::Result found,
                   ddl.Execute("SELECT format('%I.%I', n.nspname, t.relname) FROM pg_index i"
                               " JOIN pg_class t ON t.oid = i.indrelid"
                               " JOIN pg_namespace n ON n.oid = t.relnamespace"
                               " WHERE i.indexrelid = to_regclass($1)"
                               " AND ($2 = '' OR i.indrelid = to_regclass(NULLIF($2, '')))",
                               {index, table}));
  if (found.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<Owner> owner, ReadOwner(ddl, index));
  if (!owner.has_value()) return ddl.Run({absl::StrCat("DROP INDEX ", index)});
  return ddl.Run(
      {absl::StrCat("ALTER TABLE ", found.Text(0, 0), " DROP CONSTRAINT ", sql::Ident(owner->name))});
}

// A part of ours that is attached to nothing.
struct Leftover {
  std::string index;
  // It must be dropped in a transaction: it belongs to a constraint, or to a table that is partitioned
  // itself.
  bool in_transaction = false;
};

absl::StatusOr<std::optional<Leftover>> ReadLeftover(pg::Connection* connection, const std::string& index,
                                                     const IndexNode& node) {
  const std::string part = QualifiedPartName(index, node);
  ASSIGN_OR_RETURN(const pg::Result found,
                   connection->Execute("SELECT c.relkind = 'I'"
                                       " OR EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid"
                                       " AND contype IN ('p', 'u', 'x'))"
                                       " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                                       " WHERE i.indexrelid = to_regclass($1) AND i.indrelid = $2::oid"
                                       " AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)",
                                       {part, absl::StrCat(node.table_oid)}));
  if (found.empty()) return std::optional<Leftover>();
  return std::optional<Leftover>(Leftover{.index = part, .in_transaction = found.Bool(0, 0)});
}

}  // namespace

absl::Status BuildPartitionedIndex(ConcurrentSession& session, const v1::ExecuteSqlConcurrently& action) {
  return Build(session, action).Run();
}

absl::Status DropPartitionedIndex(ConcurrentSession& session, const v1::ExecuteSqlConcurrently& action) {
  const RunContext& context = session.context();
  RETURN_IF_ERROR(
      RunPart(AboutPart(context, action.table(), action.table(), kExclusiveLock),
              [&](DdlTransaction& ddl) { return DropInTransaction(ddl, action.index(), action.table()); }));
  if (action.table().empty()) return absl::OkStatus();
  const absl::StatusOr<std::vector<IndexNode>> nodes =
      ReadIndexTree(session.connection(), action.table(), action.index());
  if (absl::IsNotFound(nodes.status())) return absl::OkStatus();
  RETURN_IF_ERROR(nodes.status());
  for (const IndexNode& node : *nodes) {
    RETURN_IF_ERROR(context.cancel->Check());
    ASSIGN_OR_RETURN(const std::optional<Leftover> left,
                     ReadLeftover(session.connection(), action.index(), node));
    if (!left.has_value()) continue;
    RETURN_IF_ERROR(
        left->in_transaction
            ? RunPart(AboutPart(context, action.table(), node.table, kExclusiveLock),
                      [&](DdlTransaction& ddl) { return DropInTransaction(ddl, left->index, node.table); })
            : session.Execute(absl::StrCat("DROP INDEX CONCURRENTLY IF EXISTS ", left->index)));
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
