#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/alter_table.h"

namespace curlew::lint {

absl::Status AlterTable::ChangeOwner(const std::string& owner) {
  Catalogue& c = e_.catalogue;
  Relation& r = table();
  const std::string now = owner.empty() ? c.settings["current_user"] : owner;
  if (c.complete && c.roles.count(now) == 0)
    return e_.Fail("42704", absl::StrCat("role \"", now, "\" does not exist"));
  if (r.owner == now && !now.empty()) return absl::OkStatus();
  if (r.kind == 'S') {
    for (const Dependency& d : c.dependencies) {
      if (d.object == Address{kPgClass, table_, 0} && (d.kind == 'a' || d.kind == 'i'))
        return e_.Fail("0A000", absl::StrCat("cannot change owner of sequence ", TableName(),
                                             ": it belongs to a column"));
    }
  }
  if (!e_.IsNew(table_))
    e_.Warn("breaks-applications", Severity::kWarning,
            absl::StrCat(TableName(), " gets another owner: whoever worked by the old one's rights fails"));
  if (r.IsTable() || r.kind == 'm') {
    e_.LockIndexes(table_, LockMode::kAccessExclusive);
    e_.Lock(OwnedSequences(table_, 0, false), LockMode::kAccessExclusive);
  }
  r.owner = now;
  return absl::OkStatus();
}

absl::Status AlterTable::ChangePersistence(char persistence) {
  Catalogue& c = e_.catalogue;
  Relation& r = table();
  if (r.kind == 'S') {
    r.persistence = persistence;
    return absl::OkStatus();
  }
  if (r.persistence == 't') return e_.Fail("42P16", "cannot change logged status of a temporary table");
  if (r.persistence == persistence && !r.assumed) return absl::OkStatus();
  for (const auto& [oid, key] : c.constraints) {
    if (key.kind != 'f') continue;
    if (persistence == 'p' && key.table == table_ && key.referenced != table_) {
      e_.Lock(key.referenced, LockMode::kAccessShare);
      const Relation* other = c.relation(key.referenced);
      if (other != nullptr && other->persistence == 'u')
        return e_.Fail("42P16",
                       absl::StrCat("could not change table ", TableName(),
                                    " to logged because it references unlogged table ", other->name));
    }
    if (persistence == 'u' && key.referenced == table_ && key.table != table_) {
      e_.Lock(key.table, LockMode::kAccessShare);
      const Relation* other = c.relation(key.table);
      if (other != nullptr && other->persistence == 'p')
        return e_.Fail("42P16",
                       absl::StrCat("could not change table ", TableName(),
                                    " to unlogged because it is referenced by logged table ", other->name));
    }
  }
  r.persistence = persistence;
  Rewrite(table_,
          absl::StrCat("all rows of ", TableName(), " are written anew",
                       persistence == 'p' ? ", and to the WAL" : "; a crash then empties the table"),
          "");
  for (Oid sequence : OwnedSequences(table_, 0, false)) e_.Lock(sequence, LockMode::kAccessExclusive);
  return absl::OkStatus();
}

absl::Status AlterTable::ChangeTablespace(const Cmd& cmd) {
  Relation& r = table();
  const std::string to =
      cmd.name() == e_.catalogue.settings["default_tablespace"] || cmd.name() == "pg_default" ? ""
                                                                                              : cmd.name();
  if (e_.catalogue.complete && e_.catalogue.tablespaces.count(cmd.name()) == 0)
    return e_.Fail("42704", absl::StrCat("tablespace \"", cmd.name(), "\" does not exist"));
  if (r.tablespace == to && !r.assumed) return absl::OkStatus();
  r.tablespace = to;
  if (r.kind == 'p' || r.kind == 'I') return absl::OkStatus();
  if (r.IsIndex()) {
    // The file is copied; its table's rows are not read.
    return absl::OkStatus();
  }
  e_.Rewrite(table_, absl::StrCat("the files of ", TableName(), " are copied"), "", false);
  return absl::OkStatus();
}

absl::Status AlterTable::ChangeMethod(const Cmd& cmd) {
  Relation& r = table();
  if (r.kind == 'p') return e_.Fail("42809", "cannot change access method of a partitioned table");
  bool there = !e_.catalogue.complete;
  for (const auto& [oid, method] : e_.catalogue.methods) {
    there |= method.name == cmd.name();
    if (method.name == cmd.name() && oid == r.method) return absl::OkStatus();
  }
  if (!there) return e_.Fail("42704", absl::StrCat("access method \"", cmd.name(), "\" does not exist"));
  Rewrite(table_, absl::StrCat("all rows of ", TableName(), " are written in another access method"), "");
  return absl::OkStatus();
}

absl::Status AlterTable::ReplicaIdentity(const Cmd& cmd) {
  const auto& identity = cmd.def().replica_identity_stmt();
  if (identity.identity_type() != "i") return absl::OkStatus();
  Relation* index = FindRelation(e_, table().schema, identity.name(), Assume::kIndex);
  if (index == nullptr)
    return e_.Fail("42704", absl::StrCat("index \"", identity.name(), "\" does not exist"));
  e_.Lock(index->oid, LockMode::kShare);
  if (index->assumed) return absl::OkStatus();
  const IndexPart& part = index->index;
  if (part.table != table_)
    return e_.Fail("42809", absl::StrCat("\"", index->name, "\" is not an index for table ", TableName()));
  if (!part.unique)
    return e_.Fail("42809",
                   absl::StrCat("cannot use non-unique index \"", index->name, "\" as replica identity"));
  if (!part.immediate) return e_.Fail("0A000", "cannot use non-immediate index as replica identity");
  if (!part.expressions.empty()) return e_.Fail("0A000", "cannot use expression index as replica identity");
  if (!part.predicate.empty()) return e_.Fail("0A000", "cannot use partial index as replica identity");
  for (int i = 0; i < part.key_count; ++i) {
    const Column* column = table().ByNumber(part.columns[i]);
    if (column != nullptr && !column->not_null)
      return e_.Fail("42809", absl::StrCat("index \"", index->name,
                                           "\" cannot be used as replica identity because column \"",
                                           column->name, "\" is nullable"));
  }
  return absl::OkStatus();
}

absl::Status AlterTable::ClusterOn(const Cmd& cmd) {
  Relation* index = FindRelation(e_, table().schema, cmd.name(), Assume::kIndex);
  if (index == nullptr) return e_.Fail("42704", absl::StrCat("index \"", cmd.name(), "\" does not exist"));
  e_.Lock(index->oid, level_);
  for (Oid other : e_.catalogue.Indexes(table_))
    e_.catalogue.relation(other)->index.clustered = other == index->oid;
  return absl::OkStatus();
}

absl::Status AlterTable::RowSecurity(const Cmd& cmd) {
  const bool on =
      cmd.subtype() == pg_query::AT_EnableRowSecurity || cmd.subtype() == pg_query::AT_ForceRowSecurity;
  if (on && !e_.IsNew(table_))
    e_.Warn("breaks-applications", Severity::kWarning,
            absl::StrCat("rows of ", TableName(),
                         " that no policy lets through vanish for applications at once"));
  if (cmd.subtype() == pg_query::AT_EnableRowSecurity) table().row_security = true;
  if (cmd.subtype() == pg_query::AT_DisableRowSecurity) table().row_security = false;
  return absl::OkStatus();
}

}  // namespace curlew::lint
