#include "tests/harness/life.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/canonical_json.h"
#include "common/base/error_detail.h"
#include "common/base/id.h"
#include "common/base/status_macros.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"
#include "common/plan/plan_reader.h"
#include "common/schema/schema.h"
#include "tests/harness/promise.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::testing {
namespace {

constexpr int kKilled = 137;
constexpr char kFirstRun[] = "rollouts/first/runs/crm";
constexpr char kSecondRun[] = "rollouts/second/runs/crm";

// What stands outside schema curlew and has our name.
constexpr char kStrays[] = R"sql(
SELECT COALESCE(string_agg(what, ', '), '') FROM (
  SELECT 'relation ' || c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname NOT IN ('curlew', 'pg_toast') AND c.relname ILIKE '%curlew%'
  UNION ALL SELECT 'column ' || a.attname || ' of ' || a.attrelid::regclass
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  -- An index keeps what its column was called when it was built; nothing can rename it there.
  WHERE NOT a.attisdropped AND a.attname ILIKE '%curlew%' AND c.relkind NOT IN ('i', 'I')
  UNION ALL SELECT 'constraint ' || conname FROM pg_constraint c
  WHERE c.conname ILIKE '%curlew%' AND c.connamespace <> 'curlew'::regnamespace
  UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal AND
    (tgname ILIKE '%curlew%' OR tgfoid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'curlew'::regnamespace))
  UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_proc p
  WHERE proname ILIKE '%curlew%' AND pronamespace <> 'curlew'::regnamespace
  UNION ALL SELECT 'type ' || t.oid::regtype FROM pg_type t
  WHERE typname ILIKE '%curlew%' AND typnamespace <> 'curlew'::regnamespace
  UNION ALL SELECT 'policy ' || polname FROM pg_policy WHERE polname ILIKE '%curlew%'
  UNION ALL SELECT 'statistics ' || stxname FROM pg_statistic_ext WHERE stxname ILIKE '%curlew%'
  UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname ILIKE '%curlew%' AND nspname <> 'curlew'
) AS strays (what)
)sql";

// What is in schema curlew: the journal, and nothing of a plan.
constexpr char kOurs[] = R"sql(
SELECT string_agg(what, E'\n' ORDER BY what) FROM (
  SELECT c.relkind::text || ' ' || c.relname FROM pg_class c WHERE c.relnamespace = 'curlew'::regnamespace
  UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'curlew'::regnamespace
  UNION ALL SELECT 'type ' || t.oid::regtype FROM pg_type t WHERE t.typnamespace = 'curlew'::regnamespace
) AS ours (what)
)sql";

std::string Hint(const absl::Status& status) {
  const std::string hint = base::Detail(status, base::kHint);
  return hint.empty() ? "" : absl::StrCat(" (", hint, ")");
}

// Lines that only one of two dumps has, as often as it has them more; with "- " or "+ " before them. A comma
// at the end does not count, which comes and goes with the line after it.
std::vector<std::string> LineDifference(const std::string& before, const std::string& after) {
  std::map<std::string, int> counts;
  const auto count = [&](const std::string& text, int by) {
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      if (line.empty() || absl::StartsWith(line, "--")) continue;
      if (absl::EndsWith(line, ",")) line.remove_suffix(1);
      counts[std::string(line)] += by;
    }
  };
  count(before, -1);
  count(after, 1);
  std::vector<std::string> lines;
  for (const auto& [line, n] : counts) {
    if (n != 0) lines.push_back(absl::StrCat(n < 0 ? "- " : "+ ", line));
  }
  return lines;
}

}  // namespace

void LifeTest::TearDown() {
  PgTest::TearDown();
  agent_role_.reset();
}

