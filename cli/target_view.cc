#include "cli/target_view.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/names.h"
#include "cli/record_view.h"
#include "cli/steps_group.h"
#include "cli/units.h"
#include "common/base/proto_time.h"

namespace curlew::cli {
namespace {

std::string OrDash(const std::string& text) { return text.empty() ? "-" : Printable(text); }

std::string Served(const v1::Target& target, const Style& style) {
  if (!target.problem().empty()) return Paint("problem", Tone::kBad, style);
  return target.served() ? Paint("yes", Tone::kGood, style) : Paint("no", Tone::kBusy, style);
}

std::string WavesText(const v1::Environment& environment) {
  if (environment.waves().empty()) return "-";
  std::vector<std::string> names;
  for (const v1::WavePolicy& wave : environment.waves()) names.push_back(wave.name());
  return ListNames(names, 3);
}

std::string ProblemText(const v1::Target& target) {
  if (target.drift().empty()) return target.problem();
  return absl::StrCat(target.problem(), target.problem().empty() ? "" : "; ", "drift: ", target.drift());
}

}  // namespace

std::string ServerVersion(int version_num) {
  if (version_num == 0) return "-";
  if (version_num >= 100'000) return absl::StrCat(version_num / 10'000, ".", version_num % 10'000);
  return absl::StrCat(version_num / 10'000, ".", version_num / 100 % 100, ".", version_num % 100);
}

Table TargetTable(const google::protobuf::RepeatedPtrField<v1::Target>& targets, const ViewOptions& options) {
  Table table(
      {"NAME", "ENVIRONMENT", "SERVED", "AGENT", "POSTGRESQL", "DATABASE", "SEEN", "ROLLOUT", "PROBLEM"});
  for (const v1::Target& target : targets) {
    table.AddRow({Printable(Bare(target.name())), Printable(Bare(target.environment())),
                  absl::StrCat(Served(target, options.style), target.requires_signatures() ? ", signed" : ""),
                  OrDash(target.agent_id()), ServerVersion(target.server_version_num()),
                  OrDash(target.database()), FormatAge(base::FromProto(target.last_seen_time()), options.now),
                  OrDash(Bare(target.rollout())), OrDash(ProblemText(target))});
  }
  return table;
}

std::string RenderTarget(const v1::Target& target, const ViewOptions& options) {
  std::string out =
      absl::StrCat("Target ", Paint(Printable(Bare(target.name())), Tone::kStrong, options.style),
                   "\n  environment  ", OrDash(Bare(target.environment())), "\n  served       ",
                   Served(target, options.style), "\n  agent        ", OrDash(target.agent_id()));
  if (!target.agent_version().empty()) absl::StrAppend(&out, ", version ", Printable(target.agent_version()));
  absl::StrAppend(&out, "\n  epoch        ", target.epoch(), "\n  PostgreSQL   ",
                  ServerVersion(target.server_version_num()), "\n  database     ", OrDash(target.database()),
                  "\n  last seen    ", ShortTime(base::FromProto(target.last_seen_time()), options.zone),
                  "\n  rollout      ", OrDash(Bare(target.rollout())), "\n");
  if (target.requires_signatures()) {
    absl::StrAppend(&out, "  signatures   required: its agent runs signed plans alone (curlew plan sign)\n");
  }
  if (!target.labels().empty()) {
    absl::StrAppend(&out, "  labels       ", LabelsText(target.labels()), "\n");
  }
  if (!target.drift().empty()) {
    absl::StrAppend(&out, "  ", Paint("drift", Tone::kBad, options.style), "        ",
                    Printable(target.drift()), "\n  to see it    curlew drift ",
                    Printable(Bare(target.name())), "\n");
  }
  if (!target.problem().empty()) {
    absl::StrAppend(&out, "  ", Paint("problem", Tone::kBad, options.style), "      ",
                    Printable(target.problem()), "\n");
  } else if (!target.served()) {
    absl::StrAppend(&out, "  to serve it  start curlew-agent with target ", Printable(Bare(target.name())),
                    "\n");
  }
  return out;
}

Table EnvironmentTable(const google::protobuf::RepeatedPtrField<v1::Environment>& environments) {
  Table table({"NAME", ">APPROVALS BEFORE", ">BEFORE DROP", ">SOAK", "WAVES", "TARGETS"});
  for (const v1::Environment& environment : environments) {
    table.AddRow({Printable(Bare(environment.name())), absl::StrCat(environment.before().approvals()),
                  absl::StrCat(environment.before_drop().approvals()),
                  ShortDuration(base::FromProto(environment.soak())), WavesText(environment),
                  ListNames({environment.targets().begin(), environment.targets().end()})});
  }
  return table;
}

}  // namespace curlew::cli
