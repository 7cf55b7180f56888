#include "controller/notify/sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/synchronization/notification.h"
#include "tests/controller/notify/receiver.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::notify {
namespace {

using ::curlew::testing::FreePort;
using ::curlew::testing::IsOk;
using ::curlew::testing::Received;
using ::curlew::testing::Receiver;
using ::curlew::testing::SilentPort;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

v1::Notification To(const std::string& sink, int64_t id = 1) {
  v1::Notification notification;
  notification.set_id(id);
  notification.set_sink(sink);
  notification.set_kind("done");
  notification.set_message("well & done");
  return notification;
}

// One answer of a sender.
class Outcome {
 public:
  Sender::Done done() {
    return [this](const absl::Status& status) {
      status_ = status;
      there_.Notify();
    };
  }
  absl::Status Wait() {
    EXPECT_TRUE(there_.WaitForNotificationWithTimeout(absl::Seconds(30)));
    return status_;
  }

 private:
  absl::Notification there_;
  absl::Status status_ = absl::UnknownError("no answer yet");
};

absl::Status SendOne(Sender& sender, const std::string& sink) {
  Outcome outcome;
  sender.Send(To(sink), {}, outcome.done());
  return outcome.Wait();
}

const base::SystemClock kClock;

TEST(SenderTest, DeliversWithItsHeaders) {
  Receiver receiver;
  Sender sender({{.name = "ops", .url = receiver.url("/hook?team=a%20b"), .secret = "key"}}, &kClock);
  EXPECT_THAT(SendOne(sender, "ops"), IsOk());
  const std::vector<Received> received = receiver.WaitFor(1);
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_EQ(received[0].path, "/hook");
  EXPECT_EQ(received[0].Header("Host"), absl::StrCat("127.0.0.1:", receiver.port()));
  EXPECT_EQ(received[0].Header("Content-Type"), "application/json");
  EXPECT_EQ(received[0].Header("X-Curlew-Delivery"), "1");
  EXPECT_EQ(received[0].Header("X-Curlew-Signature"),
            Signature("key", received[0].Header("X-Curlew-Timestamp"), received[0].body));
  EXPECT_THAT(received[0].body, HasSubstr("well & done"));
}

TEST(SenderTest, EverythingBut2xxIsAnErrorThatSaysWhatWasAnsweredButNotWhere) {
  for (const int status : {301, 400, 404, 429, 500, 503}) {
    Receiver receiver([status](int) { return status; });
    Sender sender({{.name = "ops", .url = receiver.url("/T0/B0/xoxb")}}, &kClock);
    EXPECT_THAT(SendOne(sender, "ops"),
                StatusIs(absl::StatusCode::kUnavailable,
                         AllOf(HasSubstr(absl::StrCat("it answers ", status, ": not now")),
                               HasSubstr("127.0.0.1"), Not(HasSubstr("xoxb")))));
    EXPECT_THAT(receiver.received(), SizeIs(1));
  }
  for (const int status : {201, 202, 204}) {
    Receiver receiver([status](int) { return status; });
    Sender sender({{.name = "ops", .url = receiver.url()}}, &kClock);
    EXPECT_THAT(SendOne(sender, "ops"), IsOk()) << status;
  }
}

TEST(SenderTest, ARedirectIsNotFollowed) {
  Receiver other;
  auto server = std::make_unique<httplib::Server>();
  server->set_post_routing_handler([&](const httplib::Request&, httplib::Response& response) {
    response.set_header("Location", absl::StrCat("http://127.0.0.1:", other.port(), "/"));
  });
  Receiver receiver([](int) { return 307; }, std::move(server));
  Sender sender({{.name = "ops", .url = receiver.url()}}, &kClock);
  EXPECT_THAT(SendOne(sender, "ops"), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("307")));
  EXPECT_THAT(other.received(), SizeIs(0));
}

TEST(SenderTest, ARefusedConnectionIsAnError) {
  Sender sender({{.name = "ops", .url = {.host = "127.0.0.1", .port = FreePort(), .path = "/"}}}, &kClock);
  EXPECT_THAT(SendOne(sender, "ops"), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("cannot connect")));
}

TEST(SenderTest, OneThatHangsEndsAfterItsTimeAndHoldsUpNobody) {
  SilentPort silent;
  Receiver receiver;
  Sender sender({{.name = "silent", .url = silent.url(), .timeout = absl::Milliseconds(1500)},
                 {.name = "ops", .url = receiver.url()}},
                &kClock);
  Outcome hangs;
  const absl::Time begin = absl::Now();
  sender.Send(To("silent"), {}, hangs.done());
  for (int i = 0; i < 20; ++i) EXPECT_THAT(SendOne(sender, "ops"), IsOk());
  EXPECT_LT(absl::Now() - begin, absl::Milliseconds(1500));
  EXPECT_THAT(hangs.Wait(),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("no answer within 1.5s")));
}

