#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/alter_table.h"
#include "common/lint/coercion.h"
#include "common/lint/statements.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

// --- SET SCHEMA ---

absl::Status SetSchema(Effects& e, const pg_query::AlterObjectSchemaStmt& statement) {
  Catalogue& c = e.catalogue;
  if (!statement.has_relation()) {
    e.Warn("breaks-applications", Severity::kWarning,
           "statements that use the object by its old schema fail from then on");
    return absl::OkStatus();
  }
  Relation* r = FindRelation(e, statement.relation());
  if (r == nullptr) {
    if (statement.missing_ok()) return absl::OkStatus();
    return e.Fail("42P01", absl::StrCat("relation \"", statement.relation().relname(), "\" does not exist"));
  }
  const Oid oid = r->oid;
  e.Lock(oid, LockMode::kAccessExclusive);
  if (r->schema != statement.newschema() && c.FindRelation(statement.newschema(), r->name) != nullptr)
    return e.Fail("42P07", absl::StrCat("relation \"", r->name, "\" already exists in schema \"",
                                        statement.newschema(), "\""));
  for (const Dependency& d : c.dependencies) {
    if (r->kind == 'S' && d.object == Address{kPgClass, oid, 0} && (d.kind == 'a' || d.kind == 'i'))
      return e.Fail("0A000", "cannot move an owned sequence into another schema");
  }
  if (r->kind == 'r' || r->kind == 'p' || r->kind == 'm') {
    std::set<Oid> of_constraints;
    for (const auto& [id, constraint] : c.constraints) {
      if (constraint.table == oid && constraint.kind != 'f') of_constraints.insert(constraint.index);
    }
    for (Oid index : c.Indexes(oid)) {
      if (of_constraints.count(index) == 0) e.Lock(index, LockMode::kAccessExclusive);
    }
    for (const Dependency& d : c.dependencies) {
      const Relation* s = d.referenced.catalogue == kPgClass && d.referenced.id == oid &&
                                  d.referenced.sub != 0 && d.object.catalogue == kPgClass
                              ? c.relation(d.object.id)
                              : nullptr;
      if (s != nullptr && s->kind == 'S') e.Lock(s->oid, LockMode::kAccessExclusive);
    }
  }
  if (!e.IsNew(oid))
    e.Warn("breaks-applications", Severity::kWarning,
           absl::StrCat("statements that find ", e.QuotedName(*r), " in its old schema fail from then on"));
  e.Rename(*r, statement.newschema(), r->name);
  return absl::OkStatus();
}

// --- COMMENT ---

absl::Status Comment(Effects& e, const pg_query::CommentStmt& comment) {
  const std::vector<std::string> parts =
      comment.object().has_list() ? Strings(comment.object().list().items()) : std::vector<std::string>();
  const auto relation = [&](size_t drop, LockMode mode, Assume assume) -> absl::Status {
    if (parts.size() <= drop) return absl::OkStatus();
    const size_t last = parts.size() - drop - 1;
    Relation* r = FindRelation(e, last > 0 ? parts[last - 1] : "", parts[last], assume);
    if (r == nullptr) return e.Fail("42P01", absl::StrCat("relation \"", parts[last], "\" does not exist"));
    e.Lock(r->oid, mode);
    if (drop == 1 && mode == LockMode::kShareUpdateExclusive && !r->assumed &&
        r->Find(parts.back()) == nullptr)
      return e.Fail("42703", absl::StrCat("column \"", parts.back(), "\" of relation ", e.QuotedName(*r),
                                          " does not exist"));
    return absl::OkStatus();
  };
  switch (comment.objtype()) {
    case pg_query::OBJECT_TABLE:
    case pg_query::OBJECT_FOREIGN_TABLE:
      return relation(0, LockMode::kShareUpdateExclusive, Assume::kTable);
    case pg_query::OBJECT_VIEW:
      return relation(0, LockMode::kShareUpdateExclusive, Assume::kView);
    case pg_query::OBJECT_MATVIEW:
      return relation(0, LockMode::kShareUpdateExclusive, Assume::kMaterializedView);
    case pg_query::OBJECT_INDEX:
      return relation(0, LockMode::kShareUpdateExclusive, Assume::kIndex);
    case pg_query::OBJECT_SEQUENCE:
      return relation(0, LockMode::kShareUpdateExclusive, Assume::kSequence);
    case pg_query::OBJECT_COLUMN:
      return relation(1, LockMode::kShareUpdateExclusive, Assume::kTable);
    case pg_query::OBJECT_TABCONSTRAINT:
    case pg_query::OBJECT_TRIGGER:
    case pg_query::OBJECT_RULE:
    case pg_query::OBJECT_POLICY:
      return relation(1, LockMode::kAccessShare, Assume::kTable);
    default:
      return absl::OkStatus();
  }
}

