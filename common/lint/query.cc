#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/lint/deparse.h"
#include "common/lint/partition.h"
#include "common/lint/query_plan.h"
#include "common/lint/statements.h"
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
    const auto* reflection = message.GetReflection();
    std::vector<const google::protobuf::FieldDescriptor*> fields;
    reflection->ListFields(message, &fields);
    for (const auto* field : fields) {
      if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
      const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
      for (int i = 0; i < count; ++i) {
        const Message& child = field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                                    : reflection->GetMessage(message, field);
        if (&child != but) RETURN_IF_ERROR(Visit(child));
      }
    }
    return absl::OkStatus();
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

bool HasKey(const Effects& e, Oid table, int column) {
  for (Oid index : e.catalogue.Indexes(table)) {
    const IndexPart& part = e.catalogue.relation(index)->index;
    if (part.unique && part.immediate && part.predicate.empty() && part.expressions.empty() &&
        std::count(part.columns.begin(), part.columns.begin() + part.key_count, column) > 0)
      return true;
  }
  return false;
}

bool IsReferenced(const Effects& e, Oid table) {
  return std::any_of(e.catalogue.constraints.begin(), e.catalogue.constraints.end(),
                     [table](const auto& k) { return k.second.kind == 'f' && k.second.referenced == table; });
}

// The other side of the foreign keys that a write makes PostgreSQL look at.
void LockForeignKeys(Effects& e, const Node& node, Oid target) {
  std::set<int> changed;
  const Relation& r = *e.catalogue.relation(target);
  if (node.has_update_stmt()) {
    for (const Node& column : node.update_stmt().target_list()) {
      if (const Column* c = r.Find(column.res_target().name())) changed.insert(c->number);
    }
  }
  const bool inserts = node.has_insert_stmt(), deletes = node.has_delete_stmt();
  for (const auto& [oid, key] : e.catalogue.constraints) {
    if (key.kind != 'f') continue;
    const auto touches = [&](const std::vector<int>& columns) {
      return std::any_of(columns.begin(), columns.end(), [&](int c) { return changed.count(c) > 0; });
    };
    if (key.table == target && (inserts || touches(key.columns))) {
      if (key.referenced != target) e.Lock(key.referenced, LockMode::kRowShare);
      e.LockIndexes(key.referenced, LockMode::kRowShare);
    }
    if (key.referenced == target && (deletes || touches(key.referenced_columns))) {
      const bool writes = deletes ? (key.on_delete == "c" || key.on_delete == "n" || key.on_delete == "d")
                                  : (key.on_update == "c" || key.on_update == "n" || key.on_update == "d");
      LockForQuery(e, key.table, writes ? LockMode::kRowExclusive : LockMode::kRowShare);
    }
  }
}

void LockDefaults(Effects& e, const pg_query::InsertStmt& insert, Oid target) {
  const Relation& r = *e.catalogue.relation(target);
  std::set<std::string> given;
  for (const Node& column : insert.cols()) given.insert(column.res_target().name());
  if (insert.cols().empty()) {
    size_t values = r.columns.size();
    if (insert.select_stmt().has_select_stmt()) {
      const auto& select = insert.select_stmt().select_stmt();
      if (select.values_lists_size() > 0)
        values = static_cast<size_t>(select.values_lists(0).list().items_size());
      if (select.target_list_size() > 0 && !select.target_list(0).res_target().val().has_column_ref())
        values = static_cast<size_t>(select.target_list_size());
    } else {
      values = 0;  // DEFAULT VALUES
    }
    for (size_t i = 0; i < r.columns.size() && i < values; ++i) given.insert(r.columns[i].name);
  }
  for (const Column& column : r.columns) {
    if (given.count(column.name) > 0) continue;
    std::set<Address> defaults;
    for (const Dependency& d : e.catalogue.dependencies) {
      if (d.referenced == Address{kPgClass, target, column.number}) {
        if (d.object.catalogue == kPgAttrdef) defaults.insert(d.object);
        const Relation* s =
            d.object.catalogue == kPgClass && d.kind == 'i' ? e.catalogue.relation(d.object.id) : nullptr;
        if (s != nullptr && s->kind == 'S') e.Lock(s->oid, LockMode::kRowExclusive);
      }
    }
    for (const Dependency& d : e.catalogue.dependencies) {
      if (defaults.count(d.object) == 0 || d.referenced.catalogue != kPgClass) continue;
      const Relation* s = e.catalogue.relation(d.referenced.id);
      if (s != nullptr && s->kind == 'S') e.Lock(s->oid, LockMode::kRowExclusive);
    }
  }
}