// Each byte comes in time, and there is no end of them.
TEST(SenderTest, OneThatDripsEndsAfterItsTime) {
  SilentPort silent;
  std::thread drip([&] {
    const int fd = silent.Accept();
    const timespec pause = {.tv_sec = 0, .tv_nsec = 50'000'000};
    while (send(fd, "H", 1, MSG_NOSIGNAL) == 1) nanosleep(&pause, nullptr);
    close(fd);
  });
  Sender sender({{.name = "drip", .url = silent.url(), .timeout = absl::Seconds(1)}}, &kClock);
  EXPECT_THAT(SendOne(sender, "drip"), StatusIs(absl::StatusCode::kDeadlineExceeded));
  drip.join();
}

TEST(SenderTest, AnAnswerWithoutEndIsCutOff) {
  SilentPort silent;
  std::thread flood([&] {
    const int fd = silent.Accept();
    std::string text = "HTTP/1.1 500 Oops\r\n\r\n" + std::string(1 << 16, 'x');
    while (send(fd, text.data(), text.size(), MSG_NOSIGNAL) > 0) text.assign(1 << 16, 'x');
    close(fd);
  });
  Sender sender({{.name = "flood", .url = silent.url(), .timeout = absl::Seconds(20)}}, &kClock);
  EXPECT_THAT(SendOne(sender, "flood"), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("500: xxx")));
  flood.join();
}

TEST(SenderTest, EndsAtOnceAlsoWhereOneHangs) {
  SilentPort silent;
  const absl::Time begin = absl::Now();
  {
    Sender sender({{.name = "silent", .url = silent.url(), .timeout = absl::Seconds(60)}}, &kClock);
    sender.Send(To("silent"), {}, [](const absl::Status&) {});
    close(silent.Accept());
    // Now it is being tried, or soon is, the second time.
    sender.Send(To("silent"), {}, [](const absl::Status&) {});
  }
  EXPECT_LT(absl::Now() - begin, absl::Seconds(30));
}

TEST(SenderTest, SendsInOrder) {
  Receiver receiver;
  Sender sender({{.name = "ops", .url = receiver.url()}}, &kClock);
  for (int i = 1; i <= 20; ++i) sender.Send(To("ops", i), {}, [](const absl::Status&) {});
  const std::vector<Received> received = receiver.WaitFor(20);
  ASSERT_THAT(received, SizeIs(20));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(received[i].Header("X-Curlew-Delivery"), absl::StrCat(i + 1));
}

// A certificate of its own for `name`, in files.
class Tls {
 public:
  explicit Tls(const std::string& name)
      : folder_(absl::StrCat(::testing::TempDir(), "/curlew-tls-", getpid())) {
    std::filesystem::create_directory(folder_);
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"),
                               -1, -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    for (const auto& [kind, value] :
         {std::pair<int, std::string>{NID_subject_alt_name, name},
          std::pair<int, std::string>{NID_basic_constraints, "critical,CA:TRUE"}}) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
      X509_add_ext(certificate.get(), extension, -1);
      X509_EXTENSION_free(extension);
    }
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    FILE* file = fopen(certificate_path().c_str(), "w");
    PEM_write_X509(file, certificate.get());
    fclose(file);
    file = fopen(key_path().c_str(), "w");
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    fclose(file);
  }
  ~Tls() { std::filesystem::remove_all(folder_); }

  std::string certificate_path() const { return folder_ + "/certificate.pem"; }
  std::string key_path() const { return folder_ + "/key.pem"; }
  std::unique_ptr<httplib::Server> Server() const {
    return std::make_unique<httplib::SSLServer>(certificate_path().c_str(), key_path().c_str());
  }

 private:
  const std::string folder_;
};

absl::Status SendOverTls(const Receiver& receiver) {
  Url url = receiver.url();
  url.https = true;
  Sender sender({{.name = "ops", .url = url}}, &kClock);
  return SendOne(sender, "ops");
}

TEST(SenderTest, HttpsNeedsACertificateThatAnAuthorityVouchesFor) {
  const Tls tls("IP:127.0.0.1");
  Receiver receiver(nullptr, tls.Server());
  EXPECT_THAT(SendOverTls(receiver),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("certificate cannot be verified")));
  EXPECT_THAT(receiver.received(), SizeIs(0));
  setenv("SSL_CERT_FILE", tls.certificate_path().c_str(), 1);
  EXPECT_THAT(SendOverTls(receiver), IsOk());
  unsetenv("SSL_CERT_FILE");
  EXPECT_THAT(receiver.received(), SizeIs(1));
}

TEST(SenderTest, HttpsNeedsACertificateForTheHost) {
  const Tls tls("DNS:elsewhere.example");
  Receiver receiver(nullptr, tls.Server());
  setenv("SSL_CERT_FILE", tls.certificate_path().c_str(), 1);
  EXPECT_THAT(SendOverTls(receiver),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("certificate cannot be verified")));
  unsetenv("SSL_CERT_FILE");
  EXPECT_THAT(receiver.received(), SizeIs(0));
}

TEST(SenderTest, AServerThatSpeaksNoTlsIsAnError) {
  Receiver receiver;
  EXPECT_THAT(SendOverTls(receiver),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no TLS connection")));
}

}  // namespace
}  // namespace curlew::notify
