#include <memory>

#include "cli/names.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/units.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

Tone ToneOf(v1::RowProblemState state) {
  switch (state) {
    case v1::ROW_PROBLEM_STATE_FOUND:
      return Tone::kBad;
    case v1::ROW_PROBLEM_STATE_QUARANTINED:
      return Tone::kBusy;
    case v1::ROW_PROBLEM_STATE_MENDED:
      return Tone::kGood;
    default:
      return Tone::kPlain;
  }
}

void Print(Context& context, const v1::ListRowProblemsResponse& list, const std::string& rollout) {
  if (list.problems().empty()) {
    context.out << "No row of " << rollout << " failed.\n";
    return;
  }
  const Style& style = context.terminal.style;
  const absl::Time now = absl::Now();
  Table table({"STEP", "ROW", "STATE", ">FOUND", "SQLSTATE", "WHAT"});
  bool withheld = false;
  bool open = false;
  for (const v1::RowProblem& problem : list.problems()) {
    withheld = withheld || problem.row_key().empty();
    open = open || problem.state() == v1::ROW_PROBLEM_STATE_QUARANTINED ||
           problem.state() == v1::ROW_PROBLEM_STATE_FOUND;
    table.AddRow({Printable(problem.step()), problem.row_key().empty() ? "-" : Printable(problem.row_key()),
                  Paint(Word(problem.state()), ToneOf(problem.state()), style),
                  FormatAge(base::FromProto(problem.found_time()), now), Printable(problem.sqlstate()),
                  problem.message().empty() ? "-" : Printable(problem.message())});
  }
  context.out << table.Render(style, context.width());
  if (list.total() > list.problems_size()) {
    context.out << "\n"
                << FormatCount(list.problems_size()) << " of " << FormatCount(list.total())
                << " rows, the newest; more: -n NUMBER\n";
  }
  if (withheld) {
    context.out
        << "\nThe agent keeps keys and messages to itself: they are in curlew.problem of the database; it"
           " reports them when it runs with --report-row-keys.\n";
  }
  if (open) {
    context.out << "\nWhen the data is mended: curlew rollout resume " << rollout
                << "\nTo leave the rows as they are: curlew rollout override " << rollout
                << " --reason TEXT, then resume\n";
  }
}

}  // namespace

void AddRolloutRows(CLI::App& group, Context& context) {
  struct Options {
    std::string name, target;
    int32_t limit = 100;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "rows", "List rows that the steps of a rollout could not write",
      "Asks the target's agent for what its journal holds, the newest first. FOUND: the run failed because "
      "of the row. QUARANTINED: it was passed over and waits. MENDED: it could be written later. ACCEPTED: "
      "somebody has decided that it stays as it is (curlew rollout override). Keys and messages are shown "
      "where the agent runs with --report-row-keys.",
      "# What could not be written\n"
      "curlew rollout rows release-42 --target staging-crm\n"
      "# The keys alone, all of them\n"
      "curlew rollout rows release-42 --target staging-crm -n 1000 -o json | jq -r '.problems[].row_key'"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::ListRowProblemsRequest request;
    request.set_name(RolloutName(options->name));
    request.set_target(Bare(options->target));
    request.set_limit(options->limit);
    ASSIGN_OR_RETURN(const v1::ListRowProblemsResponse list,
                     client->Call(&v1::RolloutService::Stub::ListRowProblems, request));
    if (options->output != "table") {
      context.out << Structured(list, options->output);
    } else {
      Print(context, list, Printable(Bare(options->name)));
    }
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  verb->add_option("--target", options->target, "The target; needed where the rollout has several")
      ->type_name(kTargetType);
  AddNumber(*verb, "-n,--limit", 1, 1000, options->limit, "How many at most, up to 1000");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
