// Checks against a little server of the test's own.
#include "controller/checks/http_check_runner.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <httplib.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/base/proto_time.h"

namespace curlew::checks {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// Serves what a test wants; a request to /hangs waits until the end.
class Server {
 public:
  Server() {
    server_.Get("/ok", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("fine", "text/plain");
    });
    server_.Get("/broken", [](const httplib::Request&, httplib::Response& response) {
      response.status = 500;
      response.set_content("the\ndatabase is gone", "text/plain");
    });
    server_.Get("/elsewhere",
                [](const httplib::Request&, httplib::Response& response) { response.set_redirect("/ok"); });
    server_.Get("/hangs", [this](const httplib::Request&, httplib::Response&) {
      arrived_.Notify();
      released_.WaitForNotification();
    });
    server_.Get("/huge", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(std::string(8 << 20, 'x'), "text/plain");
    });
    server_.Get("/api/v1/query", [this](const httplib::Request& request, httplib::Response& response) {
      absl::MutexLock lock(&mutex_);
      query_ = request.get_param_value("query");
      response.set_content(answer_, "application/json");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Server() {
    if (!released_.HasBeenNotified()) released_.Notify();
    server_.stop();
    thread_.join();
  }

  std::string Url(const std::string& path) const { return absl::StrCat("http://127.0.0.1:", port_, path); }
  void AnswerQueriesWith(std::string answer) {
    absl::MutexLock lock(&mutex_);
    answer_ = std::move(answer);
  }
  std::string query() {
    absl::MutexLock lock(&mutex_);
    return query_;
  }
  absl::Notification& arrived() { return arrived_; }

 private:
  httplib::Server server_;
  std::string answer_;
  absl::Mutex mutex_;
  std::string query_ ABSL_GUARDED_BY(mutex_);
  absl::Notification arrived_, released_;
  int port_ = 0;
  std::thread thread_;
};

v1::HealthCheck Http(const std::string& url, absl::Duration timeout = absl::Seconds(10)) {
  v1::HealthCheck check;
  check.set_name("healthy");
  check.mutable_http()->set_url(url);
  *check.mutable_timeout() = base::ToProto(timeout);
  return check;
}

v1::HealthCheck Prometheus(const std::string& url, const std::string& query) {
  v1::HealthCheck check;
  check.set_name("errors");
  check.mutable_prometheus()->set_url(url);
  check.mutable_prometheus()->set_query(query);
  *check.mutable_timeout() = base::ToProto(absl::Seconds(10));
  return check;
}

Outcome Make(HttpCheckRunner* runner, const v1::HealthCheck& check) {
  Outcome made;
  absl::Notification done;
  runner->Run(check, [&](Outcome outcome) {
    made = std::move(outcome);
    done.Notify();
  });
  done.WaitForNotification();
  return made;
}

// A socket that listens and never accepts: whoever connects is let in by the kernel, and hears nothing.
class Mute {
 public:
  Mute() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    socklen_t size = sizeof address;
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~Mute() { close(socket_); }
  void Listen() const { listen(socket_, 100); }
  std::string Url() const { return absl::StrCat("http://127.0.0.1:", port_, "/"); }

 private:
  const int socket_;
  int port_ = 0;
};

TEST(HttpCheckRunnerTest, HoldsWhereTheAnswerIs2xx) {
  Server server;
  HttpCheckRunner runner;
  const Outcome outcome = Make(&runner, Http(server.Url("/ok")));
  EXPECT_EQ(outcome.state, v1::CHECK_STATE_PASSING) << outcome.message;
  EXPECT_EQ(outcome.value, "200");
}

TEST(HttpCheckRunnerTest, FailsWhereItIsAnotherAndSaysHow) {
  Server server;
  HttpCheckRunner runner;
  const Outcome broken = Make(&runner, Http(server.Url("/broken?token=secret")));
  EXPECT_EQ(broken.state, v1::CHECK_STATE_FAILING);
  EXPECT_EQ(broken.value, "500");
  EXPECT_THAT(broken.message, HasSubstr("/broken answers 500: the database is gone"));
  EXPECT_EQ(Make(&runner, Http(server.Url("/nowhere"))).value, "404");
  const Outcome elsewhere = Make(&runner, Http(server.Url("/elsewhere")));
  EXPECT_EQ(elsewhere.state, v1::CHECK_STATE_FAILING) << "a redirect is not followed";
  EXPECT_EQ(elsewhere.value, "302");
}

TEST(HttpCheckRunnerTest, AConnectionThatIsRefusedIsAnError) {
  const Mute nobody;  // bound, so that nobody else has the port, and not listening
  HttpCheckRunner runner;
  const Outcome outcome = Make(&runner, Http(nobody.Url()));
  EXPECT_EQ(outcome.state, v1::CHECK_STATE_ERROR);
  EXPECT_THAT(outcome.message, HasSubstr("cannot connect"));
}

TEST(HttpCheckRunnerTest, AnAddressThatIsNoneIsAnError) {
  HttpCheckRunner runner;
  EXPECT_EQ(Make(&runner, Http("gopher://x")).state, v1::CHECK_STATE_ERROR);
  EXPECT_EQ(Make(&runner, v1::HealthCheck()).state, v1::CHECK_STATE_ERROR);
}

TEST(HttpCheckRunnerTest, WhoDoesNotAnswerInTimeIsAnErrorAndHoldsNobodyUp) {
  Server server;
  HttpCheckRunner runner;
  absl::Notification hangs_done;
  Outcome hangs;
  runner.Run(Http(server.Url("/hangs"), absl::Milliseconds(400)), [&](Outcome outcome) {
    hangs = std::move(outcome);
    hangs_done.Notify();
  });
  EXPECT_EQ(Make(&runner, Http(server.Url("/ok"))).state, v1::CHECK_STATE_PASSING);
  hangs_done.WaitForNotification();
  EXPECT_EQ(hangs.state, v1::CHECK_STATE_ERROR);
  EXPECT_THAT(hangs.message, AnyOf(HasSubstr("no answer within 400ms"), HasSubstr("no answer that")));
}

TEST(HttpCheckRunnerTest, ATrickleOfBytesDoesNotMakeTheDeadlineLater) {
  // Each byte is in time for a read; all of them would take minutes.
  absl::Notification enough;
  httplib::Server trickle;
  trickle.Get("/", [&](const httplib::Request&, httplib::Response& response) {
    response.set_chunked_content_provider("text/plain", [&](size_t, httplib::DataSink& sink) {
      enough.WaitForNotificationWithTimeout(absl::Milliseconds(20));
      return sink.write("x", 1);
    });
  });
  const int port = trickle.bind_to_any_port("127.0.0.1");
  std::thread thread([&] { trickle.listen_after_bind(); });
  while (!trickle.is_running()) std::this_thread::yield();
  {
    HttpCheckRunner runner;
    const absl::Time begun = absl::Now();
    const Outcome outcome =
        Make(&runner, Http(absl::StrCat("http://127.0.0.1:", port, "/"), absl::Milliseconds(300)));
    EXPECT_EQ(outcome.state, v1::CHECK_STATE_ERROR) << outcome.value;
    EXPECT_LT(absl::Now() - begun, absl::Seconds(20));
  }
  enough.Notify();
  trickle.stop();
  thread.join();
}

TEST(HttpCheckRunnerTest, MoreHangingChecksThanThreadsAllEnd) {
  Mute mute;
  mute.Listen();
  HttpCheckRunner runner({.most_threads = 3});
  constexpr int kChecks = 9;
  std::atomic<int> errors = 0;
  absl::BlockingCounter done(kChecks);
  for (int i = 0; i < kChecks; ++i) {
    runner.Run(Http(mute.Url(), absl::Milliseconds(100)), [&](const Outcome& outcome) {
      if (outcome.state == v1::CHECK_STATE_ERROR) ++errors;
      done.DecrementCount();
    });
  }
  done.Wait();
  EXPECT_EQ(errors, kChecks);
}

TEST(HttpCheckRunnerTest, OfAHugeAnswerOnlyTheBeginningIsRead) {
  Server server;
  HttpCheckRunner runner;
  EXPECT_EQ(Make(&runner, Http(server.Url("/huge"))).state, v1::CHECK_STATE_PASSING);
  HttpGet request;
  const auto answer = request.Run(*ParseUrl(server.Url("/huge")), absl::Seconds(10), 1000);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->cut_off);
  EXPECT_EQ(answer->body.size(), 1000);
}

TEST(HttpCheckRunnerTest, AsksPrometheus) {
  Server server;
  HttpCheckRunner runner;
  const std::string query = "sum(rate(errors_total{db=\"a&b\"}[5m])) < bool 0.01";
  server.AnswerQueriesWith(
      R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}})");
  const Outcome good = Make(&runner, Prometheus(server.Url(""), query));
  EXPECT_EQ(good.state, v1::CHECK_STATE_PASSING) << good.message;
  EXPECT_EQ(server.query(), query);
  server.AnswerQueriesWith(R"({"status":"success","data":{"resultType":"vector","result":[]}})");
  EXPECT_EQ(Make(&runner, Prometheus(server.Url("/"), query)).state, v1::CHECK_STATE_FAILING);
  server.AnswerQueriesWith("<html>no JSON</html>");
  EXPECT_EQ(Make(&runner, Prometheus(server.Url(""), query)).state, v1::CHECK_STATE_ERROR);
}

