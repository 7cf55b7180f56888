// The engine through a real server, with an agent that a test speaks for.
#include "controller/dispatch/engine.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::AddNote;
using ::curlew::testing::ControllerTest;
using ::curlew::testing::FakeAgent;
using ::curlew::testing::IsOk;
using ::curlew::testing::Items;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using Kind = v1::ControllerMessage::KindCase;

class EngineTest : public ControllerTest {
 protected:
  // A rollout whose first step was dispatched to the agent, who has said nothing yet.
  v1::Dispatch StartFirstStep(FakeAgent* agent) {
    const std::string plan = SetUpPlan();
    EXPECT_THAT(CreateRollout(plan), IsOk());
    agent->SayHello();
    EXPECT_EQ(agent->TakeLease(), v1::LEASE_STATE_GRANTED);
    agent->SayReady("staging-crm");
    agent->AnswerQuestions(Items());
    auto dispatch = agent->Take(Kind::kDispatch);
    EXPECT_THAT(dispatch, IsOk());
    return dispatch.ok() ? dispatch->dispatch() : v1::Dispatch();
  }

  // The rollout when it stands at a gate that waits for an approval.
  v1::Rollout WaitForGate() {
    return WaitFor(kName, [](const v1::Rollout& r) {
      return r.waiting_size() > 0 && r.waiting(0).cause() == v1::WAIT_CAUSE_APPROVAL;
    });
  }

  // A rollout whose run on staging waits before DROP: the attempt that waits.
  v1::Dispatch StartWaiting(FakeAgent* agent) {
    EXPECT_THAT(ApplyEnvironments(), IsOk());
    v1::Plan plan;
    plan.set_name("drop-note");
    plan.add_operations()->mutable_drop_column()->set_table("items");
    plan.mutable_operations(0)->mutable_drop_column()->set_column("note");
    EXPECT_THAT(CreatePlan(plan), IsOk());
    EXPECT_THAT(CreateRollout("drop-note", "waits"), IsOk());
    agent->SayHello();
    agent->SayReady("staging-crm");
    v1::Schema schema = Items();
    v1::Column* note = schema.mutable_tables(0)->add_columns();
    note->set_name("note");
    note->set_type("text");
    agent->AnswerQuestions(schema);
    while (true) {
      const auto message = agent->Take(Kind::kDispatch);
      EXPECT_THAT(message, IsOk());
      if (!message.ok()) return {};
      const v1::Dispatch& dispatch = message->dispatch();
      agent->SayAck(dispatch);
      const v1::Rollout rollout = WaitFor("rollouts/waits", [&](const v1::Rollout& r) {
        return AttemptOf(r, dispatch).state() == v1::ATTEMPT_STATE_RUNNING;
      });
      if (StepOf(rollout, dispatch).waits()) return dispatch;
      agent->SayResult(dispatch);
    }
  }

  // What a change is answered that is asked for behind a result, where nothing can be stored.
  absl::Status TuneBehindTheResult() {
    v1::TuneRolloutRequest request;
    request.set_name(kName);
    request.set_actor("bob");
    request.mutable_tuning()->set_max_workers(1);
    return Tune(request).status();
  }

  static v1::StepStatus StepOf(const v1::Rollout& rollout, const v1::Dispatch& dispatch) {
    for (const v1::StepStatus& step : rollout.runs(0).steps()) {
      if (step.key() == dispatch.step()) return step;
    }
    return {};
  }
  static v1::Attempt AttemptOf(const v1::Rollout& rollout, const v1::Dispatch& dispatch) {
    return StepOf(rollout, dispatch).attempt();
  }

  static constexpr char kName[] = "rollouts/add-note-1";
};

TEST_F(EngineTest, TakesAPlanThroughThePipeline) {
  FakeAgent staging(Channel()), production(Channel(), {"agent-b", "instance-1", {"production-crm"}});
  for (FakeAgent* agent : {&staging, &production}) {
    agent->Serve(Items());
    agent->SayHello();
  }
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  const v1::Rollout at_gate = WaitForGate();
  EXPECT_EQ(at_gate.stages(0).state(), v1::STAGE_STATE_DONE);
  ASSERT_EQ(at_gate.waiting_size(), 1) << at_gate.DebugString();
  EXPECT_EQ(at_gate.waiting(0).cause(), v1::WAIT_CAUSE_APPROVAL);
  EXPECT_THAT(production.dispatched(), SizeIs(0)) << "production was touched before the approval";
  ASSERT_THAT(Approve(kName), IsOk());
  const v1::Rollout done = WaitForState(kName, v1::ROLLOUT_STATE_SUCCEEDED);
  EXPECT_EQ(done.state(), v1::ROLLOUT_STATE_SUCCEEDED);
  EXPECT_EQ(done.runs(0).compiled_digest(), done.runs(1).compiled_digest());
  EXPECT_EQ(staging.dispatched(), production.dispatched());
  EXPECT_THAT(staging.dispatched(), Not(SizeIs(0)));
}

