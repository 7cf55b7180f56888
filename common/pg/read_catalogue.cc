#include "common/pg/read_catalogue.h"

#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "common/pg/catalogue_queries.h"

namespace curlew::pg {

absl::StatusOr<lint::Catalogue> ReadCatalogue(Connection* connection) {
  lint::Catalogue catalogue;
  catalogue.complete = true;
  ASSIGN_OR_RETURN(auto transaction, Transaction::Begin(connection, Transaction::Mode::kReadOnlySnapshot));
  for (const CatalogueQuery& query : kCatalogueQueries) {
    // Read before the path is fixed: what an unqualified name of the script means hangs on it.
    const std::string sql = absl::StrReplaceAll(
        query.sql, {{"{system}", "(n.nspname ~ '^pg_' OR n.nspname = 'information_schema')"}});
    ASSIGN_OR_RETURN(const Result result, transaction->Execute(sql));
    for (int64_t row = 0; row < result.size(); ++row) {
      std::vector<std::string> fields;
      fields.reserve(result.columns().size());
      for (int column = 0; column < static_cast<int>(result.columns().size()); ++column) {
        fields.push_back(result.Text(row, column));
      }
      RETURN_IF_ERROR(catalogue.Add(query.table, fields));
    }
    if (query.table == std::string("setting")) {
      RETURN_IF_ERROR(transaction->Execute("SET LOCAL search_path = pg_catalog").status());
    }
  }
  return catalogue;
}

}  // namespace curlew::pg