// A certificate for 127.0.0.1 that its own key has signed.
class Certificate {
 public:
  Certificate() : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), 1);
    X509_set_version(certificate_, 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), 3600);
    X509_set_pubkey(certificate_, key_);
    X509_NAME* name = X509_get_subject_name(certificate_);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("health"), -1,
                               -1, 0);
    X509_set_issuer_name(certificate_, name);
    X509_EXTENSION* address = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(certificate_, address, -1);
    X509_EXTENSION_free(address);
    X509_sign(certificate_, key_, EVP_sha256());
  }
  ~Certificate() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  X509* certificate() { return certificate_; }
  EVP_PKEY* key() { return key_; }
  void WriteTo(const std::string& path) {
    BIO* file = BIO_new_file(path.c_str(), "w");
    PEM_write_bio_X509(file, certificate_);
    BIO_free(file);
  }

 private:
  EVP_PKEY* const key_;
  X509* const certificate_;
};

TEST(HttpCheckRunnerTest, OverTlsTheServerMustBeTheOneThatItSays) {
  Certificate certificate;
  httplib::SSLServer server(certificate.certificate(), certificate.key());
  ASSERT_TRUE(server.is_valid());
  server.Get("/ok", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("fine", "text/plain");
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread thread([&] { server.listen_after_bind(); });
  while (!server.is_running()) std::this_thread::yield();
  const std::string url = absl::StrCat("https://127.0.0.1:", port, "/ok");
  {
    HttpCheckRunner runner;
    const Outcome unknown = Make(&runner, Http(url));
    EXPECT_EQ(unknown.state, v1::CHECK_STATE_ERROR);
    EXPECT_THAT(unknown.message, HasSubstr("certificate cannot be verified"));
    const std::string file = absl::StrCat(::testing::TempDir(), "/curlew-checks-", getpid(), ".pem");
    certificate.WriteTo(file);
    setenv("SSL_CERT_FILE", file.c_str(), 1);
    const Outcome known = Make(&runner, Http(url));
    EXPECT_EQ(known.state, v1::CHECK_STATE_PASSING) << known.message;
    const Outcome another = Make(&runner, Http(absl::StrCat("https://localhost:", port, "/ok")));
    EXPECT_EQ(another.state, v1::CHECK_STATE_ERROR) << "it is for 127.0.0.1";
    unsetenv("SSL_CERT_FILE");
    unlink(file.c_str());
  }
  server.stop();
  thread.join();
}

TEST(HttpCheckRunnerTest, StopAnswersForAllThatIsOpen) {
  Server server;
  HttpCheckRunner runner({.most_threads = 1});
  std::atomic<int> errors = 0;
  for (int i = 0; i < 3; ++i) {
    runner.Run(Http(server.Url("/hangs"), absl::Hours(1)), [&](const Outcome& outcome) {
      if (outcome.state == v1::CHECK_STATE_ERROR) ++errors;
    });
    if (i == 0) server.arrived().WaitForNotification();
  }
  runner.Stop();
  EXPECT_EQ(errors, 3);
  EXPECT_EQ(Make(&runner, Http(server.Url("/ok"))).state, v1::CHECK_STATE_ERROR) << "it has stopped";
}

}  // namespace
}  // namespace curlew::checks
