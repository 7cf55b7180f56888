#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/lint/session.h"
#include "common/sql/identifier.h"

namespace curlew::lint {

void Effects::Lock(Oid relation, LockMode mode) {
  const Relation* r = catalogue.relation(relation);
  if (r == nullptr || IsNew(relation)) return;
  LockMode& now = locks.try_emplace(relation, mode).first->second;
  now = std::max(now, mode);
  names.try_emplace(relation, Name(relation));
  const Relation* table = r->IsIndex() ? catalogue.relation(r->index.table) : nullptr;
  session.kinds[relation] = table != nullptr && table->kind == 'm' ? 'm' : r->kind;
}

void Effects::Lock(const std::vector<Oid>& relations, LockMode mode) {
  for (Oid relation : relations) Lock(relation, mode);
}

void Effects::LockBriefly(Oid relation, LockMode mode) {
  if (catalogue.relation(relation) == nullptr || IsNew(relation)) return;
  LockMode& now = brief.try_emplace(relation, mode).first->second;
  now = std::max(now, mode);
  names.try_emplace(relation, Name(relation));
}

void Effects::LockIndexes(Oid table, LockMode mode) { Lock(catalogue.Indexes(table), mode); }

void Effects::Scan(Oid table, Reason reason) {
  const Relation* r = catalogue.relation(table);
  if (r == nullptr || r->kind == 'p' || r->kind == 'f' || !r->has_rows) return;
  scans = true;
  if (!IsNew(table)) causes.push_back({Cause::kScan, table, std::move(reason)});
}

void Effects::BuildIndex(Oid table, Reason reason) {
  const Relation* r = catalogue.relation(table);
  if (r == nullptr || r->kind == 'p' || !r->has_rows) return;
  scans = true;
  if (!IsNew(table)) causes.push_back({Cause::kBuild, table, std::move(reason)});
}

void Effects::Rewrite(Oid table, Reason reason, bool reads) {
  const Relation* r = catalogue.relation(table);
  if (r == nullptr || (r->kind != 'r' && r->kind != 'm')) return;
  if (!IsNew(table)) rewrites = true;
  if (reads && r->has_rows) scans = true;
  if (IsNew(table) || !r->has_rows) return;
  causes.push_back({Cause::kRewrite, table, std::move(reason)});
}

void Effects::Warn(std::string code, Severity severity, std::string message, std::string safe) {
  for (const Hazard& h : hazards) {
    if (h.code == code && h.message == message) return;
  }
  hazards.push_back(
      {std::move(code), severity, std::move(message), std::move(safe), "", text.empty() ? 0 : place});
}

absl::Status Effects::Fail(absl::string_view sqlstate, absl::string_view message) {
  return absl::FailedPreconditionError(absl::StrCat(message, " (SQLSTATE ", sqlstate, ")"));
}

std::string Effects::QuotedName(const Relation& r) const {
  if (const auto it = session.first_names.find(r.oid); it != session.first_names.end()) return it->second;
  if (r.schema == "public" || r.schema.empty()) return sql::Ident(r.name);
  return sql::TableName{r.schema, r.name}.Quoted();
}

void Effects::Rename(Relation& r, std::string schema, std::string name) {
  if (!IsNew(r.oid)) session.first_names.try_emplace(r.oid, QuotedName(r));
  catalogue.RenameRelation(r, std::move(schema), std::move(name));
}

std::string Effects::Name(Oid relation) const {
  const Relation* r = catalogue.relation(relation);
  return r == nullptr ? "?" : QuotedName(*r);
}

}  // namespace curlew::lint
