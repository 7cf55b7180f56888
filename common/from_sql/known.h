// What is known of the catalogue at a point of the script: what the database had, if that is known, and what
// the script has done to it. Of this folder alone.
#ifndef CURLEW_COMMON_FROM_SQL_KNOWN_H_
#define CURLEW_COMMON_FROM_SQL_KNOWN_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/sql/identifier.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"
#include "pg_query.pb.h"

namespace curlew::from_sql {

// What a relation is.
enum class Kind { kUnknown, kTable, kPartitioned, kView, kMaterializedView, kSequence, kIndex };

// Not thread-safe.
class Known {
 public:
  // `schema` is the whole catalogue, or nullptr where only the text is known.
  explicit Known(const v1::Schema* schema);

  // Whether the database is known: what is not there then does not exist.
  bool exact() const { return exact_; }
  const v1::Schema& now() const { return now_; }

  // --- Names. The search path is that of the script. ---
  void SetSearchPath(std::vector<std::string> path);
  const std::vector<std::string>& search_path() const { return path_; }
  // Whether names without a schema mean public.
  bool is_plain_path() const;
  // A relation that is there, or where one would be made: its schema as written, else the first of the search
  // path that has it, else the first.
  sql::TableName Relation(const pg_query::RangeVar& relation) const;
  sql::TableName Relation(sql::TableName name) const;
  // The same for types and functions. A type's schema stays empty for PostgreSQL's own.
  sql::TableName Type(sql::TableName name) const;
  sql::TableName Function(sql::TableName name) const;
  // A type as an operation writes it; absent where it cannot be written.
  std::optional<std::string> TypeName(const pg_query::TypeName& type) const;

  // --- What there is. ---
  Kind KindOf(const sql::TableName& relation) const;
  const v1::Table* Table(const sql::TableName& name) const;  // nullptr where its parts are not known
  bool HasType(const sql::TableName& type) const;
  // Names of functions with that name, as operations write them: "public.f(integer)".
  std::vector<std::string> FunctionsNamed(const sql::TableName& name) const;
  // The table of an index; empty name where it is not known.
  sql::TableName TableOf(const sql::TableName& index) const;
  // Whether a relation, or a constraint of any table, of the schema has the name.
  bool RelationTaken(const std::string& schema, const std::string& name) const;
  bool ConstraintTaken(const std::string& schema, const std::string& name) const;
  // Whether the script itself made the object (piece.h tells how keys are written).
  bool Made(const std::string& key) const { return made_.count(key) > 0; }

  // --- What the script does. ---
  // Takes an operation in, as far as its parts are known.
  void Apply(const v1::Operation& operation);
  void Make(const std::string& key) { made_.insert(key); }
  void MakeRelation(const sql::TableName& name, Kind kind);
  void MakeIndex(const sql::TableName& table, const std::string& name);
  void MakeConstraint(const sql::TableName& table, const std::string& name);
  void Drop(const sql::TableName& relation);
  // A constraint goes, with its index, by SQL that operations do not see.
  void DropConstraint(const sql::TableName& table, const std::string& name);

 private:
  bool exact_ = false;
  v1::Schema now_;
  std::vector<std::string> path_ = {"public"};
  std::set<std::string> made_;
  std::map<sql::TableName, Kind> kinds_;              // of relations that the script makes; kUnknown: gone
  std::map<sql::TableName, sql::TableName> indexes_;  // to their tables
  std::set<sql::TableName> constraints_;              // by schema and name
};

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_KNOWN_H_
