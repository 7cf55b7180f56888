// What lint knows of a database: PostgreSQL's catalogue as a value, and what statements leave of it.
#ifndef CURLEW_COMMON_LINT_CATALOGUE_H_
#define CURLEW_COMMON_LINT_CATALOGUE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/lint/shared.h"

namespace curlew::lint {

using Oid = uint32_t;

// OIDs that PostgreSQL's sources fix: the catalogues that pg_depend names, and types.
inline constexpr Oid kPgType = 1247, kPgProc = 1255, kPgClass = 1259, kPgAttrdef = 2604, kPgConstraint = 2606,
                     kPgNamespace = 2615, kPgOpclass = 2616, kPgOpfamily = 2753, kPgRewrite = 2618,
                     kPgTrigger = 2620, kPgPolicy = 3256, kPgExtension = 3079, kPgStatisticExt = 3381,
                     kPgPublicationRel = 6106, kPgPublicationNamespace = 6237, kPgPublication = 6104,
                     kPgCast = 2605, kPgOperator = 2617, kPgCollation = 3456, kPgEventTrigger = 3466,
                     kPgForeignServer = 1417, kPgForeignDataWrapper = 2328, kPgLanguage = 2612, kPgAm = 2601;

// A column of a relation.
struct Column {
  int number = 0;
  std::string name;
  Oid type = 0;
  int typmod = -1;
  Oid collation = 0;
  bool not_null = false;
  char identity = 0;   // 'a', 'd' or 0
  char generated = 0;  // 's' or 0
  bool has_default = false;
  int inherited = 0;  // from how many parents
  bool local = true;
};

// The part of a relation that only indexes have.
struct IndexPart {
  Oid table = 0;
  bool unique = false, primary = false, exclusion = false, immediate = true, valid = true;
  bool clustered = false, replica_identity = false;
  int key_count = 0;
  std::vector<int> columns;  // numbers, 0 for an expression; the first key_count are keys
  std::vector<Oid> opclasses, collations;
  std::vector<int> options;            // of each key: 0 is ascending, NULLs last
  std::string expressions, predicate;  // as SQL; "" where there is none
  Oid method = 0;
};

// A table, index, view, sequence, composite type: a row of pg_class.
struct Relation {
  Oid oid = 0;
  std::string schema, name;
  char kind = 'r';         // pg_class.relkind
  char persistence = 'p';  // pg_class.relpersistence
  std::string owner;
  Oid of_type = 0, method = 0;
  std::string tablespace;  // "" for the database's
  bool has_rows = true;    // as far as its size tells
  double dead_fraction = 0;
  int64_t bytes = 0;
  bool partition = false;        // whether it is a partition
  std::string bound;             // FOR VALUES ..., of a partition
  char strategy = 0;             // of a partitioned table: 'r', 'l', 'h'
  std::vector<int> key_columns;  // of a partitioned table; 0 for an expression
  bool row_security = false;
  std::string options;  // storage parameters, "fillfactor=70,..."
  bool populated = true;
  Oid row_type = 0;
  std::vector<Column> columns;
  IndexPart index;
  // Whether a script names it and nothing else is known: its columns and all that stands on it.
  bool assumed = false;

