#include "cli/gate_view.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/key_view.h"
#include "cli/names.h"
#include "cli/pki_view.h"
#include "cli/units.h"
#include "common/base/proto_time.h"

namespace curlew::cli {
namespace {

using base::FromProto;

// Whether something must hold at it.
bool AsksForAnything(const v1::Gate& gate) {
  return gate.required_approvals() > 0 || FromProto(gate.policy().soak()) > absl::ZeroDuration() ||
         !gate.policy().windows().empty() || !gate.policy().checks().empty();
}

int CountApprovals(const v1::Gate& gate, absl::Time now) {
  return static_cast<int>(
      std::count_if(gate.approvals().begin(), gate.approvals().end(),
                    [now](const v1::Approval& approval) { return Counts(approval, now); }));
}

std::string Since(absl::Time time, const ViewOptions& options) {
  return absl::StrCat(ShortTime(time, options.zone), " (", FormatAge(time, options.now), " ago)");
}

std::string ApprovalText(const v1::Approval& approval, const ViewOptions& options) {
  const std::string who = Printable(approval.actor());
  const std::string when = Since(FromProto(approval.time()), options);
  const std::string reason =
      approval.reason().empty() ? "" : absl::StrCat(": ", Printable(approval.reason()));
  if (!approval.void_reason().empty()) {
    return absl::StrCat("the approval of ", who, ", ", when, reason,
                        ", does not count any more: ", Printable(approval.void_reason()));
  }
  if (!Counts(approval, options.now)) {
    return absl::StrCat("the approval of ", who, ", ", when, reason, ", has expired, ",
                        Since(FromProto(approval.expire_time()), options));
  }
  std::string text = absl::StrCat("approved by ", who, ", ", when, reason);
  if (approval.has_expire_time()) {
    absl::StrAppend(&text, "; expires in ", WholeDuration(FromProto(approval.expire_time()) - options.now));
  }
  if (approval.has_signature()) {
    const auto ends = FromProto(approval.signature().statement().expire_time());
    absl::StrAppend(&text, "; signed with key ", ShortKeyId(approval.signature().public_key()), ", ",
                    Validity(absl::InfinitePast(), ends, options.now));
  }
  return text;
}

Tone ToneOf(v1::CheckState state) {
  switch (state) {
    case v1::CHECK_STATE_PASSING:
      return Tone::kGood;
    case v1::CHECK_STATE_FAILING:
    case v1::CHECK_STATE_ERROR:
      return Tone::kBad;
    default:
      return Tone::kFaint;
  }
}

// What is still to come true at a gate that is closed, one text each.
std::vector<std::string> Missing(const v1::Rollout& rollout, const v1::Gate& gate,
                                 const ViewOptions& options) {
  std::vector<std::string> missing;
  const absl::string_view once = gate.has_reached_time() ? "" : " once it is reached";
  if (const int count = gate.required_approvals() - CountApprovals(gate, options.now); count > 0) {
    missing.push_back(absl::StrCat("needs ", count, count == 1 ? " approval" : " approvals",
                                   gate.approvals().empty() ? "" : " more", once, ": ",
                                   ApproveCommand(rollout, gate.id())));
  }
  if (gate.has_skip()) return missing;
  if (const absl::Duration soak = FromProto(gate.policy().soak()); soak > absl::ZeroDuration()) {
    const absl::Time end = FromProto(gate.reached_time()) + soak;
    if (!gate.has_reached_time()) {
      missing.push_back(absl::StrCat("soaks for ", ShortDuration(soak), once));
    } else if (end > options.now) {
      missing.push_back(absl::StrCat("soaks for ", ShortDuration(soak), ", ",
                                     WholeDuration(absl::Ceil(end - options.now, absl::Seconds(1))),
                                     " left"));
    }
  }
  if (!gate.policy().windows().empty()) {
    missing.push_back(absl::StrCat(
        "passes only in: ", absl::StrJoin(gate.policy().windows(), "; ", [](std::string* out, const auto& w) {
          out->append(WindowText(w));
        })));
  }
  return missing;
}

}  // namespace

std::vector<const v1::Gate*> GatesOf(const v1::Rollout& rollout) {
  std::vector<const v1::Gate*> gates;
  const auto add = [&gates](const v1::Gate& gate) {
    if (!gate.id().empty()) gates.push_back(&gate);
  };
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    add(stage.before());
    for (const v1::Wave& wave : stage.waves()) add(wave.before());
    add(stage.before_drop());
  }
  return gates;
}