absl::Status FireTriggers(Effects& e, const Node& node, Oid target) {
  const int event = node.has_insert_stmt() ? 4 : node.has_delete_stmt() ? 8 : 16;
  std::vector<const Function*> functions;
  for (const auto& [oid, trigger] : e.catalogue.triggers) {
    if (trigger.table != target || trigger.internal || (trigger.type & event) == 0 || trigger.enabled == 'D')
      continue;
    const auto it = e.catalogue.functions.find(trigger.function);
    if (it != e.catalogue.functions.end() && !it->second.body.empty()) functions.push_back(&it->second);
  }
  for (const Function* f : functions) {
    const Function copy = *f;
    RETURN_IF_ERROR(LintFunctionCall(e, copy, {}));
  }
  return absl::OkStatus();
}

const pg_query::RangeVar* TargetOf(const Node& node) {
  if (node.has_insert_stmt()) return &node.insert_stmt().relation();
  if (node.has_update_stmt()) return &node.update_stmt().relation();
  if (node.has_delete_stmt()) return &node.delete_stmt().relation();
  if (node.has_merge_stmt()) return &node.merge_stmt().relation();
  return nullptr;
}

absl::Status Write(Effects& e, const Node& node, const Relation& target) {
  const Oid oid = target.oid;
  const std::string name = e.QuotedName(target);
  if (node.has_insert_stmt()) {
    LockDefaults(e, node.insert_stmt(), oid);
    Relation* r = e.catalogue.relation(oid);
    if (e.IsNew(oid)) r->has_rows = true;
  }
  LockForeignKeys(e, node, oid);
  RETURN_IF_ERROR(FireTriggers(e, node, oid));
  const bool all_rows = (node.has_update_stmt() && !node.update_stmt().has_where_clause()) ||
                        (node.has_delete_stmt() && !node.delete_stmt().has_where_clause());
  if (all_rows && IsReferenced(e, oid) && target.has_rows) {
    bool key = node.has_delete_stmt();
    if (node.has_update_stmt()) {
      for (const Node& column : node.update_stmt().target_list()) {
        const Column* c = target.Find(column.res_target().name());
        key |= c != nullptr && HasKey(e, oid, c->number);
      }
    }
    if (key && !e.IsNew(oid)) e.blocks_rows = true;
  }
  return absl::OkStatus();
}

// Whether an UPDATE may move rows to other partitions.
bool ChangesKey(const Node& node, const Relation& partitioned) {
  const std::vector<std::string> keys = KeyColumns(partitioned);
  const auto& columns = node.update_stmt().target_list();
  return std::any_of(columns.begin(), columns.end(), [&](const Node& column) {
    return std::count(keys.begin(), keys.end(), column.res_target().name()) > 0;
  });
}

