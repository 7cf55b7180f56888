#include "common/pg/read_catalogue.h"

#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "common/pg/catalogue_queries.h"

namespace curlew::pg {
namespace {

constexpr char kSystem[] = "(n.nspname ~ '^pg_' OR n.nspname = 'information_schema')";

absl::StatusOr<lint::Catalogue> Read(Connection* connection, absl::string_view size) {
  lint::Catalogue catalogue;
  catalogue.complete = true;
  ASSIGN_OR_RETURN(auto transaction, Transaction::Begin(connection, Transaction::Mode::kReadOnlySnapshot));
  RETURN_IF_ERROR(transaction->Execute("SET LOCAL lock_timeout = '500ms'").status());
  for (const CatalogueQuery& query : kCatalogueQueries) {
    const std::string sql = absl::StrReplaceAll(query.sql, {{"{system}", kSystem}, {"{size}", size}});
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
      // What an unqualified name of the script means hangs on the path: it is read before it is fixed.
      RETURN_IF_ERROR(transaction->Execute("SET LOCAL search_path = pg_catalog").status());
    }
  }
  return catalogue;
}

}  // namespace

absl::StatusOr<lint::Catalogue> ReadCatalogue(Connection* connection) {
  auto catalogue = Read(connection, "pg_relation_size(c.oid)");
  // The size of a file waits for whoever has locked its table exclusively; what ANALYZE last noted does not.
  if (!catalogue.ok()) catalogue = Read(connection, "c.relpages::bigint * 8192");
  return catalogue;
}

}  // namespace curlew::pg