absl::Status LifeTest::Live(const Case& the_case, Spelling spelling, uint64_t seed, const Pick& pick) {
  case_ = &the_case;
  random_.seed(seed);
  numbers_ = the_case.rows + 1;
  log_.clear();
  crashed_ = false;
  crash_ = {};
  transactions_ = retries_ = 0;
  longest_ = {};
  const absl::Status status = [&]() -> absl::Status {
    RETURN_IF_ERROR(Begin(spelling));
    RETURN_IF_ERROR(Compile());
    crash_ = pick(compiled_);
    RETURN_IF_ERROR(ToTheGateAndBack());
    return ToTheEnd();
  }();
  for (Knows knows : {Knows::kOld, Knows::kBoth, Knows::kNew}) EXPECT_OK(StopClients(knows));
  std::remove(plan_file_.c_str());
  const std::string which = absl::StrCat(the_case.Name(), ", spelling ", SpellingName(spelling),
                                         ", crash: ", crash_.Text(), ", seed ", seed);
  std::printf("%s: %d transactions, %d tried again, longest statement of a client %s\n", which.c_str(),
              transactions_, retries_,
              absl::FormatDuration(absl::Floor(longest_, absl::Milliseconds(1))).c_str());
  if (!status.ok() || HasFailure()) {
    std::printf("again: %sCURLEW_SEED=%llu CURLEW_SPELLING=%s CURLEW_CRASH='%s'\n%s",
                agent_role_ == nullptr ? "CURLEW_HARNESS_ROLE=superuser " : "",
                static_cast<unsigned long long>(seed), SpellingName(spelling).c_str(), crash_.Text().c_str(),
                log_.c_str());
  }
  return status;
}

absl::Status LifeTest::Begin(Spelling spelling) {
  const std::string role = NewRole("LOGIN");
  names_ = std::make_unique<Names>(spelling, role);
  twin_ = std::make_unique<Twin>(*case_, *names_);
  conninfo_ = NewDatabase();
  ASSIGN_OR_RETURN(const auto connection, pg::Connection::Connect({.conninfo = conninfo_}));
  // The way to COPY: from the server's files.
  RETURN_IF_ERROR(
      connection->Execute(names_->Sql("GRANT pg_read_server_files, pg_write_server_files TO {role}"))
          .status());
  ASSIGN_OR_RETURN(const pg::Result folder, connection->Execute("SHOW data_directory"));
  server_folder_ = folder.Text(0, 0);
  const std::string setup = twin_->Setup();
  if (auto made = connection->Execute(setup); !made.ok()) {
    return base::Annotate(made.status(), absl::StrCat("the case's setup:\n", setup.substr(0, 4000), "\n"));
  }
  RETURN_IF_ERROR(MakeAgentRole());
  client_conninfo_ = case_->client == Client::kSuperuser ? conninfo_ : AsUser(conninfo_, role);
  plan_file_ = absl::StrCat(::testing::TempDir(), "/", base::RandomId(12), ".json");
  return absl::OkStatus();
}

absl::Status LifeTest::MakeAgentRole() {
  agent_conninfo_ = conninfo_;
  agent_role_.reset();
  const char* role = std::getenv("CURLEW_HARNESS_ROLE");
  if (role != nullptr && std::string(role) == "superuser") return absl::OkStatus();
  // An extension that a superuser made is a superuser's to drop, and cannot be given away.
  if (case_->operation == "drop_extension") return absl::OkStatus();
  agent_role_ = std::make_unique<AgentRole>();
  agent::BootstrapOptions& options = agent_role_->options();
  options.schemas.clear();
  ASSIGN_OR_RETURN(const auto connection, pg::Connection::Connect({.conninfo = conninfo_}));
  ASSIGN_OR_RETURN(const pg::Result schemas,
                   connection->Execute("SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'"
                                       " AND nspname <> 'information_schema'"));
  for (int64_t i = 0; i < schemas.size(); ++i) options.schemas.push_back(schemas.Text(i, 0));
  const std::string plan = absl::StrCat(case_->plan, case_->rest);
  if (absl::StrContains(plan, "extension")) options.extras.insert(agent::ExtraGrant::kExtensions);
  if (absl::StrContains(plan, "restore_point")) options.extras.insert(agent::ExtraGrant::kRestorePoints);
  agent_conninfo_ = AsUser(conninfo_, agent_role_->role());
  return agent_role_->SetUp(conninfo_);
}

