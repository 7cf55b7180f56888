#include "controller/service/preview_stream.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/compiler/compiler.h"
#include "common/plan/plan_reader.h"
#include "common/plan/waves.h"
#include "common/rpc/error.h"
#include "common/rpc/peer_version.h"
#include "controller/dispatch/names.h"
#include "controller/dispatch/preflight_requests.h"
#include "controller/service/call.h"
#include "controller/service/rollout_rules.h"

namespace curlew::service {
namespace {

constexpr int kMostAtWork = 8;
// How far it is ahead of what the client has read.
constexpr size_t kMostAhead = 32;

v1::StepError ErrorOf(const absl::Status& status) {
  v1::StepError error;
  error.set_message(std::string(status.message()));
  error.set_sqlstate(base::Detail(status, base::kSqlstate));
  error.set_hint(base::Detail(status, base::kHint));
  return error;
}

}  // namespace

void PreviewStream::Start(grpc::CallbackServerContext* context, v1::PreviewRolloutRequest request) {
  self_ = shared_from_this();
  credential_ = access::Credential::Of(*context);
  if (const absl::Status status = rpc::CheckClientVersion(context); !status.ok()) {
    writes_.FinishNow(rpc::ToGrpc(status));
    return;
  }
  auto pass = door_.MayStream(credential_, request.ByteSizeLong());
  if (!pass.ok()) {
    writes_.FinishNow(rpc::ToGrpc(pass.status()));
    return;
  }
  pass_ = *std::move(pass);
  request_ = std::move(request);
  const bool posted = engine_->loop().Post([self = self_] {
    if (const absl::Status status = self->Begin(); !status.ok()) return self->End(status);
    // Under no rollout's name: it is told of the controller's end alone.
    self->engine_->rollouts().watches().Add("", self.get());
    self->Go();
  });
  if (!posted) {
    writes_.FinishNow(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the controller is shutting down"));
  }
}

absl::Status PreviewStream::Begin() {
  ASSIGN_OR_RETURN(const access::Caller caller, door_.Enter(credential_));
  RETURN_IF_ERROR(plan::Validate(request_.plan()));
  RETURN_IF_ERROR(FindOrigin());
  const std::vector<v1::Environment>& environments = engine_->targets().environments();
  RETURN_IF_ERROR(CheckPipeline(environments));
  RETURN_IF_ERROR(CheckPlanChecks(request_.plan(), environments));
  const std::string only =
      request_.environment().empty() ? "" : dispatch::WithCollection("environments", request_.environment());
  for (const v1::Environment& environment : environments) {
    if (!only.empty() && environment.name() != only) continue;
    RETURN_IF_ERROR(caller.InAll({dispatch::WithoutCollection("environments", environment.name())}));
    ASSIGN_OR_RETURN(const auto waves, plan::AssignWaves(environment));
    std::map<std::string, std::string> wave_of;
    for (const plan::AssignedWave& wave : waves) {
      for (const std::string& target : wave.targets) wave_of[target] = wave.policy.name();
    }
    for (const std::string& target : environment.targets()) {
      v1::TargetPreview& preview = items_.emplace_back().preview;
      preview.set_target(target);
      preview.set_environment(environment.name());
      preview.set_wave(wave_of[target]);
    }
  }
  if (!items_.empty()) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("there is no environment \"", only, "\" in the pipeline"));
}

absl::Status PreviewStream::FindOrigin() {
  const std::string digest = plan::Digest(request_.plan());
  auto stored = engine_->store().GetPlan(dispatch::NameOfPlan(request_.plan().name(), digest));
  if (stored.ok() && stored->digest() == digest) {
    origin_ = *std::move(stored);
    return absl::OkStatus();
  }
  *origin_.mutable_plan() = request_.plan();
  return stored.ok() || absl::IsNotFound(stored.status()) ? absl::OkStatus() : stored.status();
}

void PreviewStream::Go() {
  while (!ended_ && at_work_ < kMostAtWork && next_asked_ < items_.size() &&
         next_asked_ - next_told_ < kMostAhead) {
    ++at_work_;
    Ask(next_asked_++);
  }
  if (ended_ || writing_) return;
  if (next_told_ == items_.size()) return End(absl::OkStatus());
  if (!items_[next_told_].found) return;
  if (const absl::Status may = May(); !may.ok()) return End(may);
  v1::TargetPreview preview = std::move(items_[next_told_++].preview);
  if (preview.has_compiled_plan()) {
    if (!reference_.has_value()) reference_ = preview.compiled_plan();
    for (std::string& line : compiler::DiffSteps(*reference_, preview.compiled_plan())) {
      preview.add_differences(std::move(line));
    }
  }
  writing_ = true;
  writes_.Push(std::move(preview));
}

void PreviewStream::Ask(size_t index) {
  engine_->schemas().Ask(items_[index].preview.target(), compiler::ScopeOf(request_.plan()),
                         [self = shared_from_this(), index](const absl::StatusOr<v1::Schema>& schema) {
                           self->Compile(index, schema);
                         });
}

void PreviewStream::Compile(size_t index, const absl::StatusOr<v1::Schema>& schema) {
  if (ended_) return;
  v1::TargetPreview& preview = items_[index].preview;
  const absl::StatusOr<v1::CompiledPlan> compiled =
      schema.ok() ? compiler::Compile(request_.plan(), *schema) : schema.status();
  if (!compiled.ok()) {
    *preview.mutable_error() = ErrorOf(compiled.status());
    return Found(index);
  }
  *preview.mutable_compiled_plan() = *compiled;
  preview.set_compiled_digest(compiler::Digest(*compiled));
  engine_->preflights().Ask(preview.target(), *compiled, origin_,
                            [self = shared_from_this(), index](absl::StatusOr<v1::Preflight> found) {
                              *self->items_[index].preview.mutable_preflight() =
                                  found.ok() ? *std::move(found)
                                             : dispatch::PreflightNotMade(found.status(),
                                                                          self->engine_->clock().Now());
                              self->Found(index);
                            });
}

void PreviewStream::Found(size_t index) {
  --at_work_;
  items_[index].found = true;
  Go();
}

void PreviewStream::Changed() {
  if (ended_) return;
  if (const absl::Status may = May(); !may.ok()) End(may);
}

void PreviewStream::End(const absl::Status& status) {
  ended_ = true;
  writes_.FinishAfterQueue(rpc::ToGrpc(status));
}

void PreviewStream::OnWriteDone(bool ok) {
  if (!writes_.OnWriteDone(ok)) return;
  engine_->loop().Post([self = self_] {
    self->writing_ = false;
    self->Go();
  });
}

void PreviewStream::OnDone() {
  // Answers may still come: they find that it has ended.
  engine_->loop().Post([self = self_] {
    self->ended_ = true;
    self->engine_->rollouts().watches().Remove("", self.get());
  });
  pass_.reset();
  self_.reset();  // may end this object
}

}  // namespace curlew::service