TEST_F(EngineTest, ProductionThatCompilesToOtherStepsStopsTheRollout) {
  FakeAgent staging(Channel()), production(Channel(), {"agent-b", "instance-1", {"production-crm"}});
  v1::Schema drifted = Items();
  drifted.mutable_tables(0)->set_kind(v1::TABLE_KIND_PARTITIONED);
  drifted.mutable_tables(0)->set_partition_key("RANGE (id)");
  v1::Column* note = drifted.mutable_tables(0)->add_columns();
  note->set_name("note");
  note->set_type("text");
  staging.Serve(Items());
  production.Serve(drifted);
  staging.SayHello();
  production.SayHello();
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  const v1::Rollout failed = WaitForState(kName, v1::ROLLOUT_STATE_FAILED);
  EXPECT_EQ(failed.state(), v1::ROLLOUT_STATE_FAILED) << failed.DebugString();
  EXPECT_THAT(failed.runs(1).error().message(), HasSubstr("note"));
  EXPECT_THAT(production.dispatched(), SizeIs(0));
}

TEST_F(EngineTest, TheFirstStepBringsThePlanAlongAndOthersDoNot) {
  FakeAgent agent(Channel());
  const v1::Dispatch first = StartFirstStep(&agent);
  EXPECT_EQ(first.epoch(), 1);
  EXPECT_EQ(first.run(), "rollouts/add-note-1/runs/staging-crm");
  EXPECT_GT(first.compiled_plan().steps_size(), 0);
  EXPECT_EQ(first.compiled_plan().plan_name(), "add-note");
}

TEST_F(EngineTest, ANackThatNeedsThePlanGetsItWithTheSameAttempt) {
  FakeAgent agent(Channel());
  const v1::Dispatch first = StartFirstStep(&agent);
  v1::AgentMessage nack;
  nack.mutable_nack()->set_run(first.run());
  nack.mutable_nack()->set_attempt(first.attempt());
  nack.mutable_nack()->set_reason(v1::NACK_REASON_NEED_PLAN);
  agent.Say(nack);
  const auto again = agent.Take(Kind::kDispatch);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->dispatch().attempt(), first.attempt());
  EXPECT_TRUE(again->dispatch().has_compiled_plan());
}

TEST_F(EngineTest, AnOverrideStopsTheAttemptThatWaitsAndComesWithTheNext) {
  FakeAgent agent(Channel());
  const v1::Dispatch waits = StartWaiting(&agent);
  EXPECT_FALSE(waits.has_override());
  const auto overridden = Override("waits", "staging-crm", "only the old report");
  ASSERT_THAT(overridden, IsOk());
  EXPECT_EQ(StepOf(*overridden, waits).override().actor(), "bob");
  const auto cancel = agent.Take(Kind::kCancel);
  ASSERT_THAT(cancel, IsOk());
  EXPECT_EQ(cancel->cancel().attempt(), waits.attempt());
  EXPECT_EQ(cancel->cancel().reason(), "overridden by bob: only the old report");
  agent.SayResult(waits, v1::ATTEMPT_STATE_CANCELLED);
  const auto next = agent.Take(Kind::kDispatch);
  ASSERT_THAT(next, IsOk());
  EXPECT_EQ(next->dispatch().step(), waits.step());
  EXPECT_EQ(next->dispatch().attempt(), waits.attempt() + 1);
  EXPECT_EQ(next->dispatch().override().actor(), "bob");
  EXPECT_EQ(next->dispatch().override().reason(), "only the old report");
  agent.SayAck(next->dispatch());
  agent.SayResult(next->dispatch());
  const auto drop = agent.Take(Kind::kDispatch);
  ASSERT_THAT(drop, IsOk());
  EXPECT_NE(drop->dispatch().step(), waits.step());
  EXPECT_FALSE(drop->dispatch().has_override());
}

