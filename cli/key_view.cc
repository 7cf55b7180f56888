#include "cli/key_view.h"

#include "absl/strings/str_cat.h"
#include "cli/pki_view.h"
#include "cli/steps_group.h"
#include "cli/text.h"
#include "common/base/proto_time.h"
#include "common/signing/statements.h"

namespace curlew::cli {

std::string RenderKey(const signing::PublicKey& key) {
  return absl::StrCat("public key   ", key.text(), "\nkey id       ", key.id(), "\n");
}

std::string ShortKeyId(const std::string& public_key) {
  constexpr size_t kShownOfKey = 16;
  const auto key = signing::PublicKey::FromText(public_key);
  return key.ok() ? key->id().substr(0, kShownOfKey) : "?";
}

std::string PlanSignatureText(const v1::PlanSignature& signature, absl::Time now) {
  const v1::PlanStatement& statement = signature.statement();
  const std::string who = absl::StrCat("key ", ShortKeyId(signature.public_key()));
  if (const auto key = signing::Verify(signature); !key.ok()) {
    return absl::StrCat(who, ", NOT RIGHT: ", Printable(key.status().message()));
  }
  constexpr size_t kShownTargets = 5;
  return absl::StrCat(
      who, ", for ", Printable(statement.environment()), " (",
      ListNames({statement.targets().begin(), statement.targets().end()}, kShownTargets), "), ",
      Validity(base::FromProto(statement.not_before()), base::FromProto(statement.expire_time()), now));
}

}  // namespace curlew::cli
