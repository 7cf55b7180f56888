// Peers that break the protocol, or never come to it: each is ended or ignored with a reason, and a rollout
// of an agent that behaves goes on meanwhile as if they were not there.
#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/error.h"
#include "curlew/v1/operator.grpc.pb.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::AddNote;
using ::curlew::testing::FakeAgent;
using ::curlew::testing::IsOk;
using ::curlew::testing::Items;
using ::curlew::testing::Process;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using Kind = v1::ControllerMessage::KindCase;

constexpr char kTarget[] = "work";
// What HTTP/2 begins with, and an empty SETTINGS.
constexpr absl::string_view kHandshake("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

// A frame of HTTP/2.
std::string Frame(char type, char flags, int stream, absl::string_view payload) {
  std::string frame;
  for (const int shift : {16, 8, 0}) frame.push_back(static_cast<char>(payload.size() >> shift));
  frame.push_back(type);
  frame.push_back(flags);
  for (const int shift : {24, 16, 8, 0}) frame.push_back(static_cast<char>(stream >> shift));
  return absl::StrCat(frame, payload);
}

// The beginning of a call of CreatePlan: its headers, and of a message that says it has 60 MiB the first
// bytes. It is never gone on with.
std::string UnfinishedCall(int stream, size_t bytes) {
  std::string headers;
  for (const auto& [name, value] : std::vector<std::pair<absl::string_view, absl::string_view>>{
           {":method", "POST"},
           {":scheme", "http"},
           {":path", "/curlew.v1.PlanService/CreatePlan"},
           {":authority", "localhost"},
           {"content-type", "application/grpc"},
           {"te", "trailers"}}) {
    // Literal, never indexed, in the letters themselves.
    absl::StrAppend(&headers, "\x10", std::string(1, static_cast<char>(name.size())), name);
    absl::StrAppend(&headers, std::string(1, static_cast<char>(value.size())), value);
  }
  const std::string message = absl::StrCat(absl::string_view("\0\3\xc0\0\0", 5), std::string(bytes, 'x'));
  constexpr char kHeaders = 1, kData = 0, kEndHeaders = 4;
  return absl::StrCat(Frame(kHeaders, kEndHeaders, stream, headers), Frame(kData, 0, stream, message));
}

// A connection of TCP that has sent `bytes`; closed with this object.
class Connection {
 public:
  Connection(int port, absl::string_view bytes) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    open_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    if (open_ && !bytes.empty()) send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool open() const { return open_; }
  // Whether the other end closes it within `timeout`.
  bool ClosedWithin(absl::Duration timeout) const {
    const absl::Time end = absl::Now() + timeout;
    char buffer[4096];
    while (true) {
      pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
      const int64_t left = absl::ToInt64Milliseconds(end - absl::Now());
      if (poll(&ready, 1, static_cast<int>(std::max<int64_t>(left, 0))) <= 0) return false;
      if (recv(fd_, buffer, sizeof(buffer), 0) <= 0) return true;
    }
  }

 private:
  const int fd_;
  bool open_ = false;
};

std::vector<std::unique_ptr<Connection>> Dial(int port, int count, absl::string_view bytes) {
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < count; ++i) connections.push_back(std::make_unique<Connection>(port, bytes));
  return connections;
}

absl::Duration Percentile99(std::vector<absl::Duration> times) {
  if (times.empty()) return absl::InfiniteDuration();
  std::sort(times.begin(), times.end());
  return times[times.size() * 99 / 100];
}