absl::Status LifeTest::Compile() {
  std::string yaml = absl::StrCat(
      "name: p\nsettings:\n  unused_for: 1ms\n  backfill_batch_target: 2ms\n  lock_retry_deadline: 60s\n");
  if (!case_->acknowledge.empty())
    absl::StrAppend(&yaml, "  acknowledge: [", absl::StrJoin(case_->acknowledge, ", "), "]\n");
  absl::StrAppend(&yaml, "operations:\n", names_->Yaml(case_->plan), "\n", names_->Yaml(case_->rest), "\n");
  auto plan = plan::ReadPlan(yaml, "plan.yaml");
  if (!plan.ok()) return base::Annotate(plan.status(), yaml);
  plan_ = *std::move(plan);
  before_.schema = ReadNow();
  before_.dump = PgDump(conninfo_);
  auto compiled = compiler::Compile(plan_, before_.schema);
  if (!compiled.ok()) return base::Annotate(compiled.status(), absl::StrCat(yaml, Hint(compiled.status())));
  compiled_ = *std::move(compiled);
  digest_ = compiler::Digest(compiled_);
  Tamper(&compiled_);
  std::ofstream(plan_file_) << base::CanonicalJson(compiled_);
  // The journal is there before the plan.
  RETURN_IF_ERROR(RunUntil(kFirstRun, "start", false));
  before_.ours = Query(conninfo_, kOurs);
  return absl::OkStatus();
}

absl::Status LifeTest::ToTheGateAndBack() {
  const bool then_undo = crash_.when == Crash::When::kDoThenUndo;
  StartClient(Knows::kOld, Pace::kQuick);
  StartClient(Knows::kOld, Pace::kSlow);
  RETURN_IF_ERROR(RunUntil(kFirstRun, "backfill", then_undo));
  if (!crashed_) {
    if (NewClientStarts(NewClient::kAfterBackfill)) {
      StartClient(Knows::kNew, Pace::kQuick);
      if (case_->both) StartClient(Knows::kBoth, Pace::kQuick);
    }
    RETURN_IF_ERROR(RunUntil(kFirstRun, "gate", then_undo));
  }
  if (!crashed_) {
    RETURN_IF_ERROR(Work());
    ExpectTwin(twin_->AtTheGate(), "at the gate");
    ExpectChecks(Moment::kGate);
    auto again = compiler::Compile(plan_, before_.schema);
    EXPECT_OK(again);
    if (again.ok()) {
      EXPECT_EQ(compiler::Digest(*again), digest_) << "compiled twice";
    }
  }
  RETURN_IF_ERROR(StopClients(Knows::kBoth));
  RETURN_IF_ERROR(StopClients(Knows::kNew));
  RETURN_IF_ERROR(Undo(kFirstRun, crash_.when == Crash::When::kUndo));
  RETURN_IF_ERROR(Work());
  RETURN_IF_ERROR(StopClients(Knows::kOld));
  ExpectRolledBack();
  return absl::OkStatus();
}

absl::Status LifeTest::ToTheEnd() {
  const bool may_crash = crash_.when == Crash::When::kDo || crash_.when == Crash::When::kAnyInstant;
  Query(conninfo_, twin_->Refresh());
  StartClient(Knows::kOld, Pace::kQuick);
  StartClient(Knows::kOld, Pace::kSlow);
  RETURN_IF_ERROR(RunUntil(kSecondRun, "backfill", may_crash));
  if (NewClientStarts(NewClient::kAfterBackfill)) {
    StartClient(Knows::kNew, Pace::kQuick);
    StartClient(Knows::kNew, Pace::kSlow);
    if (case_->both) StartClient(Knows::kBoth, Pace::kQuick);
  }
  RETURN_IF_ERROR(RunUntil(kSecondRun, "gate", may_crash));
  RETURN_IF_ERROR(StopClients(Knows::kBoth));
  RETURN_IF_ERROR(StopClients(Knows::kOld));
  ExpectTwin(twin_->AtTheGate(), "at the second gate");
  RETURN_IF_ERROR(RunUntil(kSecondRun, "end", may_crash));
  if (NewClientStarts(NewClient::kAfterTheEnd)) {
    Query(conninfo_, names_->Sql(case_->twin_at_end));
    StartClient(Knows::kNew, Pace::kQuick);
    StartClient(Knows::kNew, Pace::kSlow);
  }
  RETURN_IF_ERROR(Work());
  RETURN_IF_ERROR(StopClients(Knows::kNew));
  if (!NewClientStarts(NewClient::kAfterTheEnd)) Query(conninfo_, names_->Sql(case_->twin_at_end));
  ExpectTwin(twin_->AtTheEnd(), "at the end");
  ExpectChecks(Moment::kEnd);
  ExpectPromiseKept();
  ExpectNothingLeft("at the end");
  return absl::OkStatus();
}

