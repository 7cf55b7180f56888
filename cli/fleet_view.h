// Many runs at once, for people to read: waves, counts by state, and those that need attention. Pure
// functions.
#ifndef CURLEW_CLI_FLEET_VIEW_H_
#define CURLEW_CLI_FLEET_VIEW_H_

#include <string>
#include <vector>

#include "cli/rollout_view.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::cli {

// Above so many runs they are counted, and only those that need attention are listed.
inline constexpr int kMostRunsShown = 12;

// Whether a rollout has more than that.
bool IsFleet(const v1::Rollout& rollout);

// "1 FAILED, 3 RUNNING, 200 PENDING; 2 set aside": what needs attention first.
std::string CountRuns(const std::vector<const v1::Run*>& runs, const Style& style);

// The runs of a wave.
std::vector<const v1::Run*> RunsOf(const v1::Rollout& rollout, const v1::EnvironmentStage& stage,
                                   const v1::Wave& wave);

// Why a person should look at a run: it failed, was set aside or left out, is held, has no agent, or
// preflight has found an error. "" where it needs no look.
std::string AttentionText(const v1::Run& run);

// A heading and one line for each wave: state, counts, gate, bake time. "" where each environment has one
// wave without a gate and a bake time, and the runs are shown by themselves.
std::string RenderWaves(const v1::Rollout& rollout, const ViewOptions& options);

// A heading and the runs that need attention, the first fifty of them; "" where there are none.
std::string RenderAttention(const v1::Rollout& rollout, const ViewOptions& options);

// "2 errors, 1 warning; takes about 5m00s" of a preflight; "" where there is nothing to say.
std::string PreflightText(const v1::Preflight& preflight);

// Its findings from WARNING on, one line each, indented; all of them with `kAll`.
enum class Findings { kAll, kThatMatter };
std::string PreflightLines(const v1::Preflight& preflight, Findings which, int indent, const Style& style);

// One row for each run: target, environment, wave, state, step, what is to be said.
Table RunTable(const google::protobuf::RepeatedPtrField<v1::Run>& runs, const ViewOptions& options);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_FLEET_VIEW_H_