// A real controller, and an agent that serves its one target without a database.
class BadSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    std::string pattern = (std::filesystem::temp_directory_path() / "curlew-bad-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  void TearDown() override {
    if (HasFailure() && controller_ != nullptr) std::cerr << controller_->output();
    good_.reset();
    controller_.reset();
    std::filesystem::remove_all(folder_);
  }

  // `files` is how many files it may have open; 0 for as many as this process.
  void StartController(int files = 0, const std::vector<std::string>& flags = {}) {
    port_ = testing::FreePort();
    const std::string limit = files > 0 ? absl::StrCat("ulimit -n ", files, "; ") : "";
    std::vector<std::string> argv = {"/bin/sh",
                                     "-c",
                                     limit + "exec \"$@\"",
                                     "sh",
                                     CURLEW_BIN "/curlew-controller",
                                     "--insecure",
                                     "--listen",
                                     Address(),
                                     "--store",
                                     folder_ + "/store.db"};
    argv.insert(argv.end(), flags.begin(), flags.end());
    auto process = Process::Start({.argv = argv});
    ASSERT_THAT(process, IsOk());
    controller_ = *std::move(process);
    ASSERT_THAT(controller_->WaitForOutput("listening", absl::Seconds(20)), IsOk());
    v1::ApplyEnvironmentsRequest environments;
    environments.add_environments()->set_name("environments/only");
    environments.mutable_environments(0)->add_targets(kTarget);
    v1::ListEnvironmentsResponse applied;
    ASSERT_THAT(Call(&v1::EnvironmentService::Stub::ApplyEnvironments,
                     v1::EnvironmentService::NewStub(channel_ = Channel()), environments, &applied),
                IsOk());
    v1::CreatePlanRequest plan;
    *plan.mutable_plan() = AddNote();
    plan.set_actor("alice");
    v1::StoredPlan stored;
    ASSERT_THAT(Call(&v1::PlanService::Stub::CreatePlan, v1::PlanService::NewStub(channel_), plan, &stored),
                IsOk());
    plan_ = stored.name();
  }

  std::string Address() const { return absl::StrCat("127.0.0.1:", port_); }

  // With connections of its own, and without a limit on what it sends.
  std::shared_ptr<grpc::Channel> Channel() const {
    grpc::ChannelArguments arguments = rpc::ClientArguments();
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxSendMessageSize(-1);
    return grpc::CreateCustomChannel(Address(), grpc::InsecureChannelCredentials(), arguments);
  }

  template <typename Method, typename Stub, typename Request, typename Response>
  static absl::Status Call(Method method, const Stub& stub, const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    return rpc::FromGrpc(((*stub).*method)(&context, request, response));
  }

  void StartGoodAgent() {
    good_ = std::make_unique<FakeAgent>(channel_, testing::AgentIdentity{"good", "1", {kTarget}});
    good_->Serve(Items());
    good_->SayHello();
    heart_ = std::thread([this] {
      v1::AgentMessage heartbeat;
      heartbeat.mutable_heartbeat();
      while (!stop_heart_.WaitForNotificationWithTimeout(absl::Seconds(2))) good_->Say(heartbeat);
    });
  }
  void StopGoodAgent() {
    stop_heart_.Notify();
    heart_.join();
    good_.reset();
  }

  absl::Status StartRollout(const std::string& id) {
    v1::CreateRolloutRequest request;
    request.set_plan(plan_);
    request.set_rollout_id(id);
    request.set_actor("alice");
    v1::Rollout rollout;
    return Call(&v1::RolloutService::Stub::CreateRollout, v1::RolloutService::NewStub(channel_), request,
                &rollout);
  }
  // Follows it to its end.
  v1::RolloutState EndOf(const std::string& id) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    v1::WatchRolloutRequest request;
    request.set_name("rollouts/" + id);
    const auto stub = v1::RolloutService::NewStub(channel_);
    const auto reader = stub->WatchRollout(&context, request);
    v1::WatchRolloutResponse message;
    v1::RolloutState state = v1::ROLLOUT_STATE_UNSPECIFIED;
    while (state != v1::ROLLOUT_STATE_SUCCEEDED && reader->Read(&message)) {
      if (message.has_rollout()) state = message.rollout().state();
    }
    context.TryCancel();
    reader->Finish();
    return state;
  }
  void RunRollout(const std::string& id) {
    ASSERT_THAT(StartRollout(id), IsOk());
    EXPECT_EQ(EndOf(id), v1::ROLLOUT_STATE_SUCCEEDED);
  }

  // Times of unary calls, until `end` says so or `calls` are made.
  std::vector<absl::Duration> Measure(int calls, const std::function<bool()>& end) {
    const auto stub = v1::TargetService::NewStub(channel_);
    v1::GetTargetRequest request;
    request.set_name(kTarget);
    std::vector<absl::Duration> times;
    while (static_cast<int>(times.size()) < calls && !end()) {
      v1::Target target;
      const absl::Time begin = absl::Now();
      EXPECT_THAT(Call(&v1::TargetService::Stub::GetTarget, stub, request, &target), IsOk());
      EXPECT_TRUE(target.served());
      times.push_back(absl::Now() - begin);
    }
    return times;
  }

  int Files() const {
    const std::filesystem::directory_iterator files(absl::StrCat("/proc/", controller_->pid(), "/fd"));
    return static_cast<int>(std::distance(begin(files), end(files)));
  }
  int Megabytes() const {
    std::ifstream statm(absl::StrCat("/proc/", controller_->pid(), "/statm"));
    int64_t size = 0, resident = 0;
    statm >> size >> resident;
    return static_cast<int>(resident * sysconf(_SC_PAGESIZE) >> 20);
  }
  // Whether it has at most so many files open, before long.
  bool FilesComeDownTo(int most) const {
    const absl::Time end = absl::Now() + absl::Seconds(10);
    while (Files() > most && absl::Now() < end) std::this_thread::yield();
    return Files() <= most;
  }

  std::string folder_, plan_;
  int port_ = 0;
  std::unique_ptr<Process> controller_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<FakeAgent> good_;
  absl::Notification stop_heart_;
  std::thread heart_;
};

