// Names of types: as the catalogue prints them, and what a change from one to another costs.
#ifndef CURLEW_COMMON_SQL_TYPE_NAME_H_
#define CURLEW_COMMON_SQL_TYPE_NAME_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace pg_query {
class TypeName;
}

namespace curlew::sql {

// `text`, one type, as format_type prints it with search_path = pg_catalog: integer for int, character
// varying(20) for varchar(20). A user's type without a schema stays without one, and its modifiers stay as
// written: only the catalogue knows them. INVALID_ARGUMENT for what CheckType refuses, for serial and for a
// name with a database in front. Thread-safe.
absl::StatusOr<std::string> CanonicalType(absl::string_view text);

// The type of a function's argument, as to_regprocedure takes it: the same without modifiers, which do not
// belong to a function's identity, and with public before a user's type that has no schema.
std::string ArgumentType(const pg_query::TypeName& type);
// The same as pg_identify_object prints it: pg_catalog stands before types that have no name of the SQL
// standard.
std::string ArgumentTypeOfIdentity(const pg_query::TypeName& type);

// A type of a parse tree in one spelling: as CanonicalType gives it, without public.
std::string TypeInOneSpelling(const pg_query::TypeName& type);

// What ALTER TABLE ... ALTER COLUMN ... TYPE does, between types of one collation, without USING.
enum class TypeChange {
  kSame,
  // Only the catalogue changes: no row is read, no index is built. That is so for the column by itself.
  // PostgreSQL still reads all rows for a CHECK over the column, and builds anew an index that has it in an
  // expression or predicate, and on a partitioned table any index that has it.
  kCatalogueOnly,
  // Rows are rewritten, or it cannot be told, or it does not work at all.
  kRewrite,
};

// Judges two types, in any spelling. kRewrite where one does not parse. Thread-safe.
TypeChange ClassifyTypeChange(absl::string_view from, absl::string_view to);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_TYPE_NAME_H_
