#include "common/lint/write.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/bounds.h"
#include "common/lint/partition.h"
#include "common/lint/statements.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

bool HasKey(const Effects& e, Oid table, int column) {
  for (Oid index : e.catalogue.Indexes(table)) {
    const IndexPart& part = e.catalogue.relation(index)->index;
    if (part.unique && part.immediate && part.predicate.empty() && part.expressions.empty() &&
        std::count(part.columns.begin(), part.columns.begin() + part.key_count, column) > 0)
      return true;
  }
  return false;
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
    const auto it = e.catalogue.functions->find(trigger.function);
    if (it != e.catalogue.functions->end() && !it->second.body.empty()) functions.push_back(&it->second);
  }
  for (const Function* f : functions) {
    const Function copy = *f;
    RETURN_IF_ERROR(LintFunctionCall(e, copy, {}));
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

}  // namespace

bool IsReferenced(const Effects& e, Oid table) {
  return std::any_of(e.catalogue.constraints.begin(), e.catalogue.constraints.end(),
                     [table](const auto& k) { return k.second.kind == 'f' && k.second.referenced == table; });
}

absl::Status LintWrite(Effects& e, const Node& node, const Relation& target) {
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

bool ChangesKey(const Node& node, const Relation& partitioned) {
  const std::vector<std::string> keys = KeyColumns(partitioned);
  const auto& columns = node.update_stmt().target_list();
  return std::any_of(columns.begin(), columns.end(), [&](const Node& column) {
    return std::count(keys.begin(), keys.end(), column.res_target().name()) > 0;
  });
}

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

}  // namespace curlew::lint
