#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/lint/deparse.h"
#include "common/lint/query_plan.h"
#include "common/lint/statements.h"
#include "common/lint/write.h"
#include "common/sql/identifier.h"
#include "common/sql/parser.h"

namespace curlew::lint {
namespace {

using google::protobuf::Message;
using pg_query::Node;

// What one data statement touches.
class Query {
 public:
  explicit Query(Effects* e) : e_(*e), c_(e->catalogue) {}

  absl::Status Run(const Node& node) {
    sql::Walk(node, [this](const Message& m) {
      if (m.GetDescriptor() == pg_query::CommonTableExpr::descriptor())
        ctes_.insert(static_cast<const pg_query::CommonTableExpr&>(m).ctename());
      return true;
    });
    RETURN_IF_ERROR(Visit(node));
    return Calls(node);
  }

  std::map<Oid, LockMode> tables;  // as the statement names them
  std::set<Oid> only;

 private:
  absl::Status Visit(const Message& message) {
    const auto* type = message.GetDescriptor();
    if (type == pg_query::RangeVar::descriptor())
      return Read(static_cast<const pg_query::RangeVar&>(message));
    // FOR UPDATE OF names what stands in FROM.
    if (type == pg_query::LockingClause::descriptor()) return absl::OkStatus();
    if (type == pg_query::InsertStmt::descriptor())
      return Write(message, static_cast<const pg_query::InsertStmt&>(message).relation());
    if (type == pg_query::UpdateStmt::descriptor())
      return Write(message, static_cast<const pg_query::UpdateStmt&>(message).relation());
    if (type == pg_query::DeleteStmt::descriptor())
      return Write(message, static_cast<const pg_query::DeleteStmt&>(message).relation());
    if (type == pg_query::MergeStmt::descriptor())
      return Write(message, static_cast<const pg_query::MergeStmt&>(message).relation());
    if (type == pg_query::SelectStmt::descriptor()) {
      const auto& select = static_cast<const pg_query::SelectStmt&>(message);
      for (const Node& clause : select.locking_clause())
        RETURN_IF_ERROR(LockRows(select, clause.locking_clause()));
    }
    return Below(message);
  }

  absl::Status Below(const Message& message, const Message* but = nullptr) {
    absl::Status status;
    sql::ForEachChild(message, [&](const Message& child) {
      if (status.ok() && &child != but) status = Visit(child);
    });
    return status;
  }

  void Note(const Relation& r, LockMode mode, bool inherits) {
    LockMode& now = tables.try_emplace(r.oid, mode).first->second;
    now = std::max(now, mode);
    if (!inherits) only.insert(r.oid);
  }

  absl::Status Read(const pg_query::RangeVar& name) {
    if (name.schemaname().empty() && ctes_.count(name.relname()) > 0) return absl::OkStatus();
    if (absl::StartsWith(name.schemaname(), "pg_") || name.schemaname() == "information_schema")
      return absl::OkStatus();
    Relation* r = FindRelation(e_, name);
    if (r == nullptr) {
      if (name.schemaname().empty() && absl::StartsWith(name.relname(), "pg_")) return absl::OkStatus();
      return e_.Fail("42P01", absl::StrCat("relation \"", name.relname(), "\" does not exist"));
    }
    Note(*r, LockMode::kAccessShare, name.inh());
    return absl::OkStatus();
  }

  absl::Status Write(const Message& message, const pg_query::RangeVar& target) {
    Relation* r = FindRelation(e_, target);
    if (r == nullptr)
      return e_.Fail("42P01", absl::StrCat("relation \"", target.relname(), "\" does not exist"));
    Note(*r, LockMode::kRowExclusive, target.inh());
    return Below(message, &target);
  }

  absl::Status LockRows(const pg_query::SelectStmt& select, const pg_query::LockingClause& clause) {
    std::set<std::string> names;
    for (const Node& node : clause.locked_rels()) names.insert(node.range_var().relname());
    for (const Node& from : select.from_clause()) {
      absl::Status status;
      sql::Walk(from, [&](const Message& m) {
        if (m.GetDescriptor() == pg_query::RangeSubselect::descriptor()) return false;
        if (m.GetDescriptor() != pg_query::RangeVar::descriptor()) return true;
        const auto& name = static_cast<const pg_query::RangeVar&>(m);
        const std::string& alias =
            name.alias().aliasname().empty() ? name.relname() : name.alias().aliasname();
        if (!names.empty() && names.count(alias) == 0) return false;
        if (name.schemaname().empty() && ctes_.count(name.relname()) > 0) return false;
        Relation* r = FindRelation(e_, name);
        if (r != nullptr) Note(*r, LockMode::kRowShare, name.inh());
        return false;
      });
      RETURN_IF_ERROR(status);
    }
    return absl::OkStatus();
  }

