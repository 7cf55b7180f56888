#include "cli/lint_judge.h"

#include <memory>

#include "common/base/status_macros.h"
#include "common/from_sql/from_sql.h"
#include "common/lint/catalogue.h"
#include "common/lint/lint.h"
#include "common/pg/connection.h"
#include "common/pg/explainer.h"
#include "common/pg/read_catalogue.h"

namespace curlew::cli {
namespace {

// A database, as long as somebody asks it.
struct Database {
  std::unique_ptr<pg::Connection> connection;
  lint::Catalogue catalogue;
  std::unique_ptr<pg::ServerExplainer> explainer;
};

lint::ScriptJudge JudgeOf(std::shared_ptr<lint::Linter> linter, std::shared_ptr<Database> database) {
  lint::ScriptJudge judge;
  judge.lint = [linter = std::move(linter), database = std::move(database)](
                   const pg_query::Node& tree, absl::string_view text) { return linter->Lint(tree, text); };
  judge.operation = from_sql::OperationFor;
  return judge;
}

}  // namespace

absl::StatusOr<std::function<lint::ScriptJudge()>> MakeLintJudges(const std::string& conninfo,
                                                                  absl::Duration connect_timeout) {
  if (conninfo.empty()) return [] { return JudgeOf(std::make_shared<lint::Linter>(), nullptr); };
  pg::ConnectOptions connect;
  connect.conninfo = conninfo;
  connect.application_name = "curlew lint";
  connect.connect_timeout = connect_timeout;
  auto database = std::make_shared<Database>();
  ASSIGN_OR_RETURN(database->connection, pg::Connection::Connect(connect));
  ASSIGN_OR_RETURN(database->catalogue, pg::ReadCatalogue(database->connection.get()));
  database->explainer = std::make_unique<pg::ServerExplainer>(database->connection.get());
  return [database] {
    return JudgeOf(std::make_shared<lint::Linter>(database->catalogue, database->explainer.get()), database);
  };
}

}  // namespace curlew::cli
