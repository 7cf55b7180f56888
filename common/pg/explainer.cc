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

std::optional<lint::CatalogueRows> ServerExplainer::Rows(absl::string_view query) {
  constexpr int64_t kMostRows = 500;
  if (!sql::ReadsCataloguesAlone(query)) return std::nullopt;
  const auto result = Ask(query);
  if (!result.ok() || result->size() > kMostRows) return std::nullopt;
  lint::CatalogueRows rows;
  for (int64_t row = 0; row < result->size(); ++row) {
    auto& fields = rows.emplace_back();
    for (size_t column = 0; column < result->columns().size(); ++column)
      fields[result->columns()[column]] = result->Text(row, static_cast<int>(column));
  }
  return rows;
}

}  // namespace curlew::pg
