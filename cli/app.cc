#include "cli/app.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/errors.h"
#include "cli/help.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/version.h"
#include "common/rpc/transport_flags.h"

namespace curlew::cli {
namespace {

// Levenshtein's distance.
size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

std::string UnknownCommand(const CLI::App& group, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : group.get_subcommands({})) names.push_back(command->get_name());
  const auto nearest = std::min_element(names.begin(), names.end(), [&](const auto& a, const auto& b) {
    return EditDistance(a, word) < EditDistance(b, word);
  });
  constexpr size_t kTypo = 2;
  return absl::StrCat("unknown command \"", word, "\" for \"", CommandPath(group), "\"; ",
                      EditDistance(*nearest, word) <= kTypo
                          ? absl::StrCat("did you mean \"", *nearest, "\"?")
                          : absl::StrCat("it has: ", absl::StrJoin(names, ", ")));
}

// What is wrong with a command line, in our words where CLI11's are too bare.
std::string UsageMessage(const CLI::App& chosen, const CLI::ParseError& error) {
  if (!chosen.get_subcommands({}).empty()) {
    // What a group does not know falls through to the root.
    for (const std::string& word : Root(chosen).remaining(true)) {
      if (word[0] != '-') return UnknownCommand(chosen, word);
    }
    std::vector<std::string> names;
    for (const CLI::App* command : chosen.get_subcommands({})) names.push_back(command->get_name());
    return absl::StrCat("\"", CommandPath(chosen), "\" needs a command: ", absl::StrJoin(names, ", "));
  }
  return error.what();
}

}  // namespace

std::unique_ptr<CLI::App> BuildApp(Context& context) {
  auto app = std::make_unique<CLI::App>(
      "Zero-downtime PostgreSQL schema migrations\n\n"
      "Plans say what to change; rollouts carry them through the environments, phase by phase (ADD, "
      "DUAL_WRITE, "
      "BACKFILL, CONSTRAIN, DROP), while applications go on.",
      "curlew");
  app->require_subcommand(1);
  app->set_help_flag("-h,--help", "Show what the command does, with examples");
  app->set_version_flag("--version", absl::StrCat("curlew ", base::OwnVersion()));
  app->formatter_fn(
      [](const CLI::App* shown, const std::string&, CLI::AppFormatMode) { return Help(*shown); });
  GlobalFlags& flags = context.flags;
  app->add_option("--controller", flags.controller,
                  "Address of the controller; of several, with commas between, the one that leads is "
                  "found")
      ->type_name("HOST:PORT")
      ->default_str(flags.controller);
  rpc::AddTransportFlags(app.get(), rpc::Side::kClient, &flags.transport);
  app->add_option("--token-file", flags.token_file,
                  "Bearer token to show in place of a certificate; --tls-ca is needed still (default: "
                  "CURLEW_TOKEN, the token itself)")
      ->type_name("FILE");
  app->add_option("--actor", flags.actor, "Who acts, for the record")
      ->type_name("NAME")
      ->default_str(flags.actor);
  AddDuration(*app, "--timeout", flags.timeout, "Deadline of each call; watching has none");
  app->footer(
      "# From a plan to production\n"
      "curlew plan explain plan.yaml --target staging-crm\n"
      "curlew rollout start plan.yaml --watch\n"
      "curlew rollout approve release-42 --gate staging/before-drop --reason 'old app is gone'");

  CLI::App* plan = AddGroup(*app, {"plan", "Check, explain, store and sign plans", "", ""});
  AddPlanValidate(*plan, context);
  AddPlanExplain(*plan, context);
  AddPlanSql(*plan, context);
  AddPlanFromSql(*plan, context);
  AddPlanSubmit(*plan, context);
  AddPlanList(*plan, context);
  AddPlanShow(*plan, context);
  AddPlanSign(*plan, context);

  AddLint(*app, context);

  CLI::App* rollout = AddGroup(*app, {"rollout", "Start, follow, approve and stop rollouts", "", ""});
  AddRolloutStart(*rollout, context);
  AddRolloutList(*rollout, context);
  AddRolloutShow(*rollout, context);
  AddRolloutRuns(*rollout, context);
  AddRolloutWatch(*rollout, context);
  AddRolloutApprove(*rollout, context);
  AddRolloutSkipGate(*rollout, context);
  AddRolloutReportCheck(*rollout, context);
  AddRolloutOverride(*rollout, context);
  AddRolloutTune(*rollout, context);
  AddRolloutRows(*rollout, context);
  AddRolloutPause(*rollout, context);
  AddRolloutResume(*rollout, context);
  AddRolloutRetry(*rollout, context);
  AddRolloutSkip(*rollout, context);
  AddRolloutSkipTarget(*rollout, context);
  AddRolloutAbort(*rollout, context);
  AddRolloutRollback(*rollout, context);
  AddRolloutReport(*rollout, context);
  AddRolloutRestoreHint(*rollout, context);

  CLI::App* target = AddGroup(*app, {"target", "See databases and the agents that serve them", "", ""});
  AddTargetList(*target, context);
  AddTargetShow(*target, context);
  AddTargetBaseline(*target, context);
  AddCurrent(*app, context);
  AddHistory(*app, context);
  AddDrift(*app, context);

  CLI::App* schema = AddGroup(*app, {"schema", "Keep schemas of databases as files", "", ""});
  AddSchemaSnapshot(*schema, context);

  CLI::App* env = AddGroup(*app, {"env", "See and change the pipeline of environments", "", ""});
  AddEnvApply(*env, context);
  AddEnvList(*env, context);

  CLI::App* audit = AddGroup(*app, {"audit", "See who changed what, and whether that is all", "", ""});
  AddAuditList(*audit, context);
  AddAuditVerify(*audit, context);

  CLI::App* key =
      AddGroup(*app, {"key", "Make and show keys that plans and approvals are signed with", "", ""});
  AddKeyCreate(*key, context);
  AddKeyShow(*key, context);

  CLI::App* token =
      AddGroup(*app, {"token", "Make and revoke bearer tokens, for who cannot have a certificate", "", ""});
  AddTokenCreate(*token, context);
  AddTokenList(*token, context);
  AddTokenRevoke(*token, context);

  CLI::App* pki = AddGroup(*app, {"pki", "Make certificates, for people without a CA", "", ""});
  AddPkiInit(*pki, context);
  AddPkiIssue(*pki, context);
  AddPkiRevoke(*pki, context);
  AddPkiShow(*pki, context);

  AddCompletion(*app, context);
  AddVersion(*app, context);
  return app;
}

ExitCode Run(Context& context, std::vector<std::string> arguments) {
  const std::unique_ptr<CLI::App> app = BuildApp(context);
  // CLI11 reads them from the back.
  std::reverse(arguments.begin(), arguments.end());
  try {
    app->parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    context.out << Help(ChosenApp(*app)) << std::flush;
    return ExitCode::kOk;
  } catch (const CLI::CallForVersion& version) {
    context.out << version.what() << std::endl;
    return ExitCode::kOk;
  } catch (const CLI::ParseError& error) {
    const CLI::App& chosen = ChosenApp(*app);
    context.err << RenderUsageError(UsageMessage(chosen, error), CommandPath(chosen), context.terminal.style);
    return ExitCode::kUsage;
  }
  const absl::StatusOr<ExitCode> code = context.action();
  context.out << std::flush;
  if (code.ok()) return *code;
  context.err << RenderError(code.status(), context.terminal.style) << std::flush;
  return ExitCodeOf(code.status());
}

}  // namespace curlew::cli
