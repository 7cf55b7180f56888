// `curlew audit` against a controller that serves a log from memory.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "cli/app.h"
#include "common/base/audit_chain.h"
#include "common/base/hash.h"
#include "curlew/v1/operator.grpc.pb.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Signs as the controller does, by OpenSSL alone.
class Key {
 public:
  std::string Sign(const std::string& text) const {
    unsigned char signature[64];
    size_t size = sizeof signature;
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EXPECT_EQ(EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_.get()), 1);
    EXPECT_EQ(EVP_DigestSign(context, signature, &size, reinterpret_cast<const unsigned char*>(text.data()),
                             text.size()),
              1);
    EVP_MD_CTX_free(context);
    return absl::Base64Escape(absl::string_view(reinterpret_cast<char*>(signature), size));
  }
  std::string Id() const {
    unsigned char raw[32];
    size_t size = sizeof raw;
    EXPECT_EQ(EVP_PKEY_get_raw_public_key(key_.get(), raw, &size), 1);
    return base::Sha256Hex(absl::string_view(reinterpret_cast<char*>(raw), size));
  }
  void WritePublic(const std::string& path) const {
    FILE* file = fopen(path.c_str(), "w");
    PEM_write_PUBKEY(file, key_.get());
    fclose(file);
  }

 private:
  const std::shared_ptr<EVP_PKEY> key_{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), &EVP_PKEY_free};
};

// Two entries a page, however many are asked for.
class AuditVerbsTest : public ::testing::Test, private v1::AuditService::Service {
 protected:
  AuditVerbsTest() : context_(out_, err_) {
    std::filesystem::create_directory(folder_);
    key_.WritePublic(folder_ + "/key.pub");
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(static_cast<v1::AuditService::Service*>(this));
    server_ = builder.BuildAndStart();
    context_.flags.controller = absl::StrCat("127.0.0.1:", port);
    context_.flags.transport.plain_text = rpc::PlainText::kLoopbackOnly;
    context_.zone = absl::UTCTimeZone();
    for (const char* actor : {"ann", "bob", "cat", "dan", "eve"}) Add(actor);
  }
  ~AuditVerbsTest() override { std::filesystem::remove_all(folder_); }
  // Not as late as in the destructor: this is the service that it calls.
  void TearDown() override {
    server_->Shutdown(absl::ToChronoTime(absl::Now()));
    server_->Wait();
  }

  grpc::Status ListAuditEntries(grpc::ServerContext*, const v1::ListAuditEntriesRequest* request,
                                v1::ListAuditEntriesResponse* response) override {
    absl::MutexLock lock(&mutex_);
    for (const v1::AuditEntry& entry : served_) {
      if (entry.number() > request->after() && response->entries_size() < std::min(2, request->page_size())) {
        *response->add_entries() = entry;
      }
    }
    response->mutable_head()->set_number(served_.back().number());
    response->mutable_head()->set_hash(served_.back().hash());
    if (serves_signed_) {
      response->mutable_head()->set_key_id(key_.Id());
      response->mutable_head()->set_signature(key_.Sign(
          absl::StrCat("curlew-audit-head\n", served_.back().number(), "\n", served_.back().hash(), "\n")));
    }
    return grpc::Status::OK;
  }

  void Add(const std::string& actor) {
    v1::AuditEntry entry;
    entry.set_number(static_cast<int64_t>(log_.size()) + 1);
    entry.mutable_time()->set_seconds(1700000000);
    entry.set_actor(actor);
    entry.set_action("rollout.approve");
    entry.set_resource("rollouts/r");
    entry.set_reason("old app is gone");
    (*entry.mutable_details())["gate"] = "staging/before-drop";
    (*entry.mutable_details())["cover"] = "c0ffee";
    entry.set_previous_hash(log_.empty() ? std::string(base::kNoAuditHash) : log_.back().hash());
    entry.set_hash(base::HashOf(entry));
    log_.push_back(entry);
  }

  ExitCode RunLine(const std::string& line) {
    out_.str("");
    err_.str("");
    {
      absl::MutexLock lock(&mutex_);
      served_ = log_;
      serves_signed_ = signs_;
    }
    return cli::Run(context_, std::vector<std::string>(absl::StrSplit(line, ' ', absl::SkipEmpty())));
  }
  std::string WithKey() const { return absl::StrCat(" --public-key ", folder_, "/key.pub"); }

  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/curlew-audit-verbs-", getpid());
  const Key key_;
  // What the next line is served.
  bool signs_ = true;
  std::vector<v1::AuditEntry> log_;
  absl::Mutex mutex_;
  bool serves_signed_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<v1::AuditEntry> served_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Server> server_;
  std::ostringstream out_, err_;
  Context context_;
};

TEST_F(AuditVerbsTest, ALogThatHoldsIsSaidToAndItsHeadIsShown) {
  EXPECT_EQ(RunLine("audit verify" + WithKey()), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("5 entries, without a gap"), HasSubstr("the signature is right"),
                                HasSubstr(absl::StrCat("--since 5 --hash ", log_.back().hash()))));
}

