#include "common/pki/resumption.h"

#include <openssl/conf.h>
#include <openssl/err.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "common/pki/openssl.h"

namespace curlew::pki {
namespace {

using Config = std::unique_ptr<CONF, decltype(&NCONF_free)>;

// The commands for all of TLS in the system's configuration, one a line, but its options; those go to
// `options`. Empty where there are none.
std::string SystemDefaults(std::string* options) {
  const std::unique_ptr<char, void (*)(char*)> path(CONF_get1_default_config_file(),
                                                    [](char* text) { OPENSSL_free(text); });
  const Config config(NCONF_new(nullptr), &NCONF_free);
  if (path == nullptr || NCONF_load(config.get(), path.get(), nullptr) <= 0) return "";
  const char* part = NCONF_get_string(config.get(), nullptr, "openssl_conf");
  for (const char* next : {"ssl_conf", "system_default"}) {
    if (part != nullptr) part = NCONF_get_string(config.get(), part, next);
  }
  if (part == nullptr) return "";
  std::string commands;
  const STACK_OF(CONF_VALUE)* const values = NCONF_get_section(config.get(), part);
  for (int i = 0; i < sk_CONF_VALUE_num(values); ++i) {
    const CONF_VALUE* value = sk_CONF_VALUE_value(values, i);
    if (absl::string_view(value->name) == "Options") {
      absl::StrAppend(options, value->value, ",");
    } else {
      // As the file had it before its own escapes were read.
      absl::StrAppend(&commands, value->name, " = ",
                      absl::StrReplaceAll(value->value, {{"\\", "\\\\"}, {"$", "\\$"}, {"#", "\\#"}}), "\n");
    }
  }
  return commands;
}

}  // namespace

absl::Status ForbidResumption() {
  // Once only, and first: it would undo what follows.
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, nullptr);
  OPENSSL_load_builtin_modules();
  std::string options;
  const std::string defaults = SystemDefaults(&options);
  ERR_clear_error();
  const std::string text = absl::StrCat(
      "openssl_conf = curlew\n[curlew]\nssl_conf = curlew_ssl\n[curlew_ssl]\n",
      "system_default = curlew_tls\n[curlew_tls]\n", defaults, "Options = ", options, "-SessionTicket\n");
  const Owned<BIO> source = Reading(text);
  const Config config(NCONF_new(nullptr), &NCONF_free);
  if (NCONF_load_bio(config.get(), source.get(), nullptr) <= 0 ||
      CONF_modules_load(config.get(), nullptr, CONF_MFLAGS_NO_DSO) <= 0) {
    return OpensslFailed("be told to resume no TLS sessions");
  }
  return absl::OkStatus();
}

}  // namespace curlew::pki
