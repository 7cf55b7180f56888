#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/alter_table.h"
#include "common/lint/deparse.h"
#include "common/lint/statements.h"
#include "common/sql/identifier.h"
#include "common/sql/parser.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

bool Has(const pg_query::ColumnDef& column, pg_query::ConstrType type) {
  return std::any_of(column.constraints().begin(), column.constraints().end(),
                     [type](const Node& n) { return n.constraint().contype() == type; });
}

const pg_query::Constraint* FindConstraint(const pg_query::ColumnDef& column, pg_query::ConstrType type) {
  for (const Node& node : column.constraints()) {
    if (node.constraint().contype() == type) return &node.constraint();
  }
  return nullptr;
}

bool IsNullConstant(const Node& node) {
  if (node.has_type_cast()) return IsNullConstant(node.type_cast().arg());
  return node.has_a_const() && node.a_const().isnull();
}

// Whether a constant default can be a value of the type, as far as that is plain.
bool FitsType(const Type* type, const Node& expression) {
  if (type == nullptr || !expression.has_a_const() || !expression.a_const().has_sval()) return true;
  const std::string& text = expression.a_const().sval().sval();
  double number = 0;
  int64_t integer = 0;
  if (type->name == "int2" || type->name == "int4" || type->name == "int8")
    return absl::SimpleAtoi(text, &integer);
  if (type->name == "numeric" || type->name == "float4" || type->name == "float8")
    return absl::SimpleAtod(text, &number);
  return true;
}

bool HasVolatileDefault(const Effects& e, const Type& type, std::string* call) {
  for (const Type* t = &type; t != nullptr && t->kind == 'd'; t = e.catalogue.type(t->base)) {
    if (t->default_expression.empty()) continue;
    const auto tree = ParseExpression(t->default_expression);
    return tree.has_value() && IsVolatile(e, *tree, call);
  }
  return false;
}

}  // namespace

void AlterTable::LockSequences(const Node& expression) {
  sql::Walk(expression, [this](const google::protobuf::Message& m) {
    if (m.GetDescriptor() != pg_query::FuncCall::descriptor()) return true;
    if (Relation* sequence = SequenceOf(e_, static_cast<const pg_query::FuncCall&>(m)); sequence != nullptr)
      e_.Lock(sequence->oid, LockMode::kRowExclusive);
    return true;
  });
}

bool HasConstraints(const Catalogue& c, Oid domain) {
  for (const Type* t = c.type(domain); t != nullptr && t->kind == 'd'; t = c.type(t->base)) {
    if (t->not_null) return true;
    for (const auto& [oid, constraint] : c.constraints) {
      if (constraint.domain == t->oid) return true;
    }
  }
  return false;
}

Oid BaseType(const Catalogue& c, Oid type, int* typmod) {
  const Type* t = c.type(type);
  while (t != nullptr && t->kind == 'd') {
    *typmod = t->base_typmod;
    type = t->base;
    t = c.type(type);
  }
  return type;
}

// A column of a composite type makes PostgreSQL look into that type's relation.
void AlterTable::LockTypeRelation(Oid type) {
  const Type* t = e_.catalogue.type(type);
  while (t != nullptr && (t->kind == 'd' || t->element != 0)) {
    if (t->kind != 'd' && t->array != 0) break;
    t = e_.catalogue.type(t->kind == 'd' ? t->base : t->element);
  }
  if (t != nullptr && t->kind == 'c' && t->relation != 0) e_.Lock(t->relation, LockMode::kAccessShare);
}

absl::Status AlterTable::AddColumn(const pg_query::ColumnDef& column, bool recurse, bool missing_ok) {
  return AddColumnTo(table_, column, recurse, missing_ok, false);
}

