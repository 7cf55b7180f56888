#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/files.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/from_sql/from_sql.h"
#include "common/pg/connection.h"
#include "common/pg/whole_schema.h"

namespace curlew::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string name;
  std::string database;
  std::string schema;
};

// What is known of the database; absent where nothing is.
absl::StatusOr<std::optional<v1::Schema>> ReadKnown(const Options& options, absl::Duration timeout) {
  if (!options.schema.empty()) {
    ASSIGN_OR_RETURN(v1::Schema schema, ReadSchemaFile(options.schema));
    return std::make_optional(std::move(schema));
  }
  if (options.database.empty()) return std::optional<v1::Schema>();
  pg::ConnectOptions connect;
  connect.conninfo = options.database;
  connect.application_name = "curlew plan from-sql";
  connect.connect_timeout = timeout;
  ASSIGN_OR_RETURN(const auto connection, pg::Connection::Connect(connect));
  ASSIGN_OR_RETURN(v1::Schema schema, pg::ReadWholeSchema(connection.get()));
  return std::make_optional(std::move(schema));
}

}  // namespace

void AddPlanFromSql(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "from-sql", "Turn SQL that people or ORMs write into a plan",
      "Reads the files, one after the other, and prints one plan. What operations can say becomes "
      "operations; "
      "the "
      "rest becomes `sql` operations, whose hazards are named and acknowledged in the plan's settings: "
      "review "
      "them. "
      "Done, the plan leaves the schema that `psql -f` would leave. Works on the text alone; with --database "
      "or "
      "--schema it knows what is there, and the plan is compiled against it. Nothing is changed or stored.",
      "# A migration as an ORM writes it\n"
      "curlew plan from-sql 0042_add_plan.sql > 0042.yaml\n"
      "# The same, for a database that is looked at\n"
      "curlew plan from-sql 0042_add_plan.sql --database 'dbname=crm' > 0042.yaml\n"
      "# Several files, one plan, named\n"
      "curlew plan from-sql V7__tags.sql V8__tag_index.sql --name tags > tags.yaml\n"
      "# From a pipe, and look at the steps at once\n"
      "alembic upgrade head --sql | curlew plan from-sql - --name head > head.yaml\n"
      "curlew plan explain head.yaml --database 'dbname=crm'"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    std::vector<from_sql::Script> scripts;
    for (const std::string& file : options->files) {
      ASSIGN_OR_RETURN(std::string text, ReadFile(file));
      scripts.push_back({file == "-" ? "standard-input.sql" : file, std::move(text)});
    }
    ASSIGN_OR_RETURN(const std::optional<v1::Schema> schema, ReadKnown(*options, context.flags.timeout));
    ASSIGN_OR_RETURN(
        const from_sql::Conversion conversion,
        from_sql::Convert(scripts, {.name = options->name, .schema = schema ? &*schema : nullptr}));
    context.out << from_sql::ToYaml(conversion);
    return ExitCode::kOk;
  });
  verb->add_option(kFileType, options->files, "SQL scripts; - is the standard input")
      ->type_name(kFileType)
      ->required();
  verb->add_option("--name", options->name, "Name of the plan. Default: made from the first file's name")
      ->type_name("NAME");
  CLI::Option* database =
      verb->add_option("--database", options->database, "Look at the database of a libpq connection string")
          ->type_name("CONNINFO");
  verb->add_option("--schema", options->schema,
                   "Take a schema in JSON for it, as plan explain -o json prints it")
      ->type_name(kFileType)
      ->excludes(database);
}

}  // namespace curlew::cli