absl::StatusOr<int> LifeTest::Process(std::vector<std::string> args, bool may_crash) {
  std::vector<std::string> argv = {CURLEW_RUN_PLAN, "--conninfo", agent_conninfo_, "--plan", plan_file_};
  argv.insert(argv.end(), args.begin(), args.end());
  const bool kill = may_crash && !crashed_ && crash_.when == Crash::When::kAnyInstant;
  if (may_crash && !crashed_ && !kill) {
    argv.push_back(crash_.where == Crash::Where::kAfter ? "--crash-after" : "--crash-in");
    argv.push_back(crash_.step);
  }
  ASSIGN_OR_RETURN(const auto process, testing::Process::Start({.argv = argv}));
  absl::StatusOr<int> code;
  if (kill) {
    code = process->Wait(crash_.delay);
    if (!code.ok()) process->Kill(SIGKILL);
  }
  if (!kill || !code.ok()) code = process->Wait(absl::Seconds(100));
  absl::StrAppend(&log_, "$ run_plan ", absl::StrJoin(argv.begin() + 5, argv.end(), " "), "\n",
                  process->output());
  if (code.ok() && *code == kKilled) absl::StrAppend(&log_, "(killed)\n");
  return code;
}

absl::Status LifeTest::RunUntil(const std::string& run, const std::string& until, bool may_crash) {
  while (true) {
    ASSIGN_OR_RETURN(const int code, Process({"--run", run, "--until", until}, may_crash));
    if (code == 0) return absl::OkStatus();
    if (code != kKilled || !may_crash || crashed_) return absl::InternalError("the run fails");
    crashed_ = true;
    if (crash_.when == Crash::When::kDoThenUndo) return absl::OkStatus();
  }
}

absl::Status LifeTest::Undo(const std::string& run, bool may_crash) {
  while (true) {
    ASSIGN_OR_RETURN(const int code, Process({"--run", run, "--undo"}, may_crash));
    if (code == 0) return absl::OkStatus();
    if (code != kKilled || !may_crash || crashed_) {
      return absl::InternalError("the rollback fails");
    }
    crashed_ = true;
  }
}

void LifeTest::StartClient(Knows knows, Pace pace) {
  const int place =
      knows == Knows::kBoth ? 4 : (knows == Knows::kOld ? 0 : 2) + (pace == Pace::kQuick ? 0 : 1);
  const std::string name = absl::StrCat(knows == Knows::kOld   ? "old"
                                        : knows == Knows::kNew ? "new"
                                                               : "both",
                                        pace == Pace::kQuick ? "" : "-slow");
  ClientOptions options{.conninfo = client_conninfo_,
                        .name = absl::StrCat(name, "-", base::RandomId(6)),
                        .knows = knows,
                        .pace = pace,
                        .place = place,
                        .seed = random_(),
                        .server_folder = server_folder_};
  clients_.push_back({knows, pace, std::make_unique<HarnessClient>(options, *case_, *names_, &numbers_)});
}

absl::Status LifeTest::StopClients(Knows knows) {
  for (const Started& started : clients_) {
    if (started.knows != knows) continue;
    started.client->Stop();
    const HarnessClient::Report report = started.client->report();
    transactions_ += report.transactions;
    retries_ += report.retries;
    longest_ = std::max(longest_, report.longest_statement);
    if (!report.failure.ok()) {
      ADD_FAILURE() << "a statement of the "
                    << (knows == Knows::kOld   ? "old"
                        : knows == Knows::kNew ? "new"
                                               : "third")
                    << " client failed: " << report.failure;
    }
  }
  std::erase_if(clients_, [&](const Started& started) { return started.knows == knows; });
  return absl::OkStatus();
}