absl::Status AlterTable::AddColumnTo(Oid oid, const pg_query::ColumnDef& def, bool recurse, bool missing_ok,
                                     bool inherited) {
  Catalogue& c = e_.catalogue;
  Relation& r = *c.relation(oid);
  const std::string name = e_.QuotedName(r);
  if (r.partition && !inherited) return e_.Fail("42809", "cannot add column to a partition");
  if (r.of_type != 0 && !creating_) return e_.Fail("42809", "cannot add column to typed table");
  if (const Column* there = r.Find(def.colname()); there != nullptr && !(r.assumed && there->type == 0)) {
    if (!missing_ok && !inherited)
      return e_.Fail("42701",
                     absl::StrCat("column \"", def.colname(), "\" of relation ", name, " already exists"));
    if (missing_ok) return absl::OkStatus();
  }
  static const auto* const system =
      new std::set<std::string>{"ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"};
  if (system->count(def.colname()) > 0)
    return e_.Fail("42701",
                   absl::StrCat("column name \"", def.colname(), "\" conflicts with a system column name"));
  const TypeUse use = ResolveType(e_, def.type_name());
  if (use.type == 0 && c.complete)
    return e_.Fail("42704",
                   absl::StrCat("type \"", NameParts(def.type_name().names()).second, "\" does not exist"));
  LockTypeRelation(use.type);
  const Type* type = c.type(use.type);
  TableWork& work = Work(oid);

  Column column;
  column.number = 1;
  for (const Column& other : r.columns) column.number = std::max(column.number, other.number + 1);
  column.name = def.colname();
  column.type = use.type;
  column.typmod = use.typmod;
  if (type != nullptr) column.collation = type->collation;
  column.local = !inherited;
  column.inherited = inherited ? 1 : 0;
  column.not_null = Has(def, pg_query::CONSTR_NOTNULL) || Has(def, pg_query::CONSTR_PRIMARY) ||
                    Has(def, pg_query::CONSTR_IDENTITY) || use.serial;

  const pg_query::Constraint* const given = FindConstraint(def, pg_query::CONSTR_DEFAULT);
  const pg_query::Constraint* const identity = FindConstraint(def, pg_query::CONSTR_IDENTITY);
  std::string volatile_call;
  if (given != nullptr && !ColumnsOf(given->raw_expr()).empty())
    return e_.Fail("0A000", "cannot use column reference in DEFAULT expression");
  if (given != nullptr && !FitsType(type, given->raw_expr()))
    return e_.Fail("22P02", absl::StrCat("invalid input for type ", type->name, ": \"",
                                         ConstantText(given->raw_expr()), "\""));
  if (const auto* generated = FindConstraint(def, pg_query::CONSTR_GENERATED);
      generated != nullptr && c.complete && IsMutable(e_, generated->raw_expr()))
    return e_.Fail("42P17", "generation expression is not immutable");
  std::string rewrite;  // why
  if (use.serial) {
    rewrite = absl::StrCat("every row gets a number of the sequence of ", def.colname());
  } else if (identity != nullptr) {
    rewrite = absl::StrCat("every row gets a number of the identity column ", def.colname());
    column.identity = identity->generated_when() == "d" ? 'd' : 'a';
  } else if (Has(def, pg_query::CONSTR_GENERATED)) {
    rewrite = absl::StrCat("the generated column ", def.colname(), " is computed for every row");
    column.generated = 's';
  } else if (given != nullptr && IsVolatile(e_, given->raw_expr(), &volatile_call)) {
    rewrite = absl::StrCat("the default of ", def.colname(), " calls ", volatile_call,
                           ", which is volatile: it is computed for every row");
  } else if (type != nullptr && given == nullptr && HasVolatileDefault(e_, *type, &volatile_call)) {
    rewrite = absl::StrCat("the domain ", type->name, " of ", def.colname(), " has a default that calls ",
                           volatile_call, ", which is volatile: it is computed for every row");
  } else if (type != nullptr && type->kind == 'd' && HasConstraints(c, use.type)) {
    rewrite = absl::StrCat("the domain ", type->name, " of ", def.colname(),
                           " has constraints, which PostgreSQL checks by writing every row anew");
  }
  if (!rewrite.empty()) {
    const std::string quoted = sql::Ident(def.colname());
    std::string safe =
        absl::StrCat("ALTER TABLE ", name, " ADD COLUMN ", quoted, " ", TypeText(def.type_name()), ";\n");
    if (given != nullptr) {
      const std::string value = DeparseExpression(given->raw_expr());
      absl::StrAppend(
          &safe, "ALTER TABLE ", name, " ALTER COLUMN ", quoted, " SET DEFAULT ", value,
          ";  -- for new rows\n-- then the rows that there are, in batches, each committed:\nUPDATE ", name,
          " SET ", quoted, " = ", value, " WHERE ", quoted, " IS NULL AND ...;");
    } else {
      absl::StrAppend(
          &safe,
          "-- without a value at first; a trigger gives one to rows that are written; then the rows that\n",
          "-- there are, in batches, each committed:\nUPDATE ", name, " SET ", quoted, " = ... WHERE ",
          quoted, " IS NULL AND ...;");
    }
    Rewrite(oid, rewrite, std::move(safe));
  }
  bool has_value = use.serial || identity != nullptr || column.generated != 0;
  if (given != nullptr && !IsNullConstant(given->raw_expr())) has_value = true;
  if (type != nullptr && type->kind == 'd' && type->has_default) has_value = true;
  column.has_default = has_value && column.generated == 0;
  bool domain_refuses_null = false;
  for (const Type* t = type; t != nullptr && t->kind == 'd'; t = c.type(t->base))
    domain_refuses_null |= t->not_null;
  if ((column.not_null || domain_refuses_null) && !has_value) work.empty_columns.push_back(def.colname());
  if (given != nullptr && !rewrite.empty() && r.has_rows) LockSequences(given->raw_expr());
  if (type == nullptr && !e_.IsNew(oid) && !c.complete) {
    e_.Warn("unknown-effect", Severity::kNotice,
            absl::StrCat("the type ", NameParts(def.type_name().names()).second,
                         " is not known here: if it is a domain with constraints, ", name, " is rewritten"));
  }
  r.columns.push_back(column);
  if (column.not_null && column.has_default && use.serial) {
    Relation sequence;
    sequence.oid = c.NewOid();
    sequence.schema = r.schema;
    sequence.name = ChooseName(e_, r, {def.colname()}, "seq");
    sequence.kind = 'S';
    e_.session.created.insert(sequence.oid);
    c.Depend({kPgClass, sequence.oid, 0}, {kPgClass, oid, column.number}, 'a');
    c.AddRelation(std::move(sequence));
  }
  if (!inherited) {
    for (const Node& node : def.constraints()) {
      RETURN_IF_ERROR(AddConstraint(node.constraint(), def.colname(), recurse));
    }
  } else {
    for (const Node& node : def.constraints()) {
      if (node.constraint().contype() == pg_query::CONSTR_CHECK)
        Scan(oid, absl::StrCat("every row is checked for ", def.colname()), "");
    }
  }
  const std::vector<Oid> children = c.Children(oid);
  if (!recurse && !children.empty()) {
    e_.Lock(children, level_);
    return e_.Fail("42P16", "column must be added to child tables too");
  }
  e_.Lock(children, level_);
  for (Oid child : children) RETURN_IF_ERROR(AddColumnTo(child, def, recurse, false, true));
  return absl::OkStatus();
}

