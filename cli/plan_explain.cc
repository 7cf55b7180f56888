#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/explain_view.h"
#include "cli/files.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/compiler/compiler.h"
#include "common/pg/connection.h"
#include "common/pg/introspect.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string file;
  std::string target;
  std::string database;
  std::string schema;
  std::string output = "table";
};

absl::StatusOr<v1::Schema> ReadDatabase(const v1::Plan& plan, const Options& options,
                                        absl::Duration timeout) {
  pg::ConnectOptions connect;
  connect.conninfo = options.database;
  connect.application_name = "curlew plan explain";
  connect.connect_timeout = timeout;
  ASSIGN_OR_RETURN(const auto connection, pg::Connection::Connect(connect));
  return pg::ReadSchema(connection.get(), compiler::ScopeOf(plan));
}

absl::StatusOr<v1::CompilePlanResponse> CompileHere(const v1::Plan& plan, v1::Schema schema) {
  v1::CompilePlanResponse response;
  ASSIGN_OR_RETURN(*response.mutable_compiled_plan(), compiler::Compile(plan, schema));
  response.set_digest(compiler::Digest(response.compiled_plan()));
  *response.mutable_schema() = std::move(schema);
  return response;
}

absl::StatusOr<v1::CompilePlanResponse> CompileAsAsked(Context& context, const v1::Plan& plan,
                                                       const Options& options) {
  if (!options.target.empty()) {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::CompilePlanRequest request;
    *request.mutable_plan() = plan;
    request.set_target(TargetName(options.target));
    return client->Call(&v1::PlanService::Stub::CompilePlan, request);
  }
  if (!options.database.empty()) {
    ASSIGN_OR_RETURN(v1::Schema schema, ReadDatabase(plan, options, context.flags.timeout));
    return CompileHere(plan, std::move(schema));
  }
  ASSIGN_OR_RETURN(v1::Schema schema, ReadSchemaFile(options.schema));
  return CompileHere(plan, std::move(schema));
}

// What it was compiled against; never a connection string, which may hold a password.
std::string Against(const Options& options) {
  if (!options.target.empty()) return absl::StrCat("target ", Bare(options.target));
  return options.database.empty() ? absl::StrCat("schema ", options.schema) : "the database";
}

}  // namespace

void AddPlanExplain(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "explain", "Show every step of a plan: SQL, locks, scans, rewrites, undo",
      "Compiles the plan against the schema of a target (its agent is asked), of a database, or of a file, "
      "and "
      "changes nothing. Exactly one of --target, --database and --schema says which.",
      "# What would run on a target that an agent serves\n"
      "curlew plan explain rename-contact-phone.yaml --target staging-crm\n"
      "# Against a database, without a controller\n"
      "curlew plan explain rename-contact-phone.yaml --database 'host=localhost dbname=crm'\n"
      "# Keep the schema, and explain against it later, without a database\n"
      "curlew plan explain rename-contact-phone.yaml --database 'dbname=crm' -o json > crm.json\n"
      "curlew plan explain rename-contact-phone.yaml --schema crm.json"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(const v1::Plan plan, ReadPlanFile(options->file));
    ASSIGN_OR_RETURN(const v1::CompilePlanResponse compiled, CompileAsAsked(context, plan, *options));
    context.out << (options->output == "table"
                        ? RenderExplain(compiled, Against(*options), context.terminal.style)
                        : Structured(compiled, options->output));
    return ExitCode::kOk;
  });
  AddArgument(*verb, kFileType, options->file, "The plan in YAML; - is the standard input");
  verb->add_option("-t,--target", options->target, "Compile against a target's schema")
      ->type_name(kTargetType);
  verb->add_option("--database", options->database,
                   "Compile against the database of a libpq connection string")
      ->type_name("CONNINFO");
  verb->add_option("--schema", options->schema, "Compile against a schema in JSON, as -o json prints it")
      ->type_name(kFileType);
  verb->parse_complete_callback([options] {
    const int sources = !options->target.empty() + !options->database.empty() + !options->schema.empty();
    if (sources != 1) {
      throw CLI::ValidationError(
          "exactly one of --target, --database and --schema says what to compile against");
    }
  });
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
