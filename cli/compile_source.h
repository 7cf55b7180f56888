// Against what a plan is compiled: a target, a database, or a schema in a file.
#ifndef CURLEW_CLI_COMPILE_SOURCE_H_
#define CURLEW_CLI_COMPILE_SOURCE_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "cli/context.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::cli {

// One of them is given; `environment` means all targets of it.
struct CompileSource {
  std::string target, environment, database, schema;
};

// Adds --target, --environment, --database and --schema; exactly one of them is asked for. `source` must
// outlive the verb.
void AddCompileSource(CLI::App& verb, CompileSource& source);

// Compiles the plan against the source, which is no environment: a target is asked through the controller, a
// database is read, a file is read. Errors of CompilePlan, of pg::ReadSchema, of ReadSchemaFile and of
// compiler::Compile.
absl::StatusOr<v1::CompilePlanResponse> CompileAgainst(Context& context, const v1::Plan& plan,
                                                       const CompileSource& source);

// What it is called: "target staging-crm"; never a connection string, which may hold a password.
std::string Describe(const CompileSource& source);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_COMPILE_SOURCE_H_