absl::Status AlterTable::DropColumn(const Cmd& cmd) {
  Catalogue& c = e_.catalogue;
  Relation& r = table();
  const Column* column = r.Find(cmd.name());
  if (column == nullptr && !r.assumed) {
    if (cmd.missing_ok()) return absl::OkStatus();
    return e_.Fail("42703",
                   absl::StrCat("column \"", cmd.name(), "\" of relation ", TableName(), " does not exist"));
  }
  if (!e_.IsNew(table_)) {
    e_.Warn(
        "breaks-applications", Severity::kWarning,
        absl::StrCat("column ", cmd.name(), " of ", TableName(),
                     " goes: statements that still name it fail, and its data is gone"),
        absl::StrCat(
            "-- first deploy applications that do not name it any more; then:\nSET lock_timeout = '500ms';\n",
            "ALTER TABLE ", TableName(), " DROP COLUMN ", sql::Ident(cmd.name()), ";"));
  }
  if (column == nullptr) return absl::OkStatus();
  if (r.of_type != 0) return e_.Fail("42809", "cannot drop column from typed table");
  const int number = column->number;
  if (column->inherited > 0)
    return e_.Fail("42P16", absl::StrCat("cannot drop inherited column \"", cmd.name(), "\""));
  if (std::count(r.key_columns.begin(), r.key_columns.end(), number) > 0) {
    return e_.Fail("42P16",
                   absl::StrCat("cannot drop column \"", cmd.name(),
                                "\" because it is part of the partition key of relation ", TableName()));
  }
  // The children are locked also where they keep the column.
  e_.Lock(Recurses() ? c.AllInheritors(table_) : c.Children(table_), level_);
  if (!Recurses() && r.kind == 'p' && !c.Children(table_).empty())
    return e_.Fail("42P16", "cannot drop column from only the partitioned table when partitions exist");
  const std::vector<Oid> children = Recurses() ? c.AllInheritors(table_) : std::vector<Oid>{table_};
  std::vector<Address> objects;
  for (Oid child : children) {
    if (const Column* own = c.relation(child)->Find(cmd.name());
        own != nullptr && (child == table_ || (own->inherited == 1 && !own->local))) {
      objects.push_back({kPgClass, child, own->number});
    }
  }
  return Delete(e_, objects,
                cmd.behavior() == pg_query::DROP_CASCADE ? Behaviour::kCascade : Behaviour::kRestrict);
}