TEST_F(EngineTest, AnOverrideOutlivesTheControllerAndTheAgent) {
  v1::Dispatch waits;
  {
    FakeAgent agent(Channel());
    waits = StartWaiting(&agent);
    ASSERT_THAT(Override("waits", "", "only the old report"), IsOk());
    ASSERT_THAT(agent.Take(Kind::kCancel), IsOk());
    Stop();
  }
  Restart();
  FakeAgent same(Channel());
  same.SayHello();
  v1::HeldAttempt held;
  held.set_run(waits.run());
  held.set_step(waits.step());
  held.set_attempt(waits.attempt());
  same.SayReady("staging-crm", 1, {held});
  const auto cancel = same.Take(Kind::kCancel);
  ASSERT_THAT(cancel, IsOk()) << "who waits still is told again";
  EXPECT_EQ(cancel->cancel().attempt(), waits.attempt());
  same.SayReady("staging-crm", 2);  // another process after all, which holds nothing
  const auto next = same.Take(Kind::kDispatch);
  ASSERT_THAT(next, IsOk());
  EXPECT_EQ(next->dispatch().step(), waits.step());
  EXPECT_EQ(next->dispatch().epoch(), 2);
  EXPECT_EQ(next->dispatch().override().reason(), "only the old report");
}

v1::TuneRolloutRequest Workers(const std::string& rollout, int workers) {
  v1::TuneRolloutRequest request;
  request.set_name(rollout);
  request.mutable_tuning()->set_max_workers(workers);
  request.set_actor("bob");
  return request;
}

TEST_F(EngineTest, ATuningReachesTheAttemptThatRunsAndEveryLaterOne) {
  FakeAgent agent(Channel());
  const v1::Dispatch first = StartFirstStep(&agent);
  EXPECT_FALSE(first.has_tuning());
  agent.SayAck(first);
  ASSERT_THAT(Tune(Workers(kName, 3)), IsOk());
  const auto tuned = Tune(Workers(kName, 2));
  ASSERT_THAT(tuned, IsOk());
  EXPECT_EQ(tuned->runs(0).tuning().max_workers(), 2);
  v1::Tune tune;
  while (tune.tuning().max_workers() != 2) {
    const auto message = agent.Take(Kind::kTune);
    ASSERT_THAT(message, IsOk());
    tune = message->tune();
  }
  EXPECT_EQ(tune.target(), "staging-crm");
  EXPECT_EQ(tune.run(), first.run());
  agent.SayResult(first);
  ASSERT_THAT(agent.Take(Kind::kResultAck), IsOk());
  ASSERT_THAT(Rollback(kName), IsOk());
  const auto next = agent.Take(Kind::kDispatch);
  ASSERT_THAT(next, IsOk());
  EXPECT_EQ(next->dispatch().direction(), v1::DIRECTION_UNDO);
  EXPECT_EQ(next->dispatch().tuning().max_workers(), 2);
  EXPECT_FALSE(agent.Has(Kind::kTune)) << "it came with the command";
}

TEST_F(EngineTest, AnAgentThatComesBackWithItsAttemptGetsTheNewestTuning) {
  v1::Dispatch first;
  {
    FakeAgent agent(Channel());
    first = StartFirstStep(&agent);
    agent.SayAck(first);
    WaitFor(kName,
            [&](const v1::Rollout& r) { return AttemptOf(r, first).state() == v1::ATTEMPT_STATE_RUNNING; });
    ASSERT_THAT(Tune(Workers(kName, 3)), IsOk());
    ASSERT_THAT(agent.Take(Kind::kTune), IsOk());
  }
  WaitFor(kName,
          [&](const v1::Rollout& r) { return AttemptOf(r, first).state() == v1::ATTEMPT_STATE_UNKNOWN; });
  ASSERT_THAT(Tune(Workers(kName, 1)), IsOk());
  Restart();
  FakeAgent again(Channel());
  again.SayHello();
  EXPECT_EQ(again.TakeLease(), v1::LEASE_STATE_GRANTED);
  v1::HeldAttempt held;
  held.set_run(first.run());
  held.set_step(first.step());
  held.set_attempt(first.attempt());
  again.SayReady("staging-crm", 1, {held});
  const auto tune = again.Take(Kind::kTune);
  ASSERT_THAT(tune, IsOk());
  EXPECT_EQ(tune->tune().tuning().max_workers(), 1);
  EXPECT_FALSE(again.Has(Kind::kDispatch));
}