  const Column* Find(absl::string_view column) const;
  Column* Find(absl::string_view column);
  const Column* ByNumber(int number) const;
  bool IsTable() const { return kind == 'r' || kind == 'p'; }
  bool IsIndex() const { return kind == 'i' || kind == 'I'; }
};

// A row of pg_constraint.
struct Constraint {
  Oid oid = 0;
  std::string name;
  char kind = 'c';  // pg_constraint.contype
  Oid table = 0, domain = 0, index = 0, parent = 0, referenced = 0;
  std::vector<int> columns, referenced_columns;
  bool validated = true, deferrable = false, no_inherit = false;
  int inherited = 0;
  std::string expression;  // of a CHECK, as SQL
  std::string on_delete, on_update;
};

// A parent of an inheritance child or partition.
struct Inheritance {
  Oid child = 0, parent = 0;
  bool detach_pending = false;
};

struct Trigger {
  Oid oid = 0;
  Oid table = 0, constraint = 0, constraint_table = 0, parent = 0, function = 0;
  std::string name;
  bool internal = false;
  int type = 0;  // bits of pg_trigger.tgtype
  char enabled = 'O';
};

struct Rule {
  Oid oid = 0;
  Oid table = 0;
  std::string name;
};

struct Policy {
  Oid oid = 0;
  Oid table = 0;
  std::string name;
  std::string roles;  // separated by commas
};

struct Type {
  Oid oid = 0;
  std::string schema, name;
  char kind = 'b';      // pg_type.typtype
  char category = 'U';  // pg_type.typcategory
  Oid relation = 0, base = 0, element = 0, array = 0, collation = 0;
  int base_typmod = -1;
  bool not_null = false, has_default = false;
  std::string default_expression;  // of a domain, as SQL
};

// Whether and how values of one type become those of another.
struct Cast {
  Oid oid = 0;
  Oid source = 0, target = 0, function = 0;
  char context = 'e';  // 'i' implicit, 'a' in assignment, 'e' explicit
  char method = 'f';   // 'b' binary coercible, 'f' function, 'i' by text
};

struct Function {
  Oid oid = 0;
  std::string schema, name;
  char volatility = 'v';
  std::string language;
  int arguments = 0;
  std::string argument_types;  // OIDs, separated by spaces
  Oid result = 0;
  bool strict = false;
  bool parsed_body = false;
  std::string body;                         // of functions that are not PostgreSQL's own
  std::vector<std::string> argument_names;  // of those
};

struct Opclass {
  Oid oid = 0;
  std::string name;
  Oid method = 0, family = 0, input = 0;
  bool is_default = false;
};

// A name in a schema for what lint needs no more of: statistics, publications, extensions...
struct Named {
  Oid oid = 0;
  std::string schema, name;
  Oid relation = 0;
  std::string owner;
  bool flag = false;  // a publication: for all tables
};

// An object as pg_depend names it; `sub` is the number of a column.
struct Address {
  Oid catalogue = 0, id = 0;
  int sub = 0;
  friend auto operator<=>(const Address&, const Address&) = default;
};

// `object` needs `referenced`. Kinds as in pg_depend.deptype.
struct Dependency {
  Address object, referenced;
  char kind = 'n';
};

// A value; copied for each linter, what PostgreSQL has most of only where it is changed. Maps keep the
// addresses of what they hold.
struct Catalogue {
  // Whether relations that are not here do not exist. Without a database they are assumed when named.
  bool complete = false;
  std::map<Oid, Relation> relations;
  std::map<Oid, Constraint> constraints;
  std::vector<Inheritance> inheritance;
  std::map<Oid, Trigger> triggers;
  std::map<Oid, Rule> rules;
  std::map<Oid, Policy> policies;
  std::map<Oid, Type> types;
  Shared<std::map<std::pair<Oid, Oid>, Cast>> casts;
  Shared<std::map<Oid, Function>> functions;
  Shared<std::map<Oid, Opclass>> opclasses;
  std::map<Oid, Named> schemas, extensions, statistics, publications, methods;
  std::map<Oid, std::vector<std::string>> enum_values;
  std::map<Address, Named> others;  // servers, collations, access methods, languages...
  std::set<std::string> subscriptions, roles, tablespaces;
  std::vector<Dependency> dependencies;
  std::map<std::string, std::string> settings;  // search_path, TimeZone, ...
  std::map<Oid, Oid> default_partition;         // of a partitioned table

  // --- Indexes over the above, kept by Add, AddRelation and the like. ---
  std::map<std::pair<std::string, std::string>, Oid> relation_by_name, type_by_name;
  Shared<std::multimap<std::string, Oid>> functions_by_name;
  std::multimap<Oid, Oid> indexes_of;  // table -> index

  // Takes one row of `table`, a query of read_catalogue.h or builtin.tsv, in text. INVALID_ARGUMENT for a
  // table or a number of fields that is not known.
  absl::Status Add(absl::string_view table, const std::vector<std::string>& row);

  Relation* relation(Oid oid);
  const Relation* relation(Oid oid) const;
  Relation* FindRelation(absl::string_view schema, absl::string_view name);
  const Type* type(Oid oid) const;
  const Type* FindType(absl::string_view schema, absl::string_view name) const;
  // A new object's OID, above all others.
  Oid NewOid() { return next_oid_++; }
  // Puts a relation in; its OID must be set.
  Relation& AddRelation(Relation relation);
  void RenameRelation(Relation& relation, std::string schema, std::string name);
  void RemoveRelation(Oid oid);
  void AddType(Type type);
  void RemoveType(Oid oid);
  void Depend(Address object, Address referenced, char kind);

  std::vector<Oid> Indexes(Oid table) const;
  std::vector<Oid> Children(Oid table) const;  // direct ones
  std::vector<Oid> Parents(Oid table) const;
  // The table itself and everything below it, as find_all_inheritors gives it.
  std::vector<Oid> AllInheritors(Oid table) const;

 private:
  Oid next_oid_ = 4000000000u;
};

// What every PostgreSQL 15 has before anything is made in it: types, casts, functions, operator classes.
Catalogue BuiltInCatalogue();

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_CATALOGUE_H_