// --- Types and domains ---

// validateDomainConstraint: every table with a column of the domain.
absl::Status ReadTablesOf(Effects& e, Oid domain) {
  Catalogue& c = e.catalogue;
  std::set<Oid> composites;
  for (const auto& [oid, r] : c.relations) {
    const bool uses = std::any_of(r.columns.begin(), r.columns.end(),
                                  [&](const Column& col) { return col.type == domain; });
    if (!uses) continue;
    e.Lock(oid, LockMode::kShare);
    if (r.kind == 'r' || r.kind == 'm') {
      e.Scan(oid,
             absl::StrCat("all rows of ", e.QuotedName(r),
                          " are read to check the domain, and nobody can write meanwhile"),
             "ALTER DOMAIN ... ADD CONSTRAINT ... NOT VALID;  -- then VALIDATE CONSTRAINT, which reads under "
             "the same lock");
    } else if (r.kind == 'c') {
      composites.insert(oid);
    }
  }
  for (Oid composite : composites) {
    const Oid type = c.relation(composite)->row_type;
    for (const auto& [oid, r] : c.relations) {
      for (const Column& column : r.columns) {
        if (type == 0 || r.kind != 'r' || (column.type != type && ElementOf(c, column.type) != type))
          continue;
        e.Lock(composite, LockMode::kShare);
        e.Lock(oid, LockMode::kAccessShare);
        const Type* t = c.type(domain);
        return e.Fail("0A000", absl::StrCat("cannot alter type \"", t == nullptr ? "?" : t->name,
                                            "\" because column \"", r.name, ".", column.name, "\" uses it"));
      }
    }
  }
  for (const auto& [oid, r] : c.relations) {
    for (const Column& column : r.columns) {
      if (r.kind != 'r' || ElementOf(c, column.type) != domain) continue;
      e.Lock(oid, LockMode::kAccessShare);
      return e.Fail("0A000", absl::StrCat("cannot alter the domain because column \"", r.name, ".",
                                          column.name, "\" uses it"));
    }
  }
  std::vector<Oid> above;
  for (const auto& [oid, t] : c.types) {
    if (t.kind == 'd' && t.base == domain) above.push_back(oid);
  }
  for (Oid type : above) RETURN_IF_ERROR(ReadTablesOf(e, type));
  return absl::OkStatus();
}

absl::Status Domain(Effects& e, const pg_query::AlterDomainStmt& statement) {
  Catalogue& c = e.catalogue;
  pg_query::TypeName name;
  *name.mutable_names() = statement.type_name();
  const Oid domain = ResolveType(e, name).type;
  if (domain == 0) {
    if (c.complete)
      return e.Fail("42704",
                    absl::StrCat("type \"", NameParts(statement.type_name()).second, "\" does not exist"));
    const bool reads = statement.subtype() == "O" || statement.subtype() == "V" ||
                       (statement.subtype() == "C" && !statement.def().constraint().skip_validation());
    e.scans |= reads;
    e.blocks_unseen_writes |= reads;
    if (reads)
      e.Warn("scans-under-lock", Severity::kError,
             "every table with a column of the domain is read, and nobody can write to it meanwhile");
    return absl::OkStatus();
  }
  const std::string& kind = statement.subtype();
  if (kind == "C") {
    Constraint check;
    check.oid = c.NewOid();
    check.domain = domain;
    check.name = statement.def().constraint().conname();
    check.validated = !statement.def().constraint().skip_validation();
    for (const auto& [oid, other] : c.constraints) {
      if (other.domain == domain && other.name == check.name && !check.name.empty())
        return e.Fail("42710", absl::StrCat("constraint \"", check.name, "\" for the domain already exists"));
    }
    if (check.validated) RETURN_IF_ERROR(ReadTablesOf(e, domain));
    c.constraints[check.oid] = check;
  } else if (kind == "O") {
    RETURN_IF_ERROR(ReadTablesOf(e, domain));
    c.types[domain].not_null = true;
  } else if (kind == "N") {
    c.types[domain].not_null = false;
  } else if (kind == "V" || kind == "X") {
    auto found = std::find_if(c.constraints.begin(), c.constraints.end(), [&](const auto& k) {
      return k.second.domain == domain && k.second.name == statement.name();
    });
    if (found == c.constraints.end()) {
      if (statement.missing_ok()) return absl::OkStatus();
      return e.Fail("42704", absl::StrCat("constraint \"", statement.name(), "\" of domain does not exist"));
    }
    if (kind == "X") {
      c.constraints.erase(found);
    } else {
      RETURN_IF_ERROR(ReadTablesOf(e, domain));
      found->second.validated = true;
    }
  }
  return absl::OkStatus();
}

