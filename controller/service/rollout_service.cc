#include "controller/service/rollout_service.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/plan/labels.h"
#include "controller/dispatch/names.h"
#include "controller/rollout/machine.h"
#include "controller/service/call.h"
#include "controller/service/preview_stream.h"
#include "controller/service/rollout_rules.h"
#include "controller/service/rollout_view.h"
#include "controller/service/watch_stream.h"

namespace curlew::service {
namespace {

constexpr size_t kLongestId = 100;
constexpr int kDefaultProblems = 100;
constexpr int kMostProblems = 1000;

// So many rollouts, whole, are read at a time; so often for one page of a list; and so large may a page be.
constexpr int kReadAtOnce = 20;
constexpr int kMostReads = 25, kMostReadsForActive = 10;
constexpr size_t kLargestAnswer = 16 << 20;

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

// NOT_FOUND where the rollout does not pass `environment`; "" is fine.
absl::Status CheckStage(const v1::Rollout& rollout, const std::string& environment) {
  std::vector<std::string> known;
  for (const v1::EnvironmentStage& stage : rollout.stages()) {
    if (stage.environment() == environment) return absl::OkStatus();
    known.push_back(dispatch::WithoutCollection("environments", stage.environment()));
  }
  if (environment.empty()) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(rollout.name(), " does not pass \"", environment,
                                          "\"; its environments are ", absl::StrJoin(known, ", ")));
}

}  // namespace

grpc::ServerUnaryReactor* RolloutService::CreateRollout(grpc::CallbackServerContext* context,
                                                        const v1::CreateRolloutRequest* request,
                                                        v1::Rollout* response) {
  return AnswerLater(
      context, &engine_->loop(), At("CreateRollout"),
      [=, this](const access::Caller& caller, std::function<void(absl::Status)> done) {
        std::vector<std::string> environments;
        for (const v1::Environment& environment : engine_->targets().environments()) {
          environments.push_back(dispatch::WithoutCollection("environments", environment.name()));
        }
        if (const absl::Status allowed = caller.InAll(environments); !allowed.ok()) return done(allowed);
        Create(*request, caller.Actor(request->actor()), response, std::move(done));
      });
}

void RolloutService::Create(const v1::CreateRolloutRequest& request, const std::string& actor,
                            v1::Rollout* response, std::function<void(absl::Status)> done) {
  const auto plan = [&]() -> absl::StatusOr<v1::StoredPlan> {
    RETURN_IF_ERROR(Required("plan", request.plan()));
    RETURN_IF_ERROR(CheckId(request.rollout_id()));
    RETURN_IF_ERROR(plan::CheckLabels(request.labels(), "labels"));
    ASSIGN_OR_RETURN(v1::StoredPlan stored, engine_->store().GetPlan(request.plan()));
    RETURN_IF_ERROR(CheckDigest(request.digest(), stored));
    return stored;
  }();
  if (!plan.ok()) return done(plan.status());
  // Request and response live until `done`.
  FindNewestRollouts(engine_, PlansBefore(plan->plan()),
                     [=, this, &request, plan = *plan](absl::StatusOr<NewestRollouts> newest) {
                       if (!newest.ok()) return done(newest.status());
                       done(CreateAfter(*newest, request, plan, actor, response));
                     });
}

