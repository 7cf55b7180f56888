// The catalogue as a value: how to find things in it, its fingerprint, its differences.
#ifndef CURLEW_COMMON_SCHEMA_SCHEMA_H_
#define CURLEW_COMMON_SCHEMA_SCHEMA_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/sql/identifier.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::schema {

// The table, or nullptr. The pointer lives as long as `schema` is not changed.
const v1::Table* FindTable(const v1::Schema& schema, const sql::TableName& name);
v1::Table* FindTable(v1::Schema* schema, const sql::TableName& name);

// The column, or nullptr.
const v1::Column* FindColumn(const v1::Table& table, absl::string_view name);
v1::Column* FindColumn(v1::Table* table, absl::string_view name);

// The index or constraint, or nullptr.
const v1::Index* FindIndex(const v1::Table& table, absl::string_view name);
const v1::Constraint* FindConstraint(const v1::Table& table, absl::string_view name);

// Name of a table of the schema.
sql::TableName NameOf(const v1::Table& table);

// SHA-256, hexadecimal, of the catalogue in a normal form: order of tables, columns and objects, and sizes,
// do not count.
std::string Fingerprint(const v1::Schema& schema);

// What differs, one line each, for people; empty exactly where the fingerprints are equal.
std::vector<std::string> Diff(const v1::Schema& before, const v1::Schema& after);

}  // namespace curlew::schema

#endif  // CURLEW_COMMON_SCHEMA_SCHEMA_H_