absl::Status AlterTable::SetNotNullFor(const std::string& name, bool recurse) {
  Catalogue& c = e_.catalogue;
  ASSIGN_OR_RETURN(Column * column, NeedColumn(table(), name));
  // Where the parent has it, so have the children.
  const bool below = !column->not_null && !c.Children(table_).empty() && (recurse || table().kind == 'p');
  const std::vector<Oid> all = below ? c.AllInheritors(table_) : std::vector<Oid>{table_};
  e_.Lock(all, level_);
  if (below && !recurse) {
    for (Oid child : all) {
      const Column* own = c.relation(child)->Find(name);
      if (child != table_ && own != nullptr && !own->not_null)
        return e_.Fail("42P16", "constraint must be added to child tables too");
    }
    return SetNotNull(table_, name);
  }
  for (Oid child : all) RETURN_IF_ERROR(SetNotNull(child, name));
  return absl::OkStatus();
}

absl::Status AlterTable::SetNotNull(Oid oid, const std::string& name) {
  Relation& r = *e_.catalogue.relation(oid);
  ASSIGN_OR_RETURN(Column * column, NeedColumn(r, name));
  if (column->not_null) return absl::OkStatus();
  const bool proved = SomeCheckProvesNotNull(e_, r, name);
  column = r.Find(name);
  column->not_null = true;
  if (proved || r.kind == 'p') return absl::OkStatus();
  const std::string table = e_.QuotedName(r), quoted = sql::Ident(name);
  Scan(oid, absl::StrCat("all rows of ", table, " are read to see that ", name, " is never NULL"),
       absl::StrCat("ALTER TABLE ", table, " ADD CONSTRAINT ", sql::Ident(r.name + "_" + name + "_not_null"),
                    " CHECK (", quoted, " IS NOT NULL) NOT VALID;\nALTER TABLE ", table,
                    " VALIDATE CONSTRAINT ", sql::Ident(r.name + "_" + name + "_not_null"), ";\nALTER TABLE ",
                    table, " ALTER COLUMN ", quoted, " SET NOT NULL;  -- proved, no scan\nALTER TABLE ",
                    table, " DROP CONSTRAINT ", sql::Ident(r.name + "_" + name + "_not_null"), ";"));
  return absl::OkStatus();
}