TEST_F(BadSessionTest, WhatAnAgentSaysAtTheWrongTimeChangesNothing) {
  StartController();
  ASSERT_THAT(StartRollout("r"), IsOk());
  const std::string run = absl::StrCat("rollouts/r/runs/", kTarget);
  FakeAgent agent(channel_, {"odd", "1", {kTarget}});
  agent.SayHello();
  ASSERT_EQ(agent.TakeLease(), v1::LEASE_STATE_GRANTED);
  // Before it is ready: results and answers to what nobody has asked.
  v1::AgentMessage message;
  v1::Dispatch never;
  never.set_target(kTarget);
  for (const std::string& name :
       {run, std::string("rollouts/none/runs/work"), std::string("nonsense"), std::string()}) {
    for (const int attempt : {1, 0, -1, 77}) {
      never.set_run(name);
      never.set_attempt(attempt);
      agent.SayAck(never);
      agent.SayResult(never);
      message.mutable_nack()->set_run(name);
      message.mutable_nack()->set_attempt(attempt);
      agent.Say(message);
    }
  }
  message.mutable_schema_report()->set_target(kTarget);
  message.mutable_schema_report()->set_request(4711);
  agent.Say(message);
  message.mutable_row_problem_report()->set_request(4711);
  agent.Say(message);
  message.mutable_progress()->set_target(kTarget);
  agent.Say(message);
  agent.Say(v1::AgentMessage());  // as one of a newer version looks
  EXPECT_THAT(agent.End(absl::Milliseconds(50)), StatusIs(absl::StatusCode::kInternal)) << "it is open still";
  EXPECT_FALSE(agent.Has(Kind::kDispatch));
  // Then as it should be: every step is sent, none was taken for done.
  agent.Serve(Items(), 5);
  agent.SayReady(kTarget, 5);
  EXPECT_EQ(EndOf("r"), v1::ROLLOUT_STATE_SUCCEEDED);
  EXPECT_FALSE(agent.dispatched().empty());
}

TEST_F(BadSessionTest, AnEpochOfZeroIsNoRightToWork) {
  StartController();
  ASSERT_THAT(StartRollout("r"), IsOk());
  FakeAgent agent(channel_, {"odd", "1", {kTarget}});
  agent.SayHello();
  ASSERT_EQ(agent.TakeLease(), v1::LEASE_STATE_GRANTED);
  agent.SayReady(kTarget, 0);
  EXPECT_THAT(agent.Take(Kind::kDispatch, absl::Milliseconds(200)).status(),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  agent.Serve(Items(), 1);
  agent.SayReady(kTarget, 1);
  EXPECT_EQ(EndOf("r"), v1::ROLLOUT_STATE_SUCCEEDED);
}

TEST_F(BadSessionTest, AMessageThatIsTooLargeEndsItsStreamAlone) {
  StartController();
  StartGoodAgent();
  FakeAgent agent(Channel(), {"loud", "1", {kTarget}});
  agent.SayHello();
  ASSERT_THAT(agent.Take(Kind::kWelcome), IsOk());
  v1::AgentMessage message;
  message.mutable_schema_report()->set_error(std::string(rpc::kLargestMessage + 1000, 'x'));
  agent.Say(message);
  EXPECT_THAT(agent.End(), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("larger than max")));
  v1::CreatePlanRequest plan;
  plan.set_actor(std::string(rpc::kLargestMessage + 1000, 'x'));
  v1::StoredPlan stored;
  EXPECT_THAT(Call(&v1::PlanService::Stub::CreatePlan, v1::PlanService::NewStub(Channel()), plan, &stored),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("larger than max")));
  RunRollout("r");
  StopGoodAgent();
}