// Columns that a write names.
absl::Status CheckColumns(Effects& e, const Node& node, Oid target) {
  const Relation* r = e.catalogue.relation(target);
  if (r == nullptr || r->assumed || (r->kind != 'r' && r->kind != 'p')) return absl::OkStatus();
  const auto& columns = node.has_insert_stmt() ? node.insert_stmt().cols() : node.update_stmt().target_list();
  for (const Node& column : columns) {
    const std::string& name = column.res_target().name();
    const Column* found = r->Find(name);
    if (found == nullptr) {
      e.Lock(target, LockMode::kRowExclusive);
      return e.Fail("42703",
                    absl::StrCat("column \"", name, "\" of relation ", e.QuotedName(*r), " does not exist"));
    }
    const bool overriding =
        node.has_insert_stmt() && node.insert_stmt().override() == pg_query::OVERRIDING_SYSTEM_VALUE;
    const bool by_default = column.res_target().val().has_set_to_default();
    bool values = node.has_update_stmt();
    if (node.has_insert_stmt() && node.insert_stmt().select_stmt().has_select_stmt())
      values = node.insert_stmt().select_stmt().select_stmt().values_lists_size() == 1;
    if (values && !by_default && (found->generated != 0 || (found->identity == 'a' && !overriding))) {
      bool given_default = false;
      if (node.has_insert_stmt()) {
        const auto& row = node.insert_stmt().select_stmt().select_stmt().values_lists(0).list().items();
        for (int i = 0; i < columns.size() && i < row.size(); ++i) {
          if (&columns[i] == &column) given_default = row[i].has_set_to_default();
        }
      }
      if (given_default) continue;
      e.Lock(target, LockMode::kRowExclusive);
      return e.Fail("428C9", absl::StrCat("cannot insert a non-DEFAULT value into column \"", name, "\""));
    }
  }
  return absl::OkStatus();
}

// The partition that a value of the key goes to; 0 where there is none, `table` itself where it cannot be
// told.
Oid RouteOf(const Effects& e, Oid table, const std::map<std::string, std::string>& values) {
  const Relation& r = *e.catalogue.relation(table);
  if (r.kind != 'p') return table;
  const std::vector<std::string> keys = KeyColumns(r);
  const auto value = keys.size() == 1 ? values.find(keys[0]) : values.end();
  if (value == values.end()) return table;
  for (Oid part : e.catalogue.Children(table)) {
    const auto bound = ParseBound(e.catalogue.relation(part)->bound);
    const std::optional<bool> within = bound.has_value() ? Contains(*bound, value->second) : std::nullopt;
    if (bound.has_value() && bound->strategy == 'd') continue;
    if (!within.has_value()) return table;
    if (*within) return RouteOf(e, part, values);
  }
  const auto by_default = e.catalogue.default_partition.find(table);
  return by_default == e.catalogue.default_partition.end() ? 0 : RouteOf(e, by_default->second, values);
}

// An INSERT locks the partitions that its rows go to.
absl::Status LockRoutes(Effects& e, const pg_query::InsertStmt& insert, Oid target) {
  e.Lock(target, LockMode::kRowExclusive);
  const auto& select = insert.select_stmt().select_stmt();
  std::vector<std::string> columns;
  for (const Node& column : insert.cols()) columns.push_back(column.res_target().name());
  if (columns.empty()) {
    for (const Column& column : e.catalogue.relation(target)->columns) columns.push_back(column.name);
  }
  std::set<Oid> parts;
  for (const Node& row : select.values_lists()) {
    std::map<std::string, std::string> values;
    for (int i = 0; i < row.list().items_size() && i < static_cast<int>(columns.size()); ++i) {
      const std::string text = ConstantText(row.list().items(i));
      if (!text.empty()) values[columns[static_cast<size_t>(i)]] = text;
    }
    const Oid part = RouteOf(e, target, values);
    if (part == 0)
      return e.Fail("23514", absl::StrCat("no partition of relation ", e.Name(target), " found for row"));
    parts.insert(part);
  }
  if (parts.empty() || parts.count(target) > 0) {
    LockForQuery(e, target, LockMode::kRowExclusive);
    return absl::OkStatus();
  }
  for (Oid part : parts) {
    e.Lock(part, LockMode::kRowExclusive);
    if (e.catalogue.relation(part)->kind != 'p') e.LockIndexes(part, LockMode::kRowExclusive);
  }
  return absl::OkStatus();
}

}  // namespace

namespace {

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
    RETURN_IF_ERROR(Write(e, node, *e.catalogue.relation(written_oid)));
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