TEST_F(EngineTest, ATuningThatWasStoredBeforeTheControllerDiedIsSentAfterwards) {
  std::unique_ptr<FakeAgent> agent = std::make_unique<FakeAgent>(Channel());
  const v1::Dispatch first = StartFirstStep(agent.get());
  agent->SayAck(first);
  WaitFor(kName,
          [&](const v1::Rollout& r) { return AttemptOf(r, first).state() == v1::ATTEMPT_STATE_RUNNING; });
  ASSERT_THAT(Tune(Workers(kName, 1)), IsOk());
  Stop();  // whether it was sent or not
  agent.reset();
  Restart();
  agent = std::make_unique<FakeAgent>(Channel(),
                                      testing::AgentIdentity{"agent-a", "instance-2", {"staging-crm"}});
  agent->SayHello();
  EXPECT_EQ(agent->TakeLease(), v1::LEASE_STATE_GRANTED);
  agent->SayReady("staging-crm", 2);
  const auto next = agent->Take(Kind::kDispatch);
  ASSERT_THAT(next, IsOk());
  EXPECT_EQ(next->dispatch().tuning().max_workers(), 1);
}

TEST_F(EngineTest, AResultIsAcknowledgedOnlyOnceItIsStored) {
  FakeAgent agent(Channel());
  const v1::Dispatch dispatch = StartFirstStep(&agent);
  agent.SayAck(dispatch);
  WaitFor(kName, [](const v1::Rollout& r) {
    return r.runs(0).steps(0).attempt().state() == v1::ATTEMPT_STATE_RUNNING;
  });
  store_.FailWith(absl::UnavailableError("the disk is full"));
  agent.SayResult(dispatch);
  EXPECT_THAT(TuneBehindTheResult(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("disk is full")));
  EXPECT_THAT(CreatePlan(AddNote("other")),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("disk is full")));
  const auto unchanged = GetRollout(kName);
  ASSERT_THAT(unchanged, IsOk());
  EXPECT_EQ(unchanged->runs(0).steps(0).attempt().state(), v1::ATTEMPT_STATE_RUNNING);
  EXPECT_FALSE(agent.Has(Kind::kResultAck));
  store_.FailWith(absl::OkStatus());
  const auto acknowledged = agent.Take(Kind::kResultAck);
  ASSERT_THAT(acknowledged, IsOk()) << "the engine tries again by itself";
  EXPECT_EQ(acknowledged->result_ack().attempt(), dispatch.attempt());
  EXPECT_EQ(acknowledged->result_ack().run(), dispatch.run());
}

