// Gates and checks, for people to read. Pure functions.
#ifndef CURLEW_CLI_GATE_VIEW_H_
#define CURLEW_CLI_GATE_VIEW_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/rollout_view.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::cli {

// Every gate of a rollout, in the order in which it comes to them: before an environment, before each of its
// waves, before DROP. The pointers live as long as `rollout` is not changed.
std::vector<const v1::Gate*> GatesOf(const v1::Rollout& rollout);

// The gate of that id, or nullptr. An empty id means the one whose approval is waited for.
const v1::Gate* FindGate(const v1::Rollout& rollout, const std::string& id);

// The stage that a gate belongs to, or nullptr.
const v1::EnvironmentStage* StageOf(const v1::Rollout& rollout, const v1::Gate& gate);

// Whether it lets pass: it has opened, or there is nothing to it.
bool IsOpen(const v1::Gate& gate);

// Whether an approval counts now: it is neither void nor expired.
bool Counts(const v1::Approval& approval, absl::Time now);

// "open", "closed, 1 of 2 approvals", "not reached, 0 of 1 approvals": for a cell of a table.
std::string GateText(const v1::Gate& gate, absl::Time now);

// What there is to say of a gate, each line indented by two and with its id: why it is closed and since when,
// who approved (also what does not count, and why), who skipped what, and the commands that open it. "" where
// there is nothing to say.
std::string GateLines(const v1::Rollout& rollout, const v1::Gate& gate, const ViewOptions& options);

// "FAILING, for 3m07s, 3 times in a row: 0.12; last 0.1, 0.12".
std::string CheckText(const v1::CheckStatus& check, const ViewOptions& options);

// A window: "0 2 * * 1-5 (Europe/Berlin), for 2h00m".
std::string WindowText(const v1::Window& window);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_GATE_VIEW_H_
