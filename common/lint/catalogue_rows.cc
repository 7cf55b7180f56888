#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/lint/catalogue.h"

namespace curlew::lint {
namespace {

// The fields of one row, read from left to right.
class Fields {
 public:
  explicit Fields(const std::vector<std::string>& row) : row_(row) {}
  std::string Text() { return next_ < row_.size() ? row_[next_++] : ""; }
  int64_t Int() {
    int64_t value = 0;
    return absl::SimpleAtoi(Text(), &value) ? value : 0;
  }
  double Double() {
    double value = 0;
    return absl::SimpleAtod(Text(), &value) ? value : 0;
  }
  Oid Id() { return static_cast<Oid>(Int()); }
  bool Bool() {
    const std::string text = Text();
    return text == "t" || text == "true";
  }
  char Char() {
    const std::string text = Text();
    return text.empty() ? 0 : text[0];
  }
  std::vector<int> Numbers() {
    std::vector<int> numbers;
    for (absl::string_view part : absl::StrSplit(Text(), ' ', absl::SkipEmpty())) {
      int value = 0;
      if (absl::SimpleAtoi(part, &value)) numbers.push_back(value);
    }
    return numbers;
  }
  std::vector<Oid> Ids() {
    std::vector<Oid> ids;
    for (absl::string_view part : absl::StrSplit(Text(), ' ', absl::SkipEmpty())) {
      Oid value = 0;
      if (absl::SimpleAtoi(part, &value)) ids.push_back(value);
    }
    return ids;
  }

