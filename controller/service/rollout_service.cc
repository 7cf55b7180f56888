#include "controller/service/rollout_service.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "controller/dispatch/names.h"
#include "controller/rollout/machine.h"
#include "controller/service/call.h"
#include "controller/service/watch_stream.h"

namespace curlew::service {
namespace {

constexpr size_t kLongestId = 100;
constexpr int kDefaultProblems = 100;
constexpr int kMostProblems = 1000;

std::string NameOf(const std::string& name) { return dispatch::WithCollection("rollouts", name); }

absl::Status CheckId(const std::string& id) {
  bool right = id.size() <= kLongestId;
  for (const char c : id) right = right && (absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-');
  if (right) return absl::OkStatus();
  return BadField("rollout_id", absl::StrCat("rollout_id \"", id, "\" is not right: use at most ", kLongestId,
                                             " of a-z, 0-9 and '-'"));
}

absl::Status CheckDigest(const std::string& given, const v1::StoredPlan& plan) {
  if (given.empty() || given == plan.digest()) return absl::OkStatus();
  return base::WithDetail(absl::FailedPreconditionError(absl::StrCat(
                              "plan \"", plan.name(), "\" has digest ", plan.digest(), ", but ", given,
                              " was expected; submit the plan that you mean, and name it in full")),
                          base::kReason, "PLAN_DIGEST_MISMATCH");
}

// "rollouts/PLAN-n" with the first n that is free. Names are counted up, so that all below a free one are
// taken: doubling finds a free one, halving the first.
absl::StatusOr<std::string> FreeName(dispatch::RolloutDriver* rollouts, const std::string& plan_name) {
  const auto taken = [&](int n) -> absl::StatusOr<bool> {
    const auto found = rollouts->Get(absl::StrCat("rollouts/", plan_name, "-", n));
    if (absl::IsNotFound(found.status())) return false;
    RETURN_IF_ERROR(found.status());
    return true;
  };
  int low = 0, high = 1;  // low is taken, or 0
  while (true) {
    ASSIGN_OR_RETURN(const bool is_taken, taken(high));
    if (!is_taken) break;
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    ASSIGN_OR_RETURN(const bool is_taken, taken(middle));
    (is_taken ? low : high) = middle;
  }
  return absl::StrCat("rollouts/", plan_name, "-", high);
}

}  // namespace

grpc::ServerUnaryReactor* RolloutService::CreateRollout(grpc::CallbackServerContext* context,
                                                        const v1::CreateRolloutRequest* request,
                                                        v1::Rollout* response) {
  return Answer(context, &engine_->loop(),
                [=, this] { return Create(*request, ActorOf(*context, request->actor()), response); });
}

absl::Status RolloutService::Create(const v1::CreateRolloutRequest& request, const std::string& actor,
                                    v1::Rollout* response) {
  RETURN_IF_ERROR(Required("plan", request.plan()));
  RETURN_IF_ERROR(CheckId(request.rollout_id()));
  ASSIGN_OR_RETURN(const v1::StoredPlan plan, engine_->store().GetPlan(request.plan()));
  RETURN_IF_ERROR(CheckDigest(request.digest(), plan));
  std::string name = NameOf(request.rollout_id());
  if (!request.rollout_id().empty()) {
    auto existing = engine_->rollouts().Get(name);
    if (existing.ok() && existing->rollout.plan_digest() != plan.digest()) {
      return absl::AlreadyExistsError(absl::StrCat("rollout \"", name, "\" exists already, of plan \"",
                                                   existing->rollout.plan(), "\"; choose another id"));
    }
    if (existing.ok()) {
      *response = std::move(existing->rollout);
      return absl::OkStatus();
    }
    if (!absl::IsNotFound(existing.status())) return existing.status();
  } else {
    ASSIGN_OR_RETURN(name, FreeName(&engine_->rollouts(), plan.plan().name()));
  }
  const std::vector<v1::Environment>& environments = engine_->targets().environments();
  if (environments.empty()) {
    return base::WithDetail(
        absl::FailedPreconditionError(
            "there is no environment to roll out to; define them with `curlew env apply -f FILE`"),
        base::kReason, "NO_ENVIRONMENTS");
  }
  ASSIGN_OR_RETURN(*response,
                   engine_->rollouts().Create(rollout::NewRollout(name, plan.name(), plan.digest(), actor,
                                                                  environments, engine_->clock().Now()),
                                              actor));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* RolloutService::GetRollout(grpc::CallbackServerContext* context,
                                                     const v1::GetRolloutRequest* request,
                                                     v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(Required("name", request->name()));
    return Get(NameOf(request->name()), response);
  });
}

absl::Status RolloutService::Get(const std::string& name, v1::Rollout* response) {
  ASSIGN_OR_RETURN(auto stored, engine_->rollouts().Get(name));
  *response = std::move(stored.rollout);
  for (v1::Waiting& waiting : engine_->rollouts().watches().AgentsWaiting(name)) {
    *response->add_waiting() = std::move(waiting);
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* RolloutService::ListRollouts(grpc::CallbackServerContext* context,
                                                       const v1::ListRolloutsRequest* request,
                                                       v1::ListRolloutsResponse* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    ASSIGN_OR_RETURN(const store::Page page, PageOf(request->page_size(), request->page_token()));
    ASSIGN_OR_RETURN(auto rollouts, engine_->store().ListRollouts(page, response->mutable_next_page_token()));
    for (store::VersionedRollout& stored : rollouts) {
      for (v1::Run& run : *stored.rollout.mutable_runs()) run.clear_steps();
      *response->add_rollouts() = std::move(stored.rollout);
    }
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<v1::WatchRolloutResponse>* RolloutService::WatchRollout(
    grpc::CallbackServerContext* context, const v1::WatchRolloutRequest* request) {
  const auto stream = std::make_shared<WatchStream>(engine_);
  stream->Start(context, NameOf(request->name()), request->after_event());
  return stream.get();
}

grpc::ServerUnaryReactor* RolloutService::ApproveRollout(grpc::CallbackServerContext* context,
                                                         const v1::ApproveRolloutRequest* request,
                                                         v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(Required("name", request->name()));
    RETURN_IF_ERROR(Required("actor", request->actor()));
    ASSIGN_OR_RETURN(*response, engine_->rollouts().Apply(
                                    NameOf(request->name()),
                                    rollout::Approved{request->gate(), request->actor(), request->reason()}));
    return absl::OkStatus();
  });
}

template <typename Asked>
grpc::ServerUnaryReactor* RolloutService::Change(grpc::CallbackServerContext* context,
                                                 const v1::ChangeRolloutRequest* request,
                                                 v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(Required("name", request->name()));
    const std::string name = NameOf(request->name());
    ASSIGN_OR_RETURN(
        *response, engine_->rollouts().Apply(
                       name, Asked{ActorOf(*context, request->actor()), request->reason()}, request->etag()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* RolloutService::PauseRollout(grpc::CallbackServerContext* context,
                                                       const v1::ChangeRolloutRequest* request,
                                                       v1::Rollout* response) {
  return Change<rollout::PauseAsked>(context, request, response);
}

grpc::ServerUnaryReactor* RolloutService::ResumeRollout(grpc::CallbackServerContext* context,
                                                        const v1::ChangeRolloutRequest* request,
                                                        v1::Rollout* response) {
  return Change<rollout::ResumeAsked>(context, request, response);
}

grpc::ServerUnaryReactor* RolloutService::AbortRollout(grpc::CallbackServerContext* context,
                                                       const v1::ChangeRolloutRequest* request,
                                                       v1::Rollout* response) {
  return Change<rollout::AbortAsked>(context, request, response);
}

grpc::ServerUnaryReactor* RolloutService::RollbackRollout(grpc::CallbackServerContext* context,
                                                          const v1::ChangeRolloutRequest* request,
                                                          v1::Rollout* response) {
  return Change<rollout::RollbackAsked>(context, request, response);
}

grpc::ServerUnaryReactor* RolloutService::OverrideWait(grpc::CallbackServerContext* context,
                                                       const v1::OverrideWaitRequest* request,
                                                       v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(Required("name", request->name()));
    RETURN_IF_ERROR(Required("reason", absl::StripAsciiWhitespace(request->reason())));
    RETURN_IF_ERROR(Required("actor", request->actor()));
    const rollout::OverrideAsked asked{.target = dispatch::WithoutCollection("targets", request->target()),
                                       .actor = request->actor(),
                                       .reason = request->reason()};
    ASSIGN_OR_RETURN(*response, engine_->rollouts().Apply(NameOf(request->name()), asked, request->etag()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* RolloutService::SkipStep(grpc::CallbackServerContext* context,
                                                   const v1::SkipStepRequest* request,
                                                   v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(Required("name", request->name()));
    RETURN_IF_ERROR(Required("reason", absl::StripAsciiWhitespace(request->reason())));
    RETURN_IF_ERROR(Required("actor", request->actor()));
    const rollout::SkipAsked asked{.target = dispatch::WithoutCollection("targets", request->target()),
                                   .step = request->step(),
                                   .actor = request->actor(),
                                   .reason = request->reason()};
    ASSIGN_OR_RETURN(*response, engine_->rollouts().Apply(NameOf(request->name()), asked, request->etag()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* RolloutService::TuneRollout(grpc::CallbackServerContext* context,
                                                      const v1::TuneRolloutRequest* request,
                                                      v1::Rollout* response) {
  return Answer(context, &engine_->loop(), [=, this]() -> absl::Status {
    RETURN_IF_ERROR(Required("name", request->name()));
    RETURN_IF_ERROR(Required("actor", request->actor()));
    const rollout::TuneAsked asked{.target = dispatch::WithoutCollection("targets", request->target()),
                                   .tuning = request->tuning(),
                                   .reset = {request->reset().begin(), request->reset().end()},
                                   .actor = request->actor(),
                                   .reason = request->reason()};
    ASSIGN_OR_RETURN(*response, engine_->rollouts().Apply(NameOf(request->name()), asked, request->etag()));
    return absl::OkStatus();
  });
}

absl::StatusOr<v1::Run> RolloutService::FindRun(const std::string& rollout, const std::string& target) {
  ASSIGN_OR_RETURN(const auto stored, engine_->rollouts().Get(rollout));
  std::vector<std::string> targets;
  for (const v1::Run& run : stored.rollout.runs()) {
    if (run.target() == target || (target.empty() && stored.rollout.runs_size() == 1)) return run;
    targets.push_back(run.target());
  }
  const std::string known = absl::StrCat("its targets are ", absl::StrJoin(targets, ", "));
  if (target.empty()) {
    return BadField("target", absl::StrCat("target is empty, but ", rollout, " has several; ", known));
  }
  return base::WithDetail(
      absl::NotFoundError(absl::StrCat(rollout, " has no target \"", target, "\"; ", known)), base::kTarget,
      target);
}

grpc::ServerUnaryReactor* RolloutService::ListRowProblems(grpc::CallbackServerContext* context,
                                                          const v1::ListRowProblemsRequest* request,
                                                          v1::ListRowProblemsResponse* response) {
  return AnswerLater(context, &engine_->loop(), [=, this](std::function<void(absl::Status)> done) {
    const auto run = [&]() -> absl::StatusOr<v1::Run> {
      RETURN_IF_ERROR(Required("name", request->name()));
      if (request->limit() < 0) {
        return BadField("limit", absl::StrCat("limit is ", request->limit(), "; it must not be negative"));
      }
      return FindRun(NameOf(request->name()), dispatch::WithoutCollection("targets", request->target()));
    }();
    if (!run.ok()) return done(run.status());
    const int limit = request->limit() == 0 ? kDefaultProblems : std::min(request->limit(), kMostProblems);
    engine_->row_problems().Ask(run->target(), run->name(), limit,
                                [=, done = std::move(done)](absl::StatusOr<v1::RowProblemReport> report) {
                                  if (report.ok()) {
                                    *response->mutable_problems() = report->problems();
                                    response->set_total(report->total());
                                  }
                                  done(report.status());
                                });
  });
}

}  // namespace curlew::service
