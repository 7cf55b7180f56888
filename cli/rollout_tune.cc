#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/progress_view.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

// A negative limit switches its signal off.
constexpr double kOff = -1;

// NAME=VALUE or NAME=off; nothing for another text.
struct Limit {
  std::string name;
  double value = 0;
};
std::optional<Limit> ParseLimit(const std::string& text) {
  const size_t at = text.find('=');
  if (at == 0 || at == text.npos) return std::nullopt;
  Limit limit{.name = text.substr(0, at)};
  const std::string value = text.substr(at + 1);
  if (absl::AsciiStrToLower(value) == "off") {
    limit.value = kOff;
  } else if (!absl::SimpleAtod(value, &limit.value) || !(limit.value > 0)) {
    return std::nullopt;
  }
  return limit;
}

std::string CheckLimit(const std::string& text) {
  if (ParseLimit(text).has_value()) return "";
  return absl::StrCat("\"", text, "\" is no limit; write replica_lag_ms=500, or replica_lag_ms=off");
}

// What the flags are called, as what they set.
std::string FieldName(const std::string& flag) {
  if (flag == "workers") return "max_workers";
  if (flag == "batch-target") return "batch_target";
  return flag;
}

void Print(Context& context, const v1::Rollout& rollout, const std::string& target) {
  for (const v1::Run& run : rollout.runs()) {
    const bool asked = target.empty() ? run.has_tuning() : run.target() == target;
    if (!asked || run.state() == v1::RUN_STATE_SUCCEEDED || run.state() == v1::RUN_STATE_ROLLED_BACK)
      continue;
    const std::string text = TuningText(run.tuning());
    context.out << Printable(run.target()) << ": " << (text.empty() ? "as plan and agent have it" : text)
                << "\n";
  }
}

}  // namespace

void AddRolloutTune(CLI::App& group, Context& context) {
  struct Options {
    std::string name, target, reason, etag;
    int32_t workers = 0;
    absl::Duration batch_target;
    std::vector<std::string> limits, reset;
    std::string output = "table";
  };
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "tune", "Change how the backfills of a rollout go on, while they run",
      "What is set holds from the next batch of each walk on (backfill, purge, transform), and for walks "
      "that begin later; no batch is lost. Without --target it is for every target that has not ended. What "
      "is not named stays as it is. The agent's own most workers hold too; docs/throttle.md has the names of "
      "signals, and an agent passes over those that it does not know. `curlew rollout watch` shows "
      "which signal bounds a walk, with its value and limit. To stop all work: curlew rollout pause.",
      "# One worker, small batches: the application feels it\n"
      "curlew rollout tune release-42 --workers 1 --batch-target 20ms --reason 'peak hour'\n"
      "# Let replicas lag by at most half a second; do not look at archiving\n"
      "curlew rollout tune release-42 --target crm --limit replica_lag_ms=500 --limit archive_backlog=off\n"
      "# Back to what plan and agent say\n"
      "curlew rollout tune release-42 --reset workers --reset batch-target --reset replica_lag_ms"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::TuneRolloutRequest request;
    request.set_name(RolloutName(options->name));
    request.set_target(Bare(options->target));
    v1::Tuning& tuning = *request.mutable_tuning();
    tuning.set_max_workers(options->workers);
    if (options->batch_target > absl::ZeroDuration()) {
      *tuning.mutable_batch_target() = base::ToProto(options->batch_target);
    }
    for (const std::string& text : options->limits) {
      const std::optional<Limit> limit = ParseLimit(text);
      (*tuning.mutable_limits())[limit->name] = limit->value;
    }
    for (const std::string& name : options->reset) request.add_reset(FieldName(name));
    request.set_reason(options->reason);
    request.set_actor(context.flags.actor);
    request.set_etag(options->etag);
    ASSIGN_OR_RETURN(const v1::Rollout rollout,
                     client->Call(&v1::RolloutService::Stub::TuneRollout, request));
    if (options->output != "table") {
      context.out << Structured(rollout, options->output);
    } else {
      Print(context, rollout, request.target());
    }
    return ExitCode::kOk;
  });
  AddArgument(*verb, kRolloutType, options->name, "Name of the rollout");
  verb->add_option("--target", options->target, "The target; default: every one that has not ended")
      ->type_name(kTargetType);
  AddNumber(*verb, "--workers", 1, 1000, options->workers, "The most workers that share the rows of a table");
  AddOptionalDuration(*verb, "--batch-target", options->batch_target,
                      "How long a batch should take, 1ms to 10s");
  AddRepeated(*verb, "--limit", "NAME=VALUE", options->limits,
              "Limit of a signal, in the unit of its name, or \"off\"; may be given again")
      ->check(CheckLimit);
  AddRepeated(*verb, "--reset", "NAME", options->reset,
              "Take back workers, batch-target or the limit of that name; may be given again");
  verb->add_option("--reason", options->reason, "Why; recorded")->type_name("TEXT");
  verb->add_option("--etag", options->etag, "Refuse where the rollout has changed since it had this etag")
      ->type_name("ETAG");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
