#include "cli/compile_source.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/files.h"
#include "cli/names.h"
#include "cli/verb.h"
#include "common/base/status_macros.h"
#include "common/compiler/compiler.h"
#include "common/pg/connection.h"
#include "common/pg/introspect.h"

namespace curlew::cli {
namespace {

absl::StatusOr<v1::Schema> ReadDatabase(const v1::Plan& plan, const std::string& conninfo,
                                        absl::Duration timeout) {
  pg::ConnectOptions connect;
  connect.conninfo = conninfo;
  connect.application_name = "curlew plan";
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

}  // namespace

void AddCompileSource(CLI::App& verb, CompileSource& source) {
  verb.add_option("-t,--target", source.target, "Compile against a target's schema")->type_name(kTargetType);
  verb.add_option("--environment", source.environment, "Compile against every target of an environment")
      ->type_name(kEnvironmentType);
  verb.add_option("--database", source.database, "Compile against the database of a libpq connection string")
      ->type_name("CONNINFO");
  verb.add_option("--schema", source.schema,
                  "Compile against a schema in JSON, as `curlew schema snapshot` prints it")
      ->type_name(kFileType);
  verb.parse_complete_callback([&source] {
    const int sources = !source.target.empty() + !source.environment.empty() + !source.database.empty() +
                        !source.schema.empty();
    if (sources != 1) {
      throw CLI::ValidationError(
          "exactly one of --target, --environment, --database and --schema says what to compile against");
    }
  });
}

absl::StatusOr<v1::CompilePlanResponse> CompileAgainst(Context& context, const v1::Plan& plan,
                                                       const CompileSource& source) {
  if (!source.target.empty()) {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::CompilePlanRequest request;
    *request.mutable_plan() = plan;
    request.set_target(TargetName(source.target));
    return client->Call(&v1::PlanService::Stub::CompilePlan, request);
  }
  if (!source.database.empty()) {
    ASSIGN_OR_RETURN(v1::Schema schema, ReadDatabase(plan, source.database, context.flags.timeout));
    return CompileHere(plan, std::move(schema));
  }
  ASSIGN_OR_RETURN(v1::Schema schema, ReadSchemaFile(source.schema));
  return CompileHere(plan, std::move(schema));
}

std::string Describe(const CompileSource& source) {
  if (!source.target.empty()) return absl::StrCat("target ", Bare(source.target));
  if (!source.environment.empty()) return absl::StrCat("environment ", Bare(source.environment));
  return source.database.empty() ? absl::StrCat("schema ", source.schema) : "the database";
}

}  // namespace curlew::cli
