#include "common/pg/explainer.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/sql/catalogue_query.h"

namespace curlew::pg {

absl::StatusOr<Result> ServerExplainer::Ask(absl::string_view query) {
  ASSIGN_OR_RETURN(auto transaction, Transaction::Begin(connection_, Transaction::Mode::kReadOnlySnapshot));
  RETURN_IF_ERROR(transaction->Execute("SET LOCAL statement_timeout = '5s'").status());
  RETURN_IF_ERROR(transaction->Execute("SET LOCAL lock_timeout = '500ms'").status());
  return transaction->Execute(query);
}

absl::StatusOr<std::string> ServerExplainer::Explain(absl::string_view statement) {
  ASSIGN_OR_RETURN(const Result result, Ask(absl::StrCat("EXPLAIN (FORMAT JSON, VERBOSE) ", statement)));
  std::string json;
  for (int64_t row = 0; row < result.size(); ++row) json += result.Text(row, 0);
  return json;
}

std::optional<bool> ServerExplainer::Evaluate(absl::string_view condition) {
  if (!sql::ReadsCataloguesAlone(condition)) return std::nullopt;
  const auto result = Ask(absl::StrCat("SELECT (", condition, ")::boolean"));
  if (!result.ok() || result->size() != 1) return std::nullopt;
  return result->Bool(0, 0);
}

}  // namespace curlew::pg
