// SQL expressions that people write in plans: one scalar value computed from the columns of one row.
#ifndef CURLEW_COMMON_SQL_EXPRESSION_H_
#define CURLEW_COMMON_SQL_EXPRESSION_H_

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/sql/sql_text.h"

namespace curlew::sql {

// A parsed expression. A value; immutable; thread-safe. Columns are kept as places in the author's own text,
// which is never rewritten otherwise.
class Expression {
 public:
  // Reads `text`. INVALID_ARGUMENT with the reason and the place for what does not parse, for subqueries,
  // aggregates, window functions, parameters, set-returning clauses, comments, and columns with a table
  // before them: the value must come from one row.
  static absl::StatusOr<Expression> Parse(absl::string_view text);
  // The expression that is just this column.
  static Expression Column(absl::string_view name);

  const std::string& text() const { return text_; }
  // The columns that it names, as in the catalogue.
  const std::set<std::string>& columns() const { return columns_; }
  // Whether it is one column and nothing else.
  bool IsColumn() const { return is_column_; }
  // Whether it calls a built-in function known to be volatile, or a function that is not built in and so may
  // be (random(), gen_random_uuid(), nextval(), my_function()).
  bool MayBeVolatile() const { return may_be_volatile_; }

  // With "prefix." before each column: Qualified("NEW"), Qualified("t"). In parentheses unless it is a
  // column.
  SqlText Qualified(absl::string_view prefix) const;
  // With columns replaced by other expressions, each in parentheses; those not in `by` stay.
  absl::StatusOr<Expression> Substitute(const std::map<std::string, Expression>& by) const;
  // As it is, in parentheses unless it is a column.
  SqlText Sql() const;

 private:
  struct Reference {
    int start = 0;
    int end = 0;
    std::string column;
  };
  std::string Splice(const std::function<std::string(const Reference&)>& replacement) const;

  std::string text_;
  std::vector<Reference> references_;  // in order of their places
  std::set<std::string> columns_;
  bool is_column_ = false;
  bool may_be_volatile_ = false;
};

// Whether `text` is one type name, as in a column definition. INVALID_ARGUMENT where not.
absl::Status CheckType(absl::string_view text);

// Whether `text` is a type of PostgreSQL's own by its name, or an array of one. False where that cannot be
// told.
bool IsBuiltInType(absl::string_view text);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_EXPRESSION_H_