absl::Status RolloutService::CreateAfter(const NewestRollouts& newest,
                                         const v1::CreateRolloutRequest& request, const v1::StoredPlan& plan,
                                         const std::string& actor, v1::Rollout* response) {
  std::string name = NameOf(request.rollout_id());
  if (!request.rollout_id().empty()) {
    auto existing = engine_->rollouts().Get(name);
    if (existing.ok() && existing->rollout.plan_digest() != plan.digest()) {
      return absl::AlreadyExistsError(absl::StrCat("rollout \"", name, "\" exists already, of plan \"",
                                                   existing->rollout.plan(), "\"; choose another id"));
    }
    if (existing.ok()) {
      *response = std::move(existing->rollout);
      ApplyView(v1::ROLLOUT_VIEW_UNSPECIFIED, response);
      return absl::OkStatus();
    }
    if (!absl::IsNotFound(existing.status())) return existing.status();
  } else {
    ASSIGN_OR_RETURN(name, FreeName(&engine_->rollouts(), plan.plan().name()));
  }
  const std::vector<v1::Environment>& environments = engine_->targets().environments();
  RETURN_IF_ERROR(CheckPipeline(environments));
  RETURN_IF_ERROR(CheckPlanChecks(plan.plan(), environments));
  ASSIGN_OR_RETURN(
      std::vector<std::string> before,
      RolloutsBefore(plan.plan(), newest,
                     request.allow_out_of_order() ? OutOfOrder::kAllowed : OutOfOrder::kRefused));
  rollout::RolloutSpec spec{.name = name,
                            .plan = plan.name(),
                            .plan_digest = plan.digest(),
                            .plan_author = plan.creator(),
                            .creator = actor,
                            .labels = {request.labels().begin(), request.labels().end()},
                            .after = std::move(before)};
  ASSIGN_OR_RETURN(*response,
                   engine_->rollouts().Create(
                       rollout::NewRollout(std::move(spec), environments, engine_->clock().Now()), actor));
  ApplyView(v1::ROLLOUT_VIEW_UNSPECIFIED, response);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* RolloutService::GetRollout(grpc::CallbackServerContext* context,
                                                     const v1::GetRolloutRequest* request,
                                                     v1::Rollout* response) {
  return Answer(context, &engine_->loop(), At("GetRollout"),
                [=, this](const access::Caller& caller) -> absl::Status {
                  RETURN_IF_ERROR(Required("name", request->name()));
                  const std::string name = NameOf(request->name());
                  ASSIGN_OR_RETURN(auto stored, engine_->rollouts().Get(name));
                  RETURN_IF_ERROR(caller.InAny(EnvironmentsOf(stored.rollout)));
                  *response = std::move(stored.rollout);
                  ApplyView(request->view(), response);
                  for (v1::Waiting& waiting : engine_->rollouts().watches().AgentsWaiting(name)) {
                    *response->add_waiting() = std::move(waiting);
                  }
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* RolloutService::ListRollouts(grpc::CallbackServerContext* context,
                                                       const v1::ListRolloutsRequest* request,
                                                       v1::ListRolloutsResponse* response) {
  return Answer(context, &engine_->loop(), At("ListRollouts"),
                [=, this](const access::Caller& caller) { return List(caller, *request, response); });
}

absl::Status RolloutService::List(const access::Caller& caller, const v1::ListRolloutsRequest& request,
                                  v1::ListRolloutsResponse* response) {
  ASSIGN_OR_RETURN(store::Page page, PageOf(request.page_size(), request.page_token()));
  const int wanted = page.size;
  // Of a long history no more is read at a time than fits into a few pages: a page of the answer may be
  // short, or empty, and still have a next one.
  const int most_reads = request.active() ? kMostReadsForActive : kMostReads;
  size_t bytes = 0;
  for (int read = 0; read < most_reads && response->rollouts_size() < wanted && bytes < kLargestAnswer;
       ++read) {
    page.size = std::min(wanted - response->rollouts_size(), kReadAtOnce);
    std::string next;
    ASSIGN_OR_RETURN(auto rollouts, engine_->store().ListRollouts(page, &next));
    page.token = next;
    for (store::VersionedRollout& stored : rollouts) {
      if (request.active() && !rollout::Active(stored.rollout)) continue;
      if (!caller.InAny(EnvironmentsOf(stored.rollout)).ok()) continue;
      Shorten(&stored.rollout);
      bytes += stored.rollout.ByteSizeLong();
      *response->add_rollouts() = std::move(stored.rollout);
    }
    if (page.token.empty()) break;
  }
  response->set_next_page_token(page.token);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* RolloutService::ListRuns(grpc::CallbackServerContext* context,
                                                   const v1::ListRunsRequest* request,
                                                   v1::ListRunsResponse* response) {
  return Answer(context, &engine_->loop(), At("ListRuns"),
                [=, this](const access::Caller& caller) { return Runs(caller, *request, response); });
}

absl::Status RolloutService::Runs(const access::Caller& caller, const v1::ListRunsRequest& request,
                                  v1::ListRunsResponse* response) {
  RETURN_IF_ERROR(Required("name", request.name()));
  ASSIGN_OR_RETURN(const store::Page page, PageOf(request.page_size(), request.page_token()));
  ASSIGN_OR_RETURN(auto stored, engine_->rollouts().Get(NameOf(request.name())));
  v1::Rollout& rollout = stored.rollout;
  RETURN_IF_ERROR(caller.InAny(EnvironmentsOf(rollout)));
  const std::string environment =
      request.environment().empty() ? "" : dispatch::WithCollection("environments", request.environment());
  RETURN_IF_ERROR(CheckStage(rollout, environment));
  const std::set<int> states(request.states().begin(), request.states().end());
  const auto matches = [&](const v1::Run& run) {
    return (environment.empty() || run.environment() == environment) &&
           (states.empty() || states.count(run.state()) > 0);
  };
  // A token is the target of the last run of the page before. It need not match any more.
  auto& runs = *rollout.mutable_runs();
  auto next = runs.begin();
  if (!page.token.empty()) {
    next =
        std::find_if(runs.begin(), runs.end(), [&](const auto& run) { return run.target() == page.token; });
    if (next == runs.end()) {
      return BadField("page_token", "page_token is unknown; list from the first page");
    }
    ++next;
  }
  for (; next != runs.end(); ++next) {
    if (!matches(*next)) continue;
    if (response->runs_size() == page.size) {
      response->set_next_page_token(response->runs(page.size - 1).target());
      break;
    }
    *response->add_runs() = std::move(*next);
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* RolloutService::GetCompiledPlan(grpc::CallbackServerContext* context,
                                                          const v1::GetCompiledPlanRequest* request,
                                                          v1::CompiledPlan* response) {
  return Answer(
      context, &engine_->loop(), At("GetCompiledPlan"),
      [=, this](const access::Caller& caller) -> absl::Status {
        RETURN_IF_ERROR(Required("name", request->name()));
        if (dispatch::TargetOfRun(request->name()).empty()) {
          return BadField("name", absl::StrCat("name \"", request->name(),
                                               "\" is no run's; write rollouts/ROLLOUT/runs/TARGET"));
        }
        ASSIGN_OR_RETURN(const auto stored, engine_->rollouts().Get(dispatch::RolloutOfRun(request->name())));
        std::vector<std::string> environments;
        for (const v1::Run& run : stored.rollout.runs()) {
          if (run.name() != request->name()) continue;
          environments.push_back(dispatch::WithoutCollection("environments", run.environment()));
        }
        RETURN_IF_ERROR(caller.InAll(environments));
        ASSIGN_OR_RETURN(*response, engine_->store().GetCompiledPlan(request->name()));
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<v1::WatchRolloutResponse>* RolloutService::WatchRollout(
    grpc::CallbackServerContext* context, const v1::WatchRolloutRequest* request) {
  const auto stream = std::make_shared<WatchStream>(engine_, At("WatchRollout"));
  stream->Start(context, NameOf(request->name()), request->after_event(), request->view());
  return stream.get();
}

grpc::ServerWriteReactor<v1::TargetPreview>* RolloutService::PreviewRollout(
    grpc::CallbackServerContext* context, const v1::PreviewRolloutRequest* request) {
  const auto stream = std::make_shared<PreviewStream>(engine_, At("PreviewRollout"));
  stream->Start(context, *request);
  return stream.get();
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
  return AnswerLater(
      context, &engine_->loop(), At("ListRowProblems"),
      [=, this](const access::Caller& caller, std::function<void(absl::Status)> done) {
        const auto run = [&]() -> absl::StatusOr<v1::Run> {
          RETURN_IF_ERROR(Required("name", request->name()));
          if (request->limit() < 0) {
            return BadField("limit",
                            absl::StrCat("limit is ", request->limit(), "; it must not be negative"));
          }
          return FindRun(NameOf(request->name()), dispatch::WithoutCollection("targets", request->target()));
        }();
        if (!run.ok()) return done(run.status());
        const absl::Status allowed =
            caller.InAll({dispatch::WithoutCollection("environments", run->environment())});
        if (!allowed.ok()) return done(allowed);
        const int limit =
            request->limit() == 0 ? kDefaultProblems : std::min(request->limit(), kMostProblems);
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