// Says more than it may to whoever says Hello.
class LoudController : public v1::AgentService::Service {
  grpc::Status Session(grpc::ServerContext*,
                       grpc::ServerReaderWriter<v1::ControllerMessage, v1::AgentMessage>* stream) override {
    v1::AgentMessage hello;
    stream->Read(&hello);
    v1::ControllerMessage message;
    message.mutable_lease()->set_reason(std::string(rpc::kLargestMessage + 1000, 'x'));
    stream->Write(message);
    while (stream->Read(&hello)) {
    }
    return grpc::Status::OK;
  }
};

TEST_F(BadSessionTest, AnAgentRefusesWhatIsTooLarge) {
  LoudController service;
  grpc::ServerBuilder builder;
  builder.SetMaxSendMessageSize(-1);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  FakeAgent agent(*rpc::MakeChannel(Address(), rpc::Transport::Plain()));
  agent.SayHello();
  EXPECT_THAT(agent.End(), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("larger than max")));
}

TEST_F(BadSessionTest, BytesThatAreNoMessageEndTheirStreamAlone) {
  StartController();
  StartGoodAgent();
  grpc::GenericStub stub(Channel());
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const auto stream = stub.PrepareCall(&context, "/curlew.v1.AgentService/Session", &queue);
  const auto next = [&] {
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return ok;
  };
  stream->StartCall(nullptr);
  ASSERT_TRUE(next());
  const grpc::Slice garbage(std::string(1000, '\xff'));
  stream->Write(grpc::ByteBuffer(&garbage, 1), nullptr);
  ASSERT_TRUE(next());
  grpc::Status status;
  stream->Finish(&status, nullptr);
  ASSERT_TRUE(next());
  // gRPC gives no word of why: it does not tell the server either that this was not the stream's end.
  for (absl::string_view bytes :
       {absl::string_view("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        absl::string_view("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        absl::string_view("\xff\xfe\xfd\xfc and so on, and so on, and so on\r\n\r\n")}) {
    EXPECT_TRUE(Connection(port_, bytes).ClosedWithin(absl::Seconds(10)));
  }
  RunRollout("r");
  StopGoodAgent();
}

TEST_F(BadSessionTest, ThousandsThatComeAndSayNothingHarmNobody) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const int many = static_cast<int>(std::min<rlim_t>(1000, limit.rlim_cur / 4));
  StartController();
  StartGoodAgent();
  RunRollout("first");
  const absl::Duration before = Percentile99(Measure(1000, [] { return false; }));
  const int files = Files(), megabytes = Megabytes();

  const auto mute = Dial(port_, many, "");
  const auto shaken = Dial(port_, many, kHandshake);
  const auto stub = v1::AgentService::NewStub(Channel());
  constexpr int kSilent = 200;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::ControllerMessage>>> silent;
  for (int i = 0; i < kSilent; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    silent.push_back(stub->Session(contexts.back().get()));
  }
  std::atomic<bool> over = false;
  std::vector<absl::Duration> during;
  std::thread operators([&] { during = Measure(1'000'000, [&] { return over.load(); }); });
  RunRollout("second");
  const int most_files = Files();

  int closed = 0;
  for (const auto& connection : mute) closed += connection->ClosedWithin(absl::Seconds(10)) ? 1 : 0;
  EXPECT_EQ(closed, many) << "a handshake that is not finished is given up";
  int ended = 0;
  for (const auto& stream : silent) {
    v1::ControllerMessage message;
    EXPECT_FALSE(stream->Read(&message));
    const absl::Status status = rpc::FromGrpc(stream->Finish());
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("no Hello")));
    ++ended;
  }
  for (const auto& connection : shaken) EXPECT_TRUE(connection->open());
  RunRollout("third");
  over = true;
  operators.join();
  const absl::Duration after = Percentile99(during);
  const int most_megabytes = Megabytes();
  const_cast<std::vector<std::unique_ptr<Connection>>&>(shaken).clear();
  EXPECT_TRUE(FilesComeDownTo(files + 5)) << Files() << " files, " << files << " before";
  EXPECT_LT(Megabytes(), megabytes + 100);
  EXPECT_LT(after, 10 * before + absl::Milliseconds(100));
  std::cout << many << " mute, " << many << " after a handshake, " << kSilent
            << " without a Hello: " << closed << " and " << ended << " ended by the controller; a call takes "
            << before << " before, " << after << " meanwhile (99 % of " << during.size() << "); files "
            << files << ", " << most_files << ", " << Files() << "; resident " << megabytes << ", "
            << most_megabytes << ", " << Megabytes() << " MB\n";
  StopGoodAgent();
}