  // Sequences and functions of users that the statement calls.
  absl::Status Calls(const Node& node) {
    std::vector<std::pair<const Function*, const pg_query::FuncCall*>> functions;
    sql::Walk(node, [&](const Message& m) {
      if (m.GetDescriptor() != pg_query::FuncCall::descriptor()) return true;
      const auto& call = static_cast<const pg_query::FuncCall&>(m);
      const std::string name = NameParts(call.funcname()).second;
      if (Relation* sequence = SequenceOf(e_, call)) sequences_.push_back(sequence->oid);
      const Function* f = FindFunction(e_.session, call.funcname(), call.args_size());
      if (f != nullptr && !f->body.empty()) functions.emplace_back(f, &call);
      if (f == nullptr && !c_.complete) unknown_ = name;
      return true;
    });
    for (Oid sequence : sequences_) e_.Lock(sequence, LockMode::kRowExclusive);
    for (const auto& [f, call] : functions) {
      const Function copy = *f;
      RETURN_IF_ERROR(LintFunctionCall(e_, copy, call->args()));
    }
    return absl::OkStatus();
  }

  Effects& e_;
  Catalogue& c_;
  std::set<std::string> ctes_;
  std::vector<Oid> sequences_;
  std::string unknown_;
};

// The tables below a view, as its rule's dependencies name them.
void LockUnderView(Effects& e, Oid view, LockMode mode, std::set<Oid>* seen) {
  if (!seen->insert(view).second) return;
  const std::vector<Dependency> dependencies = e.catalogue.dependencies;
  for (const auto& [oid, rule] : e.catalogue.rules) {
    if (rule.table != view) continue;
    std::set<Oid> below;
    for (const Dependency& d : dependencies) {
      if (d.object == Address{kPgRewrite, oid, 0} && d.referenced.catalogue == kPgClass &&
          d.referenced.id != view)
        below.insert(d.referenced.id);
    }
    for (Oid table : below) {
      const Relation* r = e.catalogue.relation(table);
      if (r == nullptr) continue;
      if (r->kind == 'v') {
        e.Lock(table, mode);
        LockUnderView(e, table, mode, seen);
      } else if (r->kind != 'S') {
        LockForQuery(e, table, mode);
      }
    }
  }
}

const pg_query::RangeVar* TargetOf(const Node& node) {
  if (node.has_insert_stmt()) return &node.insert_stmt().relation();
  if (node.has_update_stmt()) return &node.update_stmt().relation();
  if (node.has_delete_stmt()) return &node.delete_stmt().relation();
  if (node.has_merge_stmt()) return &node.merge_stmt().relation();
  return nullptr;
}

// pg_get_serial_sequence('table', 'column').
Relation* OwnedSequence(Effects& e, const pg_query::FuncCall& call) {
  if (NameParts(call.funcname()).second != "pg_get_serial_sequence" || call.args_size() != 2) return nullptr;
  const auto parsed = sql::Parse(absl::StrCat("SELECT FROM ", ConstantText(call.args(0))));
  if (!parsed.ok() || parsed->stmts_size() != 1) return nullptr;
  const auto& from = parsed->stmts(0).stmt().select_stmt().from_clause();
  if (from.size() != 1 || !from[0].has_range_var()) return nullptr;
  const Relation* table = FindRelation(e, from[0].range_var());
  const Column* column = table == nullptr ? nullptr : table->Find(ConstantText(call.args(1)));
  if (column == nullptr) return nullptr;
  for (const Dependency& d : e.catalogue.dependencies) {
    if (d.object.catalogue != kPgClass || d.referenced != Address{kPgClass, table->oid, column->number})
      continue;
    Relation* sequence = e.catalogue.relation(d.object.id);
    if (sequence != nullptr && sequence->kind == 'S') return sequence;
  }
  return nullptr;
}

}  // namespace

Relation* SequenceOf(Effects& e, const pg_query::FuncCall& call) {
  const std::string name = NameParts(call.funcname()).second;
  if ((name != "nextval" && name != "setval" && name != "currval") || call.args_size() == 0) return nullptr;
  if (call.args(0).has_func_call()) return OwnedSequence(e, call.args(0).func_call());
  const std::string argument = ConstantText(call.args(0));
  if (argument.empty()) return nullptr;
  const auto parsed = sql::Parse(absl::StrCat("SELECT FROM ", argument));
  if (!parsed.ok() || parsed->stmts_size() != 1) return nullptr;
  const auto& from = parsed->stmts(0).stmt().select_stmt().from_clause();
  return from.size() == 1 && from[0].has_range_var() ? FindRelation(e, from[0].range_var(), Assume::kSequence)
                                                     : nullptr;
}

void LockForQuery(Effects& e, Oid relation, LockMode mode) {
  const Relation* r = e.catalogue.relation(relation);
  if (r == nullptr) return;
  e.Lock(relation, mode);
  if (r->kind == 'v') {
    std::set<Oid> seen;
    LockUnderView(e, relation, mode, &seen);
    return;
  }
  if (r->kind == 'p') {
    for (Oid part : e.catalogue.AllInheritors(relation)) {
      e.Lock(part, mode);
      if (e.catalogue.relation(part)->kind != 'p') e.LockIndexes(part, mode);
    }
    return;
  }
  e.LockIndexes(relation, mode);
  for (Oid child : e.catalogue.AllInheritors(relation)) {
    e.Lock(child, mode);
    e.LockIndexes(child, mode);
  }
}

absl::Status LintQueryTables(Effects& e, const Node& node) {
  Query query(&e);
  RETURN_IF_ERROR(query.Run(node));
  for (const auto& [oid, mode] : query.tables) e.Lock(oid, mode);
  return absl::OkStatus();
}

absl::Status LintQuery(Effects& e, const Node& node, absl::string_view) {
  Query query(&e);
  RETURN_IF_ERROR(query.Run(node));
  const pg_query::RangeVar* target = TargetOf(node);
  Relation* written = target == nullptr ? nullptr : FindRelation(e, *target);
  const Oid written_oid = written == nullptr ? 0 : written->oid;
  RETURN_IF_ERROR(CheckColumns(e, node, written_oid));
  const QueryPlan plan = PlanOf(e, node, query.tables);
  const std::set<Oid>& scanned = plan.scanned;
  for (const auto& [oid, mode] : query.tables) {
    const Relation& r = *e.catalogue.relation(oid);
    if (r.kind == 'p' && oid == written_oid && node.has_insert_stmt()) {
      RETURN_IF_ERROR(LockRoutes(e, node.insert_stmt(), oid));
    } else if (r.kind == 'p' && plan.by_server) {
      // Only the partitions that the plan reaches are opened, unless rows may move to others.
      const bool moves = oid == written_oid && ChangesKey(node, r);
      e.Lock(oid, mode);
      for (Oid part : e.catalogue.AllInheritors(oid)) {
        if (plan.read.count(part) == 0 && !moves) continue;
        e.Lock(part, mode);
        if (e.catalogue.relation(part)->kind != 'p') e.LockIndexes(part, mode);
      }
    } else if (r.kind == 'v' && oid == written_oid) {
      // The tables of an updatable view are written.
      LockForQuery(e, oid, mode);
    } else if (r.kind == 'v' || query.only.count(oid) == 0) {
      LockForQuery(e, oid, mode);
    } else {
      e.Lock(oid, mode);
      if (r.kind != 'p') e.LockIndexes(oid, mode);
    }
  }
  for (Oid oid : scanned) {
    e.Scan(oid, absl::StrCat("all rows of ", e.Name(oid), " are read"));
  }
  if (written_oid != 0) {
    RETURN_IF_ERROR(LintWrite(e, node, *e.catalogue.relation(written_oid)));
    const bool insert = node.has_insert_stmt();
    if (IsLive(e, written_oid) && (insert ? !scanned.empty() : scanned.count(written_oid) > 0)) {
      const std::string name = e.Name(written_oid);
      e.Warn("unbatched-data", Severity::kWarning,
             absl::StrCat("rows of ", name,
                          " are written in one go: they stay locked, and the WAL and old row "
                          "versions pile up, until it is all done"),
             "-- in batches by key, each in a transaction of its own, each committed");
    }
  }
  if (node.has_select_stmt()) {
    for (const Node& clause : node.select_stmt().locking_clause()) {
      const auto strength = clause.locking_clause().strength();
      if (strength == pg_query::LCS_FORUPDATE && !node.select_stmt().has_where_clause() &&
          !node.select_stmt().has_limit_count()) {
        for (const auto& [oid, mode] : query.tables) {
          if (mode == LockMode::kRowShare && IsReferenced(e, oid) && e.catalogue.relation(oid)->has_rows)
            e.blocks_rows = true;
        }
      }
    }
  }
  return absl::OkStatus();
}

bool IsLive(const Effects& e, Oid table) {
  const Relation* r = e.catalogue.relation(table);
  return r != nullptr && !e.IsNew(table) && (r->has_rows || r->kind == 'p');
}

}  // namespace curlew::lint