absl::Status AlterTable::DropNotNull(const std::string& name) {
  Catalogue& c = e_.catalogue;
  LockBelow(table_);
  ASSIGN_OR_RETURN(Column * column, NeedColumn(table(), name));
  if (column->identity != 0)
    return e_.Fail("42601",
                   absl::StrCat("column \"", name, "\" of relation ", TableName(), " is an identity column"));
  for (Oid index : c.Indexes(table_)) {
    const IndexPart& part = c.relation(index)->index;
    if (part.primary &&
        std::count(part.columns.begin(), part.columns.begin() + part.key_count, column->number) > 0)
      return e_.Fail("42P16", absl::StrCat("column \"", name, "\" is in a primary key"));
    if (part.replica_identity && std::count(part.columns.begin(), part.columns.end(), column->number) > 0)
      return e_.Fail("42P16", absl::StrCat("column \"", name, "\" is in index used as replica identity"));
  }
  if (table().partition) {
    for (Oid parent : c.Parents(table_)) {
      const Column* above = c.relation(parent)->Find(name);
      if (above != nullptr && above->not_null)
        return e_.Fail("42P16", absl::StrCat("column \"", name, "\" is marked NOT NULL in parent table"));
    }
  }
  column->not_null = false;
  for (Oid child : Recurses() ? c.AllInheritors(table_) : std::vector<Oid>()) {
    if (Column* own = c.relation(child)->Find(name); own != nullptr) own->not_null = false;
  }
  return absl::OkStatus();
}

std::vector<Oid> AlterTable::OwnedSequences(Oid oid, int column, bool identity_only) {
  std::vector<Oid> sequences;
  for (const Dependency& d : e_.catalogue.dependencies) {
    if (d.object.catalogue != kPgClass || d.referenced.catalogue != kPgClass || d.referenced.id != oid)
      continue;
    if (column != 0 && d.referenced.sub != column) continue;
    if (d.kind != 'i' && (identity_only || d.kind != 'a')) continue;
    const Relation* sequence = e_.catalogue.relation(d.object.id);
    if (sequence != nullptr && sequence->kind == 'S') sequences.push_back(sequence->oid);
  }
  return sequences;
}

absl::Status AlterTable::ChangeIdentity(const Cmd& cmd) {
  ASSIGN_OR_RETURN(Column * column, NeedColumn(table(), cmd.name()));
  const std::vector<Oid> sequences = OwnedSequences(table_, column->number, true);
  if (cmd.subtype() == pg_query::AT_AddIdentity) {
    if (!column->not_null && !table().assumed)
      return e_.Fail("55000", absl::StrCat("column \"", cmd.name(), "\" of relation ", TableName(),
                                           " must be declared NOT NULL before identity can be added"));
    if (column->identity != 0)
      return e_.Fail("55000", absl::StrCat("column \"", cmd.name(), "\" is already an identity column"));
    if (column->has_default)
      return e_.Fail("55000", absl::StrCat("column \"", cmd.name(), "\" already has a default value"));
    column->identity = 'd';
    return absl::OkStatus();
  }
  if (column->identity == 0 && !table().assumed) {
    if (cmd.missing_ok()) return absl::OkStatus();
    return e_.Fail("55000", absl::StrCat("column \"", cmd.name(), "\" of relation ", TableName(),
                                         " is not an identity column"));
  }
  if (cmd.subtype() == pg_query::AT_SetIdentity) {
    e_.Lock(sequences, LockMode::kShareRowExclusive);
    return absl::OkStatus();
  }
  column->identity = 0;
  std::vector<Address> objects;
  for (Oid sequence : sequences) {
    e_.Lock(sequence, LockMode::kAccessExclusive);
    std::erase_if(e_.catalogue.dependencies, [sequence](const Dependency& d) {
      return d.object == Address{kPgClass, sequence, 0} && d.kind == 'i';
    });
    objects.push_back({kPgClass, sequence, 0});
  }
  return Delete(e_, objects, Behaviour::kRestrict);
}

}  // namespace curlew::lint
