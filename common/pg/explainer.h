// A server's own view of data statements, for lint.
#ifndef CURLEW_COMMON_PG_EXPLAINER_H_
#define CURLEW_COMMON_PG_EXPLAINER_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/lint/lint.h"
#include "common/pg/connection.h"

namespace curlew::pg {

// Asks in READ ONLY transactions with short time-outs, which are rolled back: nothing is written, and no lock
// stays. Not thread-safe.
class ServerExplainer : public lint::Explainer {
 public:
  // The connection must outlive the object.
  explicit ServerExplainer(Connection* connection) : connection_(connection) {}

  // EXPLAIN without ANALYZE: the statement is planned, never run.
  absl::StatusOr<std::string> Explain(absl::string_view statement) override;
  // Runs the query where it reads catalogues alone and calls nothing but a few functions of PostgreSQL's own.
  std::optional<lint::CatalogueRows> Rows(absl::string_view query) override;

 private:
  absl::StatusOr<Result> Ask(absl::string_view query);
  Connection* connection_;
};

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_EXPLAINER_H_
