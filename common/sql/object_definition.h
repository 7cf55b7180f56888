// Statements that define functions and triggers, as people write them.
#ifndef CURLEW_COMMON_SQL_OBJECT_DEFINITION_H_
#define CURLEW_COMMON_SQL_OBJECT_DEFINITION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/sql/identifier.h"
#include "common/sql/sql_text.h"

namespace curlew::sql {

// Names that have no schema in the text are in public; those of PostgreSQL's own types in pg_catalog.

// CREATE FUNCTION or CREATE PROCEDURE.
struct FunctionDefinition {
  SqlText statement;  // as written, but the name qualified, and without semicolon
  TableName name;
  // "schema.name(integer, text)" with the types of IN, INOUT and VARIADIC arguments, as to_regprocedure takes
  // it: what identifies the function.
  std::string signature;
  std::string identity;  // the same as pg_identify_object prints it
  // Names of these arguments, "" where one has none; and what it returns, in one spelling. CREATE OR REPLACE
  // can change neither.
  std::vector<std::string> arguments;
  std::string result;
  std::string language;
  bool or_replace = false;
  bool is_procedure = false;
};

// Reads exactly one CREATE [OR REPLACE] FUNCTION or PROCEDURE. INVALID_ARGUMENT with the place for what does
// not parse, for anything else, and for an argument of a type that only the catalogue tells (%TYPE).
// Thread-safe; so are the others.
absl::StatusOr<FunctionDefinition> ParseFunction(absl::string_view text);

// "name(types)" as SQL writes it, normalised to the form of FunctionDefinition::signature. INVALID_ARGUMENT
// where it is no name with types in parentheses.
absl::StatusOr<std::string> ParseFunctionName(absl::string_view text);

// The name in such a text. INVALID_ARGUMENT for the same.
absl::StatusOr<TableName> NameOfFunction(absl::string_view text);

// CREATE TRIGGER.
struct TriggerDefinition {
  SqlText statement;  // as written, but the names of table and function qualified, and without semicolon
  std::string name;
  TableName table;
  TableName function;
  // The columns of UPDATE OF and those that WHEN uses, sorted.
  std::vector<std::string> columns;
  bool before_row = false;  // BEFORE ... FOR EACH ROW
  bool instead_of = false;  // INSTEAD OF, which only views have
  bool or_replace = false;
  bool is_constraint = false;  // CREATE CONSTRAINT TRIGGER: PostgreSQL cannot replace it
};

// Reads exactly one CREATE [OR REPLACE] [CONSTRAINT] TRIGGER. INVALID_ARGUMENT with the place for what does
// not parse and for anything else.
absl::StatusOr<TriggerDefinition> ParseTrigger(absl::string_view text);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_OBJECT_DEFINITION_H_