absl::Status Enum(Effects& e, const pg_query::AlterEnumStmt& statement) {
  pg_query::TypeName name;
  *name.mutable_names() = statement.type_name();
  const Oid type = ResolveType(e, name).type;
  if (type == 0) {
    if (e.catalogue.complete)
      return e.Fail("42704",
                    absl::StrCat("type \"", NameParts(statement.type_name()).second, "\" does not exist"));
    return absl::OkStatus();
  }
  std::vector<std::string>& values = e.catalogue.enum_values[type];
  const auto has = [&](const std::string& v) { return std::count(values.begin(), values.end(), v) > 0; };
  if (statement.old_val().empty()) {
    if (has(statement.new_val())) {
      if (statement.skip_if_new_val_exists()) return absl::OkStatus();
      return e.Fail("42710", absl::StrCat("enum label \"", statement.new_val(), "\" already exists"));
    }
    if (!statement.new_val_neighbor().empty() && e.catalogue.complete && !has(statement.new_val_neighbor()))
      return e.Fail("22023",
                    absl::StrCat("\"", statement.new_val_neighbor(), "\" is not an existing enum label"));
    values.push_back(statement.new_val());
  } else {
    if (e.catalogue.complete && !has(statement.old_val()))
      return e.Fail("22023", absl::StrCat("\"", statement.old_val(), "\" is not an existing enum label"));
    if (has(statement.new_val()))
      return e.Fail("42710", absl::StrCat("enum label \"", statement.new_val(), "\" already exists"));
    std::replace(values.begin(), values.end(), statement.old_val(), statement.new_val());
    e.Warn("breaks-applications", Severity::kWarning,
           absl::StrCat("applications that write or compare with '", statement.old_val(),
                        "' fail from then on"));
  }
  return absl::OkStatus();
}

// --- Sequences, owners ---

absl::Status Sequence(Effects& e, const pg_query::AlterSeqStmt& alter) {
  Relation* r = FindRelation(e, alter.sequence(), Assume::kSequence);
  if (r == nullptr) {
    if (alter.missing_ok()) return absl::OkStatus();
    return e.Fail("42P01", absl::StrCat("relation \"", alter.sequence().relname(), "\" does not exist"));
  }
  e.Lock(r->oid, LockMode::kShareRowExclusive);
  if (r->kind != 'S') return e.Fail("42809", absl::StrCat("\"", r->name, "\" is not a sequence"));
  const Oid oid = r->oid;
  const bool identity =
      std::any_of(e.catalogue.dependencies.begin(), e.catalogue.dependencies.end(), [&](const auto& d) {
        return d.object == Address{kPgClass, oid, 0} && d.kind == 'i';
      });
  for (const Node& option : alter.options()) {
    if (option.def_elem().defname() == "as") {
      const std::string type = NameParts(option.def_elem().arg().type_name().names()).second;
      if (type != "int2" && type != "int4" && type != "int8")
        return e.Fail("22023", "sequence type must be smallint, integer, or bigint");
    }
    if (option.def_elem().defname() != "owned_by") continue;
    if (identity) return e.Fail("0A000", "cannot change ownership of identity sequence");
    const std::vector<std::string> parts = Strings(option.def_elem().arg().list().items());
    if (parts.size() < 2) continue;
    Relation* table =
        FindRelation(e, parts.size() > 2 ? parts[parts.size() - 3] : "", parts[parts.size() - 2]);
    if (table == nullptr)
      return e.Fail("42P01", absl::StrCat("relation \"", parts[parts.size() - 2], "\" does not exist"));
    e.Lock(table->oid, LockMode::kAccessShare);
    const Column* column = table->Find(parts.back());
    if (table->schema != r->schema && !table->assumed)
      return e.Fail("55000", "sequence must be in same schema as table it is linked to");
    if (column == nullptr && !table->assumed)
      return e.Fail("42703", absl::StrCat("column \"", parts.back(), "\" of relation ", e.QuotedName(*table),
                                          " does not exist"));
    std::erase_if(e.catalogue.dependencies, [oid](const Dependency& d) {
      return d.object == Address{kPgClass, oid, 0} && d.kind == 'a';
    });
    if (column != nullptr)
      e.catalogue.Depend({kPgClass, oid, 0}, {kPgClass, table->oid, column->number}, 'a');
  }
  return absl::OkStatus();
}