TEST_F(AuditVerbsTest, WithoutAKeyTheSignatureIsSaidNotToBeChecked) {
  EXPECT_EQ(RunLine("audit verify"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("which was not checked: give --public-key"));
  signs_ = false;
  EXPECT_EQ(RunLine("audit verify"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("not signed"));
}

TEST_F(AuditVerbsTest, AnUnsignedHeadIsAProblemWhereAKeyIsGiven) {
  signs_ = false;
  EXPECT_EQ(RunLine("audit verify" + WithKey()), ExitCode::kError);
  EXPECT_THAT(out_.str(), HasSubstr("the head is not signed"));
}

TEST_F(AuditVerbsTest, AnotherKeyIsAProblem) {
  Key().WritePublic(folder_ + "/key.pub");
  EXPECT_EQ(RunLine("audit verify" + WithKey()), ExitCode::kError);
  EXPECT_THAT(out_.str(), HasSubstr(absl::StrCat("signed with the key ", key_.Id())));
}

TEST_F(AuditVerbsTest, AKeyThatIsNoneIsWrongInput) {
  std::ofstream(folder_ + "/key.pub") << "hello";
  EXPECT_EQ(RunLine("audit verify" + WithKey()), ExitCode::kInvalid);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("key.pub"), HasSubstr("ends in .pub")));
  EXPECT_EQ(RunLine("audit verify --public-key /nosuch/file"), ExitCode::kNotFound);
}

TEST_F(AuditVerbsTest, SaysWhichEntryWasChangedAndWhichAreMissing) {
  log_[1].set_actor("mallory");
  log_.erase(log_.begin() + 3);
  EXPECT_EQ(RunLine("audit verify" + WithKey()), ExitCode::kError);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("audit entry 2 was changed"), HasSubstr("audit entry 4 is missing"),
                                Not(HasSubstr("without a gap"))));
  EXPECT_THAT(err_.str(), HasSubstr("2 problems"));
}

TEST_F(AuditVerbsTest, ATailThatWasRemovedShowsByAKeptHead) {
  const std::string kept = absl::StrCat("audit verify --since 5 --hash ", log_.back().hash());
  EXPECT_EQ(RunLine(kept), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("kept: entry 5 is still what it was"));
  log_.pop_back();
  log_.pop_back();
  EXPECT_EQ(RunLine("audit verify" + WithKey()), ExitCode::kOk);
  EXPECT_EQ(RunLine(kept), ExitCode::kError);
  EXPECT_THAT(out_.str(), HasSubstr("the end is gone, entries 4 to 5"));
  // Others were written in their place.
  Add("mallory");
  Add("mallory");
  EXPECT_EQ(RunLine(kept + WithKey()), ExitCode::kError);
  EXPECT_THAT(out_.str(), HasSubstr("entry 5, or one before it, was rewritten"));
}

TEST_F(AuditVerbsTest, AKeptHeadThatNobodySignedIsNotBelieved) {
  const std::string kept =
      absl::StrCat("audit verify --since 3 --hash ", log_[2].hash(), WithKey(), " --signature ");
  EXPECT_EQ(RunLine(kept + key_.Sign(absl::StrCat("curlew-audit-head\n3\n", log_[2].hash(), "\n"))),
            ExitCode::kOk)
      << err_.str();
  EXPECT_EQ(RunLine(kept + key_.Sign(absl::StrCat("curlew-audit-head\n2\n", log_[2].hash(), "\n"))),
            ExitCode::kError);
  EXPECT_THAT(err_.str(),
              HasSubstr("the head that was kept: the signature of the head, entry 3, is not right"));
  EXPECT_EQ(RunLine("audit verify --signature AAAA"), ExitCode::kInvalid);
}

TEST_F(AuditVerbsTest, AKeptHeadIsANumberAndAHash) {
  EXPECT_EQ(RunLine("audit verify --since 5"), ExitCode::kInvalid);
  EXPECT_EQ(RunLine("audit verify --hash ab"), ExitCode::kInvalid);
  EXPECT_THAT(err_.str(), HasSubstr("go together"));
}

TEST_F(AuditVerbsTest, ListsTheNewestEntriesOrThoseAfterOne) {
  EXPECT_EQ(RunLine("audit list -n 3"), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(Not(HasSubstr("bob")), HasSubstr("cat"), HasSubstr("eve"),
                                HasSubstr("rollout.approve"), HasSubstr("2023-11-14 22:13:20"),
                                HasSubstr("old app is gone (cover=c0ffee, gate=staging/before-drop)")));
  EXPECT_EQ(RunLine("audit list --after 1 -n 2"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), AllOf(Not(HasSubstr("ann")), HasSubstr("bob"), HasSubstr("cat"),
                                Not(HasSubstr("dan")), HasSubstr("2 more: curlew audit list --after 3")));
  EXPECT_EQ(RunLine("audit list --after 0 -o json"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("\"actor\": \"ann\""), HasSubstr("\"actor\": \"eve\"")));
  EXPECT_EQ(RunLine("audit list --after 5"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("No entries; the newest is 5"));
}

TEST_F(AuditVerbsTest, TextOfOthersCannotSteerTheTerminal) {
  Add("\x1b[2Jmallory");
  EXPECT_EQ(RunLine("audit list"), ExitCode::kOk);
  EXPECT_THAT(out_.str(), Not(HasSubstr("\x1b[2J")));
}

}  // namespace
}  // namespace curlew::cli
