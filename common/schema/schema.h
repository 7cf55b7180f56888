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

// The object by its name as the schema writes it, or nullptr: qualified and quoted (TableName::Quoted); of a
// function the text that it was asked for by; of an extension not quoted.
const v1::View* FindView(const v1::Schema& schema, absl::string_view name);
v1::View* FindView(v1::Schema* schema, absl::string_view name);
const v1::Function* FindFunction(const v1::Schema& schema, absl::string_view name);
v1::Function* FindFunction(v1::Schema* schema, absl::string_view name);
const v1::EnumType* FindEnum(const v1::Schema& schema, absl::string_view name);
v1::EnumType* FindEnum(v1::Schema* schema, absl::string_view name);
const v1::Domain* FindDomain(const v1::Schema& schema, absl::string_view name);
v1::Domain* FindDomain(v1::Schema* schema, absl::string_view name);
const v1::Sequence* FindSequence(const v1::Schema& schema, absl::string_view name);
v1::Sequence* FindSequence(v1::Schema* schema, absl::string_view name);
const v1::Extension* FindExtension(const v1::Schema& schema, absl::string_view name);
v1::Extension* FindExtension(v1::Schema* schema, absl::string_view name);

// Name of a table of the schema.
sql::TableName NameOf(const v1::Table& table);

// SHA-256, hexadecimal, of the catalogue in a normal form: order of tables, columns and objects, and sizes,
// do not count.
std::string Fingerprint(const v1::Schema& schema);

// What differs, one line each, for people; empty exactly where the fingerprints are equal.
std::vector<std::string> Diff(const v1::Schema& before, const v1::Schema& after);

}  // namespace curlew::schema

#endif  // CURLEW_COMMON_SCHEMA_SCHEMA_H_
