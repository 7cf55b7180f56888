// Signatures of who approves and decides, for agents that ask for them.
#ifndef CURLEW_CLI_SIGN_OPTIONS_H_
#define CURLEW_CLI_SIGN_OPTIONS_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/signature.pb.h"

namespace curlew::cli {

// `--sign-key FILE` and `--expires DURATION`.
struct SignOptions {
  std::string key;  // "" where nothing is to be signed
  absl::Duration expires = absl::Hours(24);

  bool given() const { return !key.empty(); }
};
void AddSignOptions(CLI::App& verb, SignOptions& options);

// A statement's id: 32 hexadecimal digits that were never used before.
std::string NewStatementId();

// A time as statements hold it: in whole seconds.
google::protobuf::Timestamp StatementTime(absl::Time time);

// The gate before DROP that is meant, of a rollout: that with the id, or where that is "" the one that waits,
// or has been reached. INVALID_ARGUMENT for a gate of another kind; FAILED_PRECONDITION where none is there.
absl::StatusOr<const v1::Gate*> GateToSign(const v1::Rollout& rollout, const std::string& id);

// The decision that the old shape may go, behind that gate before DROP. Errors of signing::SigningKey::Load;
// FAILED_PRECONDITION where a target was not compiled.
absl::StatusOr<v1::DecisionSignature> SignDrop(const SignOptions& options, const v1::Rollout& rollout,
                                               const v1::Gate& gate, absl::Time now);

// The decision that the step at which `target` stands (with "" each one that waits or has failed) need not
// wait, or is left out; with `step` that step. FAILED_PRECONDITION where they stand at none, or at different
// ones. The rollout is in full.
absl::StatusOr<v1::DecisionSignature> SignOverride(const SignOptions& options, const v1::Rollout& rollout,
                                                   const std::string& target, const std::string& step,
                                                   absl::Time now);

// What was signed and by which key, each line indented by two.
std::string RenderSigned(const v1::DecisionSignature& signature, absl::Time now);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_SIGN_OPTIONS_H_
