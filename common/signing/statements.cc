#include "common/signing/statements.h"

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::signing {
namespace {

// What is signed begins with what it is, so that a signature of one kind is none of another.
std::string TextOf(const v1::PlanStatement& statement) {
  return absl::StrCat("curlew-plan\n", base::CanonicalJson(statement));
}
std::string TextOf(const v1::DecisionStatement& statement) {
  return absl::StrCat("curlew-decision\n", base::CanonicalJson(statement));
}

absl::Status Wrong(absl::string_view field, absl::string_view what) {
  return base::WithDetail(absl::InvalidArgumentError(absl::StrCat("statement.", field, " ", what)),
                          base::kField, absl::StrCat("statement.", field));
}

// Ids and digests stand in the records of whoever keeps them: their size is bounded.
absl::Status CheckHex(absl::string_view field, absl::string_view text, size_t least, size_t most) {
  const bool right = text.size() >= least && text.size() <= most &&
                     text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
  if (right) return absl::OkStatus();
  return Wrong(field, absl::StrCat("is no hexadecimal text of ", least,
                                   least == most ? "" : absl::StrCat(" to ", most), " letters"));
}

absl::Status CheckId(absl::string_view id) { return CheckHex("id", id, 16, 64); }
absl::Status CheckDigest(absl::string_view field, absl::string_view digest) {
  return CheckHex(field, digest, 64, 64);
}

// Others have no canonical form.
absl::Status CheckTime(absl::string_view field, bool given, const google::protobuf::Timestamp& time) {
  if (!given) return Wrong(field, "is missing; it is required");
  constexpr int64_t kFirst = -62135596800, kLast = 253402300799;
  constexpr int32_t kNanos = 1'000'000'000;
  const bool right =
      time.seconds() >= kFirst && time.seconds() <= kLast && time.nanos() >= 0 && time.nanos() < kNanos;
  return right ? absl::OkStatus() : Wrong(field, "is no time of the years 1 to 9999");
}

template <typename Signature, typename Statement>
Signature SignText(const SigningKey& key, const Statement& statement) {
  Signature signature;
  *signature.mutable_statement() = statement;
  signature.set_public_key(key.public_key().text());
  signature.set_signature(key.Sign(TextOf(statement)));
  return signature;
}

template <typename Signature>
absl::StatusOr<PublicKey> VerifyText(const Signature& signature) {
  RETURN_IF_ERROR(CheckForm(signature.statement()));
  auto key = PublicKey::FromText(signature.public_key());
  if (!key.ok()) {
    return base::WithDetail(base::Annotate(key.status(), "public_key"), base::kField, "public_key");
  }
  RETURN_IF_ERROR(key->Verify(TextOf(signature.statement()), signature.signature()));
  return key;
}

}  // namespace

v1::PlanSignature Sign(const SigningKey& key, const v1::PlanStatement& statement) {
  return SignText<v1::PlanSignature>(key, statement);
}
v1::DecisionSignature Sign(const SigningKey& key, const v1::DecisionStatement& statement) {
  return SignText<v1::DecisionSignature>(key, statement);
}

absl::Status CheckForm(const v1::PlanStatement& statement) {
  RETURN_IF_ERROR(CheckId(statement.id()));
  RETURN_IF_ERROR(CheckDigest("plan_digest", statement.plan_digest()));
  if (statement.environment().empty()) return Wrong("environment", "is empty; it is required");
  if (statement.targets().empty()) return Wrong("targets", "is empty; at least one is required");
  for (int i = 0; i < statement.targets_size(); ++i) {
    if (statement.targets(i).empty() || (i > 0 && statement.targets(i) <= statement.targets(i - 1))) {
      return Wrong("targets", "is not sorted, or has a target twice or an empty one");
    }
  }
  RETURN_IF_ERROR(CheckTime("not_before", statement.has_not_before(), statement.not_before()));
  RETURN_IF_ERROR(CheckTime("expire_time", statement.has_expire_time(), statement.expire_time()));
  if (base::FromProto(statement.expire_time()) <= base::FromProto(statement.not_before())) {
    return Wrong("expire_time", "is not after not_before");
  }
  return absl::OkStatus();
}

absl::Status CheckForm(const v1::DecisionStatement& statement) {
  RETURN_IF_ERROR(CheckId(statement.id()));
  switch (statement.kind()) {
    case v1::DECISION_KIND_DROP:
      if (!statement.step().empty()) return Wrong("step", "is given; a decision about DROP has none");
      break;
    case v1::DECISION_KIND_OVERRIDE:
      if (statement.step().empty()) return Wrong("step", "is empty; it is required");
      break;
    default:
      return Wrong("kind", "is none that there is");
  }
  if (statement.rollout().empty()) return Wrong("rollout", "is empty; it is required");
  RETURN_IF_ERROR(CheckDigest("plan_digest", statement.plan_digest()));
  if (statement.compiled_digests().empty())
    return Wrong("compiled_digests", "is empty; at least one is required");
  for (const auto& [target, digest] : statement.compiled_digests()) {
    if (target.empty()) return Wrong("compiled_digests", "has a target without a name");
    RETURN_IF_ERROR(CheckDigest("compiled_digests", digest));
  }
  return CheckTime("expire_time", statement.has_expire_time(), statement.expire_time());
}

absl::StatusOr<PublicKey> Verify(const v1::PlanSignature& signature) { return VerifyText(signature); }
absl::StatusOr<PublicKey> Verify(const v1::DecisionSignature& signature) { return VerifyText(signature); }

}  // namespace curlew::signing
