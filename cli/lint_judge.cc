#include "cli/lint_judge.h"

#include <memory>
#include <utility>

#include "common/base/status_macros.h"
#include "common/lint/catalogue.h"
#include "common/lint/lint.h"
#include "common/pg/connection.h"
#include "common/pg/explainer.h"
#include "common/pg/read_catalogue.h"

namespace curlew::cli {
namespace {

// What all judges of one run share.
struct Database {
  std::unique_ptr<pg::Connection> connection;
  std::unique_ptr<pg::ServerExplainer> explainer;
  lint::Catalogue catalogue;
};

}  // namespace

absl::StatusOr<std::function<lint::ScriptJudge()>> MakeLintJudges(const std::string& conninfo,
                                                                  absl::Duration connect_timeout) {
  std::shared_ptr<Database> database;
  if (!conninfo.empty()) {
    database = std::make_shared<Database>();
    pg::ConnectOptions options;
    options.conninfo = conninfo;
    options.application_name = "curlew lint";
    options.connect_timeout = connect_timeout;
    ASSIGN_OR_RETURN(database->connection, pg::Connection::Connect(options));
    ASSIGN_OR_RETURN(database->catalogue, pg::ReadCatalogue(database->connection.get()));
    database->explainer = std::make_unique<pg::ServerExplainer>(database->connection.get());
  }
  return [database] {
    auto linter = std::make_shared<lint::Linter>(
        database == nullptr ? lint::Linter() : lint::Linter(database->catalogue, database->explainer.get()));
    lint::ScriptJudge judge;
    judge.lint = [linter, database](const pg_query::Node& tree, absl::string_view text) {
      return linter->Lint(tree, text);
    };
    return judge;
  };
}

}  // namespace curlew::cli