const v1::Gate* FindGate(const v1::Rollout& rollout, const std::string& id) {
  std::string wanted = id;
  for (const v1::Waiting& waiting : rollout.waiting()) {
    if (wanted.empty() && waiting.cause() == v1::WAIT_CAUSE_APPROVAL) wanted = waiting.gate();
  }
  if (wanted.empty()) return nullptr;
  for (const v1::Gate* gate : GatesOf(rollout)) {
    if (gate->id() == wanted) return gate;
  }
  return nullptr;
}

const v1::EnvironmentStage* StageOf(const v1::Rollout& rollout, const v1::Gate& gate) {
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    if (stage.before().id() == gate.id() || stage.before_drop().id() == gate.id()) return &stage;
    for (const v1::Wave& wave : stage.waves()) {
      if (wave.before().id() == gate.id()) return &stage;
    }
  }
  return nullptr;
}

bool IsOpen(const v1::Gate& gate) { return gate.has_open_time() || !AsksForAnything(gate); }

bool Counts(const v1::Approval& approval, absl::Time now) {
  return approval.void_reason().empty() &&
         (!approval.has_expire_time() || FromProto(approval.expire_time()) > now);
}

std::string GateText(const v1::Gate& gate, absl::Time now) {
  if (!AsksForAnything(gate)) return "open";
  std::string text = gate.has_open_time() ? "open" : gate.has_reached_time() ? "closed" : "not reached";
  if (gate.required_approvals() > 0) {
    // What has opened it counts for good, also where it has expired since.
    const int count = CountApprovals(gate, gate.has_open_time() ? FromProto(gate.open_time()) : now);
    absl::StrAppend(&text, ", ", count, " of ", gate.required_approvals(), " approvals");
  }
  return text;
}

std::string GateLines(const v1::Rollout& rollout, const v1::Gate& gate, const ViewOptions& options) {
  std::string out;
  const std::string head = absl::StrCat("  ", Printable(gate.id()), ": ");
  for (const v1::Approval& approval : gate.approvals()) {
    absl::StrAppend(&out, head, ApprovalText(approval, options), "\n");
  }
  if (gate.has_skip()) {
    absl::StrAppend(&out, head, "soak, windows and checks need not hold: skipped by ",
                    Printable(gate.skip().actor()), ": ", Printable(gate.skip().reason()), "\n");
  }
  const bool open = IsOpen(gate);
  if (!open && gate.has_reached_time()) {
    absl::StrAppend(&out, head, Paint("closed", Tone::kBusy, options.style), ", reached ",
                    Since(FromProto(gate.reached_time()), options), "\n");
  }
  if (!open) {
    for (const std::string& missing : Missing(rollout, gate, options)) {
      absl::StrAppend(&out, head, Printable(missing), "\n");
    }
  }
  for (const v1::CheckStatus& check : gate.checks()) {
    if (open && check.state() == v1::CHECK_STATE_PASSING) continue;
    absl::StrAppend(&out, head, "check ", Printable(check.check()),
                    check.target().empty() ? "" : absl::StrCat(" on ", Printable(check.target())), ": ",
                    CheckText(check, options), "\n");
  }
  return out;
}

std::string CheckText(const v1::CheckStatus& check, const ViewOptions& options) {
  if (check.state() == v1::CHECK_STATE_UNSPECIFIED) return "not made yet";
  std::string text = Paint(Word(check.state()), ToneOf(check.state()), options.style);
  if (check.has_since()) absl::StrAppend(&text, ", for ", FormatAge(FromProto(check.since()), options.now));
  if (check.failures() > 1) absl::StrAppend(&text, ", ", check.failures(), " times in a row");
  if (!check.message().empty()) absl::StrAppend(&text, ": ", Printable(check.message()));
  std::vector<std::string> values;
  for (const v1::CheckSample& sample : check.samples()) {
    if (!sample.value().empty()) values.push_back(Printable(sample.value()));
  }
  constexpr size_t kMostValues = 5;
  if (values.size() > kMostValues) values.erase(values.begin(), values.end() - kMostValues);
  if (!values.empty()) absl::StrAppend(&text, "; measured ", absl::StrJoin(values, ", "));
  return text;
}

std::string WindowText(const v1::Window& window) {
  return absl::StrCat(Printable(window.cron()), " (",
                      window.time_zone().empty() ? "UTC" : Printable(window.time_zone()), "), for ",
                      ShortDuration(FromProto(window.duration())));
}

}  // namespace curlew::cli