// Everybody has written since the plan stands where it stands.
absl::Status LifeTest::Work() {
  std::vector<int> goals;
  for (const Started& started : clients_) {
    goals.push_back(started.client->transactions() + (started.pace == Pace::kQuick ? 20 : 1));
  }
  for (size_t i = 0; i < clients_.size(); ++i) clients_[i].client->AwaitTransactions(goals[i]);
  return absl::OkStatus();
}

void LifeTest::ExpectTwin(const std::vector<Compared>& columns, const std::string& moment) {
  // In a session of its own, which ends: it would count as one that uses the old shape.
  const auto connection = Connect(conninfo_);
  if (connection == nullptr) return;
  const auto rows = connection->Execute(twin_->Differences(columns));
  if (!rows.ok()) {
    ADD_FAILURE() << "the twin cannot be compared " << moment << ": " << rows.status();
    return;
  }
  std::string differences;
  for (int64_t i = 0; i < rows->size(); ++i) absl::StrAppend(&differences, "\n  ", rows->Text(i, 0));
  EXPECT_TRUE(rows->empty()) << "rows differ from the twin's " << moment << ":" << differences;
}

std::string LifeTest::WithoutLeftovers(std::vector<std::string> lines) const {
  std::erase_if(lines, [&](const std::string& line) {
    return std::any_of(case_->leftovers.begin(), case_->leftovers.end(),
                       [&](const std::string& text) { return absl::StrContains(line, names_->Sql(text)); });
  });
  return absl::StrJoin(lines, "\n");
}

void LifeTest::ExpectRolledBack() {
  EXPECT_EQ(WithoutLeftovers(LineDifference(before_.dump, PgDump(conninfo_))), "")
      << "what differs in pg_dump after the rollback";
  EXPECT_EQ(WithoutLeftovers(schema::Diff(before_.schema, ReadNow())), "")
      << "what differs in the schema after the rollback";
  ExpectTwin(twin_->BeforeThePlan(), "after the rollback");
  ExpectNothingLeft("after the rollback");
  ExpectChecks(Moment::kRolledBack);
}

void LifeTest::ExpectPromiseKept() {
  if (case_->promise == Promise::kNone) return;
  auto promised = compiler::Apply(plan_, before_.schema);
  ASSERT_THAT(promised, IsOk());
  EXPECT_EQ(absl::StrJoin(BrokenPromises(*promised, ReadNow()), "\n"), "") << "promised by Apply -> found";
}

void LifeTest::ExpectNothingLeft(const std::string& moment) {
  EXPECT_EQ(Query(conninfo_, kStrays), "") << moment;
  EXPECT_EQ(Query(conninfo_, kOurs), before_.ours) << moment;
  if (agent_role_ == nullptr) return;
  EXPECT_EQ(Query(conninfo_, AgentRole::NotTheOwners(agent_role_->owner())), "")
      << "not the tables' owner's " << moment;
}

void LifeTest::ExpectChecks(Moment moment) {
  for (const Check& check : case_->checks) {
    if (check.moment != moment) continue;
    EXPECT_EQ(Query(conninfo_, names_->Sql(check.sql)), "t") << check.sql;
  }
}

v1::Schema LifeTest::ReadNow() {
  const auto connection = Connect(conninfo_);
  if (connection == nullptr) return {};
  auto schema = pg::ReadSchema(connection.get(), compiler::ScopeOf(plan_));
  EXPECT_THAT(schema, IsOk());
  if (!schema.ok()) return {};
  if (agent_role_ != nullptr) {
    const auto as_agent = Connect(agent_conninfo_);
    if (as_agent == nullptr) return {};
    // The agent compiles from what it sees: that must not depend on its rights.
    auto seen = pg::ReadSchema(as_agent.get(), compiler::ScopeOf(plan_));
    EXPECT_THAT(seen, IsOk());
    if (seen.ok()) {
      EXPECT_EQ(base::CanonicalJson(*seen), base::CanonicalJson(*schema));
    }
  }
  return *schema;
}

}  // namespace curlew::testing