TEST_F(EngineTest, AResultIsNotAcknowledgedWhateverIsWrongWithTheStore) {
  FakeAgent agent(Channel());
  const v1::Dispatch dispatch = StartFirstStep(&agent);
  agent.SayAck(dispatch);
  store_.FailWith(absl::DataLossError("the store is damaged"));
  agent.SayResult(dispatch);
  EXPECT_THAT(TuneBehindTheResult(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_FALSE(agent.Has(Kind::kResultAck));
  store_.FailWith(absl::OkStatus());
  EXPECT_THAT(agent.Take(Kind::kResultAck), IsOk());
}

TEST_F(EngineTest, AResultThatIsSentTwiceIsAcknowledgedTwiceAndCountsOnce) {
  FakeAgent agent(Channel());
  const v1::Dispatch dispatch = StartFirstStep(&agent);
  agent.SayAck(dispatch);
  agent.SayResult(dispatch);
  agent.SayResult(dispatch);
  EXPECT_THAT(agent.Take(Kind::kResultAck), IsOk());
  EXPECT_THAT(agent.Take(Kind::kResultAck), IsOk());
}

TEST_F(EngineTest, AResultOfARolloutThatNobodyKnowsIsAcknowledged) {
  FakeAgent agent(Channel());
  v1::Dispatch dispatch = StartFirstStep(&agent);
  dispatch.set_run("rollouts/of-another-store/runs/staging-crm");
  agent.SayResult(dispatch);
  EXPECT_THAT(agent.Take(Kind::kResultAck), IsOk());
}

TEST_F(EngineTest, ACommitWhoseAnswerWasLostIsNeitherDoneTwiceNorForgotten) {
  FakeAgent agent(Channel());
  const v1::Dispatch dispatch = StartFirstStep(&agent);
  agent.SayAck(dispatch);
  WaitFor(kName, [](const v1::Rollout& r) {
    return r.runs(0).steps(0).attempt().state() == v1::ATTEMPT_STATE_RUNNING;
  });
  store_.LoseAnswersOfCommits(absl::UnavailableError("the disk went away"));
  const int commits = store_.commits();
  agent.SayResult(dispatch);
  EXPECT_THAT(GetTarget("staging-crm"), IsOk());
  while (store_.commits() == commits) EXPECT_THAT(GetTarget("staging-crm"), IsOk());
  store_.LoseAnswersOfCommits(absl::OkStatus());
  EXPECT_THAT(agent.Take(Kind::kResultAck), IsOk());
  agent.Serve(Items());
  const v1::Rollout done =
      WaitFor(kName, [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  EXPECT_EQ(done.stages(0).state(), v1::STAGE_STATE_DONE) << done.DebugString();
  EXPECT_EQ(done.runs(0).steps(0).attempts(), 1);
}

TEST_F(EngineTest, ANewControllerOnTheSameStoreGoesOn) {
  {
    FakeAgent agent(Channel());
    agent.SayAck(StartFirstStep(&agent));
    WaitFor(kName, [](const v1::Rollout& r) {
      return r.runs(0).steps(0).attempt().state() == v1::ATTEMPT_STATE_RUNNING;
    });
    Restart();
  }
  FakeAgent agent(Channel());
  agent.Serve(Items(), /*epoch=*/2);
  agent.SayHello();
  const v1::Rollout done =
      WaitFor(kName, [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  EXPECT_EQ(done.stages(0).state(), v1::STAGE_STATE_DONE) << done.DebugString();
  while (agent.Has(Kind::kReportSchema)) {
    const auto question = agent.Take(Kind::kReportSchema);
    ASSERT_THAT(question, IsOk());
    EXPECT_EQ(question->report_schema().scope().tables_size(), 0)
        << "a pinned run is never compiled again; what the whole schema is afterwards is put on record";
  }
}

TEST_F(EngineTest, AnAttemptThatTheAgentStillHoldsAfterARestartIsNotSentAgain) {
  FakeAgent before(Channel());
  const v1::Dispatch dispatch = StartFirstStep(&before);
  before.SayAck(dispatch);
  WaitFor(kName, [](const v1::Rollout& r) {
    return r.runs(0).steps(0).attempt().state() == v1::ATTEMPT_STATE_RUNNING;
  });
  Restart();
  FakeAgent after(Channel());
  after.SayHello();
  ASSERT_EQ(after.TakeLease(), v1::LEASE_STATE_GRANTED);
  v1::HeldAttempt held;
  held.set_run(dispatch.run());
  held.set_step(dispatch.step());
  held.set_attempt(dispatch.attempt());
  after.SayReady("staging-crm", 1, {held});
  after.SayResult(dispatch);
  EXPECT_THAT(after.Take(Kind::kResultAck), IsOk());
  const auto rollout = GetRollout(kName);
  ASSERT_THAT(rollout, IsOk());
  EXPECT_EQ(rollout->runs(0).steps(0).attempt().number(), dispatch.attempt());
  EXPECT_EQ(rollout->runs(0).steps(0).state(), v1::STEP_STATE_SUCCEEDED);
}

TEST_F(EngineTest, ARolloutWhoseControllerDiedBeforeItCouldCompileCompilesAfterARestart) {
  {
    FakeAgent agent(Channel());
    ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
    agent.SayHello();
    agent.SayReady("staging-crm");
    ASSERT_THAT(agent.Take(Kind::kReportSchema), IsOk());
    Restart();
  }
  FakeAgent agent(Channel());
  agent.Serve(Items());
  agent.SayHello();
  const v1::Rollout done =
      WaitFor(kName, [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  EXPECT_EQ(done.stages(0).state(), v1::STAGE_STATE_DONE) << done.DebugString();
}

TEST_F(EngineTest, TheOutboxIsEmptyWhenARolloutHasEnded) {
  FakeAgent agent(Channel(), {"agent-a", "instance-1", {"staging-crm", "production-crm"}});
  agent.Serve(Items());
  agent.SayHello();
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  WaitForGate();
  ASSERT_THAT(Approve(kName), IsOk());
  WaitForState(kName, v1::ROLLOUT_STATE_SUCCEEDED);
  const auto outbox = store_.PendingOutbox();
  ASSERT_THAT(outbox, IsOk());
  EXPECT_THAT(*outbox, SizeIs(0));
}

TEST_F(EngineTest, AnAgentThatIsGoneIsSaidToBeWaitedForAndItsAttemptIsUnknown) {
  auto agent = std::make_unique<FakeAgent>(Channel());
  const v1::Dispatch dispatch = StartFirstStep(agent.get());
  agent->SayAck(dispatch);
  WaitFor(kName, [](const v1::Rollout& r) {
    return r.runs(0).steps(0).attempt().state() == v1::ATTEMPT_STATE_RUNNING;
  });
  agent->Break();
  const v1::Rollout lost = WaitFor(kName, [](const v1::Rollout& r) {
    return r.runs(0).steps(0).attempt().state() == v1::ATTEMPT_STATE_UNKNOWN;
  });
  EXPECT_EQ(lost.state(), v1::ROLLOUT_STATE_RUNNING);
  ASSERT_GT(lost.waiting_size(), 0);
  EXPECT_EQ(lost.waiting(0).cause(), v1::WAIT_CAUSE_AGENT);
  FakeAgent successor(Channel(), {"agent-a", "instance-2", {"staging-crm"}});
  successor.SayHello();
  ASSERT_EQ(successor.TakeLease(), v1::LEASE_STATE_GRANTED);
  successor.SayReady("staging-crm", 2);
  const auto again = successor.Take(Kind::kDispatch);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->dispatch().step(), dispatch.step());
  EXPECT_GT(again->dispatch().attempt(), dispatch.attempt());
  EXPECT_EQ(again->dispatch().epoch(), 2);
}

TEST_F(EngineTest, AnAgentThatComesAgainAndCannotReachItsDatabaseIsWaitedFor) {
  FakeAgent agent(Channel());
  const v1::Dispatch dispatch = StartFirstStep(&agent);
  agent.SayAck(dispatch);
  WaitFor(kName, [](const v1::Rollout& r) {
    return r.runs(0).steps(0).attempt().state() == v1::ATTEMPT_STATE_RUNNING;
  });
  // Another stream of the same process: the target is not lost in between.
  FakeAgent again(Channel());
  again.SayHello();
  ASSERT_EQ(again.TakeLease(), v1::LEASE_STATE_GRANTED);
  v1::AgentMessage problem;
  problem.mutable_target_problem()->set_target("staging-crm");
  problem.mutable_target_problem()->set_message("connection refused");
  again.Say(problem);
  const v1::Rollout waits = WaitFor(kName, [](const v1::Rollout& r) {
    return r.waiting_size() > 0 && r.waiting(0).cause() == v1::WAIT_CAUSE_AGENT;
  });
  ASSERT_EQ(waits.waiting_size(), 1) << waits.DebugString();
  EXPECT_EQ(waits.waiting(0).target(), "staging-crm");
  EXPECT_EQ(waits.runs(0).steps(0).attempt().state(), v1::ATTEMPT_STATE_UNKNOWN);
}

TEST_F(EngineTest, APlanThatDoesNotFitTheTargetFailsTheRolloutWithTheReason) {
  FakeAgent agent(Channel());
  agent.Serve(v1::Schema());
  agent.SayHello();
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  const v1::Rollout failed = WaitForState(kName, v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(failed.runs(0).error().message(), HasSubstr("items"));
  EXPECT_THAT(agent.dispatched(), SizeIs(0));
}

TEST_F(EngineTest, ARolloutThatAnswersAnEndedOneIsBackWithTheAgentOfToday) {
  FakeAgent agent(Channel());
  agent.Serve(Items());
  agent.SayHello();
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  WaitFor(kName, [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  v1::ChangeRolloutRequest request;
  request.set_name(kName);
  grpc::ClientContext context;
  v1::Rollout aborted;
  ASSERT_TRUE(v1::RolloutService::NewStub(Channel())->AbortRollout(&context, request, &aborted).ok());
  EXPECT_EQ(aborted.state(), v1::ROLLOUT_STATE_ABORTED);
  agent.Break();
  // Another process, another epoch: the rollout was not in memory to hear of it.
  FakeAgent successor(Channel(), {"agent-a", "instance-2", {"staging-crm"}});
  successor.Serve(Items(), /*epoch=*/9);
  successor.SayHello();
  WaitForTarget("staging-crm",
                [](const v1::Target& target) { return target.served() && target.epoch() == 9; });
  ASSERT_THAT(Rollback(kName), IsOk());
  EXPECT_EQ(WaitForState(kName, v1::ROLLOUT_STATE_ROLLED_BACK).state(), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(successor.Take(Kind::kDispatch)->dispatch().epoch(), 9);
}

TEST_F(EngineTest, ACancelThatIsSentToTheNextAgentLeavesTheOutboxByItself) {
  FakeAgent agent(Channel());
  const v1::Dispatch dispatch = StartFirstStep(&agent);
  agent.SayAck(dispatch);
  WaitFor(kName,
          [&](const v1::Rollout& r) { return AttemptOf(r, dispatch).state() == v1::ATTEMPT_STATE_RUNNING; });
  v1::ChangeRolloutRequest request;
  request.set_name(kName);
  grpc::ClientContext context;
  v1::Rollout aborted;
  ASSERT_TRUE(v1::RolloutService::NewStub(Channel())->AbortRollout(&context, request, &aborted).ok());
  ASSERT_THAT(agent.Take(Kind::kCancel), IsOk());
  agent.Break();
  FakeAgent successor(Channel(), {"agent-a", "instance-2", {"staging-crm"}});
  successor.SayHello();
  // It stands by until the end of the other's stream is noticed.
  v1::LeaseState lease = successor.TakeLease();
  if (lease == v1::LEASE_STATE_STANDBY) lease = successor.TakeLease();
  ASSERT_EQ(lease, v1::LEASE_STATE_GRANTED);
  successor.SayReady("staging-crm", /*epoch=*/2);
  EXPECT_THAT(successor.Take(Kind::kCancel), IsOk());
  WaitFor(kName, [&](const v1::Rollout&) {
    const auto left = store_.PendingOutbox();
    return left.ok() && left->empty();
  });
  EXPECT_THAT(*store_.PendingOutbox(), SizeIs(0));
}

// A stream that only counts.
class CountingLink : public AgentLink {
 public:
  void Send(v1::ControllerMessage) override { ++sent; }
  const std::string& agent_id() const override { return name_; }
  const std::string& agent_version() const override { return name_; }
  absl::Time last_heard() const override { return absl::Now(); }
  int sent = 0;

 private:
  const std::string name_ = "agent-a";
};

// Streams end while the engine goes on: calls that were open are answered, timers run out.
TEST(EngineDrainTest, SpeaksToNoStreamOnceItDrains) {
  testing::SharedStore store;
  const base::SystemClock clock;
  Engine engine(&store, &clock, {});
  ASSERT_THAT(engine.Start(), IsOk());
  CountingLink link, late;
  engine.loop().Run([&] {
    const v1::ApplyEnvironmentsRequest request = testing::TwoEnvironments();
    ASSERT_THAT(engine.ApplyEnvironments({request.environments().begin(), request.environments().end()}, {}),
                IsOk());
    engine.Granted("staging-crm", &link);
    v1::AgentMessage message;
    message.mutable_target_ready()->set_target("staging-crm");
    message.mutable_target_ready()->set_epoch(1);
    engine.Received(&link, message);
    EXPECT_TRUE(engine.targets().Describe("staging-crm").served());
  });
  engine.Drain(absl::UnavailableError("the controller is shutting down"));
  absl::Status answer;
  v1::Scope scope;
  scope.add_tables("public.items");
  engine.loop().Run([&] {
    engine.Granted("production-crm", &late);
    engine.schemas().Ask("staging-crm", scope,
                         [&](const absl::StatusOr<v1::Schema>& schema) { answer = schema.status(); });
    for (const char* target : {"staging-crm", "production-crm"}) {
      EXPECT_EQ(engine.targets().Find(target)->link, nullptr) << target;
    }
  });
  engine.Stop();
  EXPECT_THAT(answer, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(link.sent + late.sent, 0);
}

}  // namespace
}  // namespace curlew::dispatch
