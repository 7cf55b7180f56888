// What holds for all of TLS in a process; what it does to a server is in grpc_test.cc.
#include "common/pki/resumption.h"

#include <openssl/ssl.h>

#include <memory>

#include "tests/common/pki/support.h"

namespace curlew::pki {
namespace {

class ResumptionTest : public PkiTest {
 protected:
  ~ResumptionTest() override {
    unsetenv("OPENSSL_CONF");
    EXPECT_OK(ForbidResumption());
  }
  using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
  static Context New() { return {SSL_CTX_new(TLS_server_method()), &SSL_CTX_free}; }
};

TEST_F(ResumptionTest, WhatTheSystemSaysOfTlsHolds) {
  setenv("OPENSSL_CONF",
         Write("openssl.cnf",
               "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMinProtocol = TLSv1.3\n"
               "CipherString = DEFAULT:@SECLEVEL=3\nOptions = PrioritizeChaCha\n")
             .c_str(),
         1);
  ASSERT_OK(ForbidResumption());
  const Context context = New();
  EXPECT_EQ(SSL_CTX_get_min_proto_version(context.get()), TLS1_3_VERSION);
  EXPECT_EQ(SSL_CTX_get_security_level(context.get()), 3);
  EXPECT_NE(SSL_CTX_get_options(context.get()) & SSL_OP_PRIORITIZE_CHACHA, 0u);
  EXPECT_NE(SSL_CTX_get_options(context.get()) & SSL_OP_NO_TICKET, 0u);
}

TEST_F(ResumptionTest, WithoutAConfigurationNothingElseChanges) {
  for (const std::string& path : {At("none.cnf"), Write("empty.cnf", ""), Write("rubbish.cnf", "[[\n")}) {
    setenv("OPENSSL_CONF", path.c_str(), 1);
    ASSERT_OK(ForbidResumption()) << path;
    const Context context = New();
    EXPECT_EQ(SSL_CTX_get_options(context.get()) & SSL_OP_PRIORITIZE_CHACHA, 0u);
    EXPECT_NE(SSL_CTX_get_options(context.get()) & SSL_OP_NO_TICKET, 0u);
  }
}

}  // namespace
}  // namespace curlew::pki