absl::Status Reassign(Effects& e, const pg_query::ReassignOwnedStmt& reassign) {
  std::set<std::string> roles;
  for (const Node& role : reassign.roles()) roles.insert(role.role_spec().rolename());
  std::vector<Oid> owned;
  for (const auto& [oid, r] : e.catalogue.relations) {
    if (roles.count(r.owner) > 0 && r.kind != 'c') owned.push_back(oid);
  }
  e.Lock(owned, LockMode::kAccessExclusive);
  return absl::OkStatus();
}

absl::Status MoveAll(Effects& e, const pg_query::AlterTableMoveAllStmt& move) {
  std::vector<Oid> moved;
  const std::string from = move.orig_tablespacename() == "pg_default" ? "" : move.orig_tablespacename();
  for (const auto& [oid, r] : e.catalogue.relations) {
    if (r.tablespace != from || r.kind == 'c' || r.kind == 'v' || r.kind == 'S' || r.kind == 'f') continue;
    const bool wanted = move.objtype() == pg_query::OBJECT_INDEX     ? r.IsIndex()
                        : move.objtype() == pg_query::OBJECT_MATVIEW ? r.kind == 'm'
                                                                     : r.IsTable();
    if (wanted) moved.push_back(oid);
  }
  for (Oid oid : moved) {
    e.Lock(oid, LockMode::kAccessExclusive);
    if (e.catalogue.relation(oid)->kind == 'r')
      e.Rewrite(oid, absl::StrCat("the files of ", e.Name(oid), " are copied"), "", false);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LintAlterObject(Effects& e, const Node& node) {
  switch (node.node_case()) {
    case Node::kRenameStmt:
      return LintRename(e, node.rename_stmt());
    case Node::kAlterObjectSchemaStmt:
      return SetSchema(e, node.alter_object_schema_stmt());
    case Node::kCommentStmt:
      return Comment(e, node.comment_stmt());
    case Node::kAlterDomainStmt:
      return Domain(e, node.alter_domain_stmt());
    case Node::kAlterEnumStmt:
      return Enum(e, node.alter_enum_stmt());
    case Node::kAlterSeqStmt:
      return Sequence(e, node.alter_seq_stmt());
    case Node::kReassignOwnedStmt:
      return Reassign(e, node.reassign_owned_stmt());
    case Node::kAlterObjectDependsStmt: {
      const auto& depends = node.alter_object_depends_stmt();
      if (!depends.has_relation()) return absl::OkStatus();
      const bool trigger = depends.object_type() == pg_query::OBJECT_TRIGGER;
      ASSIGN_OR_RETURN(Relation * r,
                       NeedRelation(e, depends.relation(), trigger ? Assume::kTable : Assume::kIndex));
      e.Lock(r->oid, trigger ? LockMode::kAccessShare : LockMode::kAccessExclusive);
      return absl::OkStatus();
    }
    case Node::kAlterExtensionContentsStmt: {
      const auto& contents = node.alter_extension_contents_stmt();
      if (!contents.object().has_list()) return absl::OkStatus();
      switch (contents.objtype()) {
        case pg_query::OBJECT_TABLE:
        case pg_query::OBJECT_VIEW:
        case pg_query::OBJECT_MATVIEW:
        case pg_query::OBJECT_SEQUENCE:
        case pg_query::OBJECT_FOREIGN_TABLE:
          if (const Relation* r = FindRelation(e, contents.object().list().items()))
            e.Lock(r->oid, LockMode::kShareUpdateExclusive);
          return absl::OkStatus();
        default:
          return absl::OkStatus();
      }
    }
    case Node::kAlterOwnerStmt: {
      const auto& owner = node.alter_owner_stmt();
      if (owner.object_type() != pg_query::OBJECT_TYPE) return absl::OkStatus();
      pg_query::TypeName name;
      *name.mutable_names() = owner.object().list().items();
      const Type* type = e.catalogue.type(ResolveType(e, name).type);
      if (type != nullptr && type->relation != 0) e.Lock(type->relation, LockMode::kAccessExclusive);
      return absl::OkStatus();
    }
    case Node::kAlterTableMoveAllStmt:
      return MoveAll(e, node.alter_table_move_all_stmt());
    case Node::kGrantStmt:
      if (!node.grant_stmt().is_grant())
        e.Warn("breaks-applications", Severity::kWarning, "who works by these privileges fails from then on");
      return absl::OkStatus();
    default:
      return absl::OkStatus();
  }
}

}  // namespace curlew::lint