 private:
  const std::vector<std::string>& row_;
  size_t next_ = 0;
};

Relation ReadRelation(Fields f, Catalogue* catalogue) {
  Relation r;
  r.oid = f.Id();
  r.schema = f.Text();
  r.name = f.Text();
  r.kind = f.Char();
  r.persistence = f.Char();
  r.owner = f.Text();
  r.of_type = f.Id();
  r.method = f.Id();
  r.tablespace = f.Text();
  r.partition = f.Bool();
  r.bound = f.Text();
  r.row_security = f.Bool();
  r.row_type = f.Id();
  r.bytes = f.Int();
  r.dead_fraction = f.Double();
  r.has_rows = r.bytes > 0;
  r.strategy = f.Char();
  r.key_columns = f.Numbers();
  const Oid by_default = f.Id();
  r.options = f.Text();
  r.populated = f.Bool();
  if (by_default != 0) catalogue->default_partition[r.oid] = by_default;
  return r;
}

Column ReadColumn(Fields f) {
  Column c;
  c.number = static_cast<int>(f.Int());
  c.name = f.Text();
  c.type = f.Id();
  c.typmod = static_cast<int>(f.Int());
  c.collation = f.Id();
  c.not_null = f.Bool();
  c.identity = f.Char();
  c.generated = f.Char();
  c.has_default = f.Bool();
  c.inherited = static_cast<int>(f.Int());
  c.local = f.Bool();
  return c;
}

IndexPart ReadIndex(Fields f) {
  IndexPart i;
  i.table = f.Id();
  i.unique = f.Bool();
  i.primary = f.Bool();
  i.exclusion = f.Bool();
  i.immediate = f.Bool();
  i.valid = f.Bool();
  i.clustered = f.Bool();
  i.replica_identity = f.Bool();
  i.key_count = static_cast<int>(f.Int());
  i.columns = f.Numbers();
  i.opclasses = f.Ids();
  i.collations = f.Ids();
  i.expressions = f.Text();
  i.predicate = f.Text();
  i.options = f.Numbers();
  return i;
}

Constraint ReadConstraint(Fields f) {
  Constraint c;
  c.oid = f.Id();
  c.name = f.Text();
  c.kind = f.Char();
  c.table = f.Id();
  c.domain = f.Id();
  c.index = f.Id();
  c.parent = f.Id();
  c.referenced = f.Id();
  c.columns = f.Numbers();
  c.referenced_columns = f.Numbers();
  c.validated = f.Bool();
  c.deferrable = f.Bool();
  c.no_inherit = f.Bool();
  c.inherited = static_cast<int>(f.Int());
  c.expression = f.Text();
  c.on_delete = f.Text();
  c.on_update = f.Text();
  return c;
}

Trigger ReadTrigger(Fields f) {
  Trigger t;
  t.oid = f.Id();
  t.table = f.Id();
  t.constraint = f.Id();
  t.constraint_table = f.Id();
  t.parent = f.Id();
  t.function = f.Id();
  t.name = f.Text();
  t.internal = f.Bool();
  t.type = static_cast<int>(f.Int());
  t.enabled = f.Char();
  return t;
}

Type ReadType(Fields f) {
  Type t;
  t.oid = f.Id();
  t.schema = f.Text();
  t.name = f.Text();
  t.kind = f.Char();
  t.relation = f.Id();
  t.base = f.Id();
  t.base_typmod = static_cast<int>(f.Int());
  t.element = f.Id();
  t.array = f.Id();
  t.collation = f.Id();
  t.not_null = f.Bool();
  t.has_default = f.Bool();
  t.category = f.Char();
  t.default_expression = f.Text();
  return t;
}

Function ReadFunction(Fields f) {
  Function p;
  p.oid = f.Id();
  p.schema = f.Text();
  p.name = f.Text();
  p.volatility = f.Char();
  p.language = f.Text();
  p.arguments = static_cast<int>(f.Int());
  p.argument_types = f.Text();
  p.result = f.Id();
  p.strict = f.Bool();
  p.parsed_body = f.Bool();
  p.body = f.Text();
  p.argument_names = absl::StrSplit(f.Text(), ' ', absl::SkipEmpty());
  return p;
}

}  // namespace

absl::Status Catalogue::Add(absl::string_view table, const std::vector<std::string>& row) {
  Fields f(row);
  if (table == "relation") {
    AddRelation(ReadRelation(f, this));
  } else if (table == "column") {
    if (Relation* r = relation(f.Id()); r != nullptr) r->columns.push_back(ReadColumn(f));
  } else if (table == "index") {
    if (Relation* r = relation(f.Id()); r != nullptr) {
      r->index = ReadIndex(f);
      r->index.method = r->method;
      indexes_of.emplace(r->index.table, r->oid);
    }
  } else if (table == "constraint") {
    Constraint c = ReadConstraint(f);
    constraints[c.oid] = std::move(c);
  } else if (table == "inheritance") {
    const Oid child = f.Id(), parent = f.Id();
    inheritance.push_back({child, parent, f.Bool()});
  } else if (table == "trigger") {
    Trigger t = ReadTrigger(f);
    triggers[t.oid] = std::move(t);
  } else if (table == "rule") {
    const Oid oid = f.Id(), of = f.Id();
    rules[oid] = {oid, of, f.Text()};
  } else if (table == "policy") {
    const Oid oid = f.Id(), of = f.Id();
    const std::string name = f.Text();
    policies[oid] = {oid, of, name, f.Text()};
  } else if (table == "type") {
    AddType(ReadType(f));
  } else if (table == "enum") {
    const Oid type = f.Id();
    enum_values[type].push_back(f.Text());
  } else if (table == "cast") {
    Cast c;
    c.oid = f.Id();
    c.source = f.Id();
    c.target = f.Id();
    c.function = f.Id();
    c.context = f.Char();
    c.method = f.Char();
    casts.Change()[{c.source, c.target}] = c;
  } else if (table == "function") {
    Function p = ReadFunction(f);
    functions_by_name.Change().emplace(p.name, p.oid);
    functions.Change()[p.oid] = std::move(p);
  } else if (table == "opclass") {
    Opclass o;
    o.oid = f.Id();
    o.name = f.Text();
    o.method = f.Id();
    o.family = f.Id();
    o.input = f.Id();
    o.is_default = f.Bool();
    opclasses.Change()[o.oid] = o;
  } else if (table == "schema") {
    const Oid oid = f.Id();
    const std::string name = f.Text();
    schemas[oid] = {oid, "", name, 0, f.Text()};
  } else if (table == "method") {
    const Oid oid = f.Id();
    methods[oid] = {oid, "", f.Text()};
  } else if (table == "statistics" || table == "extension") {
    Named n;
    n.oid = f.Id();
    n.schema = f.Text();
    n.name = f.Text();
    if (table == "statistics") {
      n.relation = f.Id();
      statistics[n.oid] = n;
    } else {
      n.owner = f.Text();
      extensions[n.oid] = n;
    }
  } else if (table == "publication") {
    Named n;
    n.oid = f.Id();
    n.name = f.Text();
    n.flag = f.Bool();
    publications[n.oid] = n;
  } else if (table == "object") {
    const Oid catalogue = f.Id(), oid = f.Id();
    const std::string schema = f.Text();
    others[{catalogue, oid, 0}] = {oid, schema, f.Text()};
  } else if (table == "subscription") {
    subscriptions.insert(f.Text());
  } else if (table == "role") {
    roles.insert(f.Text());
  } else if (table == "tablespace") {
    tablespaces.insert(f.Text());
  } else if (table == "dependency") {
    Dependency d;
    d.object = {f.Id(), 0, 0};
    d.object.id = f.Id();
    d.object.sub = static_cast<int>(f.Int());
    d.referenced = {f.Id(), 0, 0};
    d.referenced.id = f.Id();
    d.referenced.sub = static_cast<int>(f.Int());
    d.kind = f.Char();
    dependencies.push_back(d);
  } else if (table == "setting") {
    const std::string name = f.Text();
    settings[name] = f.Text();
  } else {
    return absl::InvalidArgumentError(absl::StrCat("the catalogue has no table ", table));
  }
  return absl::OkStatus();
}

}  // namespace curlew::lint