TEST_F(BadSessionTest, CallsThatAreNeverFinishedCostOthersNothing) {
  constexpr int kConnections = 100, kStreams = 5000;
  StartController();
  StartGoodAgent();
  RunRollout("first");
  const absl::Duration before = Percentile99(Measure(500, [] { return false; }));
  const int files = Files(), megabytes = Megabytes();
  // Many that send a little, and one that opens more calls than it may.
  auto slow = Dial(port_, kConnections, absl::StrCat(kHandshake, UnfinishedCall(1, 8000)));
  std::string many(kHandshake);
  for (int i = 0; i < kStreams; ++i) absl::StrAppend(&many, UnfinishedCall(2 * i + 1, 10));
  slow.push_back(std::make_unique<Connection>(port_, many));
  RunRollout("second");
  const absl::Duration during = Percentile99(Measure(500, [] { return false; }));
  const int most_megabytes = Megabytes(), most_files = Files();
  EXPECT_LT(most_megabytes, megabytes + 100) << "what is announced takes no room";
  EXPECT_LT(during, 10 * before + absl::Milliseconds(100));
  slow.clear();
  EXPECT_TRUE(FilesComeDownTo(files + 5)) << Files() << " files, " << files << " before";
  RunRollout("third");
  std::cout << kConnections << " connections with a call each, one with " << kStreams
            << ", none of them finished: a call takes " << before << " before, " << during
            << " meanwhile (99 %); files " << files << ", " << most_files << ", " << Files() << "; resident "
            << megabytes << ", " << most_megabytes << ", " << Megabytes() << " MB\n";
  StopGoodAgent();
}

TEST_F(BadSessionTest, ALimitThatIsAskedForHoldsForAHostToo) {
  StartController(/*files=*/0, {"--rate-limit", "0.01/s", "--rate-burst", "10"});
  v1::ListTargetsResponse targets;
  int calls = 0;
  absl::Status status;
  while (status.ok() && calls < 100) {
    status = Call(&v1::TargetService::Stub::ListTargets, v1::TargetService::NewStub(Channel()),
                  v1::ListTargetsRequest(), &targets);
    ++calls;
  }
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("more often than 0.01 times")));
  EXPECT_EQ(calls, 10 - 2 + 1) << "two were made before: another connection is no other account";
}

TEST_F(BadSessionTest, MoreConnectionsThanFilesMayBeOpenAreRefusedAndTheRestGoesOn) {
  StartController(/*files=*/256);
  StartGoodAgent();
  RunRollout("first");
  auto flood = Dial(port_, 600, kHandshake);
  ASSERT_THAT(controller_->WaitForOutput("connections are refused.*LimitNOFILE", absl::Seconds(10)), IsOk());
  RunRollout("meanwhile");  // on connections that were there before
  EXPECT_LT(Files(), 256 - 16);
  flood.clear();
  EXPECT_TRUE(Channel()->WaitForConnected(absl::ToChronoTime(absl::Now() + absl::Seconds(10))));
  v1::Target target;
  v1::GetTargetRequest request;
  request.set_name(kTarget);
  EXPECT_THAT(
      Call(&v1::TargetService::Stub::GetTarget, v1::TargetService::NewStub(Channel()), request, &target),
      IsOk());
  RunRollout("last");
  StopGoodAgent();
}

}  // namespace
}  // namespace curlew
