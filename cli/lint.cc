#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"
#include "cli/files.h"
#include "cli/lint_judge.h"
#include "cli/lint_output.h"
#include "cli/lint_plan.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string database;
  std::string output = "text";
  std::string fail_on = "error";
  bool verbose = false;
};

constexpr size_t kLargestFile = size_t{1} << 30;

std::unique_ptr<LintOutput> MakeOutput(const Options& options, Context& context) {
  if (options.output == "json") return MakeLintJson(context.out);
  if (options.output == "sarif") return MakeLintSarif(context.out);
  if (options.output == "github") return MakeLintGithub(context.out);
  return MakeLintText(context.out, context.terminal.style,
                      options.verbose ? LintVerbosity::kAll : LintVerbosity::kHazards);
}

bool Fails(const LintCounts& counts, const std::string& fail_on) {
  if (fail_on == "never") return false;
  int found = counts.errors;
  if (fail_on != "error") found += counts.warnings;
  if (fail_on == "notice") found += counts.notices;
  return found > 0;
}

absl::StatusOr<ExitCode> Lint(const Options& options, Context& context) {
  ASSIGN_OR_RETURN(const auto new_judge, MakeLintJudges(options.database, context.flags.timeout));
  const std::unique_ptr<LintOutput> output = MakeOutput(options, context);
  LintCounts counts;
  const lint::FindingSink sink = [&](const lint::Finding& finding) {
    counts.Add(finding);
    output->Add(finding);
  };
  ExitCode unreadable = ExitCode::kOk;
  for (const std::string& file : options.files) {
    const absl::StatusOr<std::string> text = ReadFile(file, kLargestFile);
    if (!text.ok()) {
      context.err << RenderError(text.status(), context.terminal.style);
      unreadable = ExitCodeOf(text.status());
      continue;
    }
    ++counts.files;
    if (IsPlan(file, *text)) {
      const std::string note = LintPlan(*text, file, new_judge, sink);
      if (!note.empty()) output->Note(note);
    } else {
      lint::LintScript(*text, file, new_judge(), sink);
    }
  }
  output->Finish(counts);
  if (unreadable != ExitCode::kOk) return unreadable;
  return Fails(counts, options.fail_on) ? ExitCode::kError : ExitCode::kOk;
}

}  // namespace

void AddLint(CLI::App& root, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "lint", "Say what SQL and plans do to a running database: locks, waits, rewrites",
      "Reads each file with PostgreSQL's own parser and says of every statement which locks it takes, who "
      "waits, "
      "whether it rewrites or reads a whole table, what is dangerous, and the safe way. What cannot be read "
      "is an "
      "error with its place; the rest is judged all the same. Plans in YAML are read too: their sql "
      "operations are "
      "judged.\n\n"
      "With --database it knows sizes, indexes and constraints, and is exact where a statement alone is not. "
      "It only "
      "reads the catalogue, and asks for plans of data statements with EXPLAIN.\n\n"
      "A comment \"-- curlew:allow HAZARD REASON\" before a statement, in it, or behind it in its line "
      "accepts a "
      "hazard; \"-- curlew:allow-file\" does so for all that follow. docs/lint.md lists the hazards.\n\n"
      "The exit status is 1 where something at or above --fail-on was found that is not allowed.",
      "# Judge a file without a database\n"
      "curlew lint migrations/0042_totals.sql\n"
      "# Exactly, against the database that it is for\n"
      "curlew lint --database 'host=localhost dbname=crm' migrations/*.sql\n"
      "# From a pipe, as JSON\n"
      "generate-migration | curlew lint - -o json\n"
      "# Annotate a pull request on GitHub, and fail on warnings too\n"
      "curlew lint migrations/*.sql -o github --fail-on warning\n"
      "# For code scanning\n"
      "curlew lint migrations/*.sql -o sarif --fail-on never > curlew.sarif"};
  CLI::App* verb = AddVerb(root, context, info, [&context, options] { return Lint(*options, context); });
  verb->add_option(kFileType, options->files, "SQL scripts and plans in YAML; - is the standard input")
      ->type_name(kFileType)
      ->required();
  verb->add_option("--database", options->database, "Judge against the database of a libpq connection string")
      ->type_name("CONNINFO");
  AddChoice(*verb, "--fail-on", {"error", "warning", "notice", "never"}, options->fail_on,
            "The least severity that makes the exit status 1");
  verb->add_flag("-v,--verbose", options->verbose,
                 "Show statements without hazards and what is allowed as well");
  AddOutput(*verb, {"text", "json", "sarif", "github"}, options->output);
}

}  // namespace curlew::cli
