#include <memory>

#include "cli/names.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/canonical_json.h"
#include "common/base/status_macros.h"
#include "common/pg/connection.h"
#include "common/pg/whole_schema.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string target, database;
};

absl::StatusOr<v1::Schema> Read(Context& context, const Options& options) {
  if (!options.target.empty()) {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::GetSchemaRequest request;
    request.set_name(TargetName(options.target));
    ASSIGN_OR_RETURN(v1::GetSchemaResponse response,
                     client->Call(&v1::TargetService::Stub::GetSchema, request));
    return std::move(*response.mutable_schema());
  }
  pg::ConnectOptions connect;
  connect.conninfo = options.database;
  connect.application_name = "curlew schema snapshot";
  connect.connect_timeout = context.flags.timeout;
  ASSIGN_OR_RETURN(const auto connection, pg::Connection::Connect(connect));
  return pg::ReadWholeSchema(connection.get());
}

}  // namespace

void AddSchemaSnapshot(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "snapshot", "Print the schema of a target or a database as a file to keep",
      "Reads the catalogue, never a row of a table, and changes nothing. The file is the schema in canonical "
      "JSON: the same schema gives the same bytes, so that files can be compared. `curlew plan explain` and "
      "`curlew plan sql` compile plans against it, without a database.",
      "# Of a target that an agent serves\n"
      "curlew schema snapshot --target production-crm > production-crm.json\n"
      "# Of a database, without a controller\n"
      "curlew schema snapshot --database 'host=localhost dbname=crm' > crm.json\n"
      "curlew plan sql rename-contact-phone.yaml --schema crm.json"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(const v1::Schema schema, Read(context, *options));
    context.out << base::CanonicalJson(schema) << std::endl;
    return ExitCode::kOk;
  });
  verb->add_option("-t,--target", options->target, "The schema of a target, through its agent")
      ->type_name(kTargetType);
  verb->add_option("--database", options->database, "The schema of the database of a libpq connection string")
      ->type_name("CONNINFO");
  verb->parse_complete_callback([options] {
    if (options->target.empty() == options->database.empty()) {
      throw CLI::ValidationError("exactly one of --target and --database says whose schema");
    }
  });
}

}  // namespace curlew::cli
