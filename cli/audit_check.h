// Whether an audit log is whole, as far as it can be known from outside. Pure.
#ifndef CURLEW_CLI_AUDIT_CHECK_H_
#define CURLEW_CLI_AUDIT_CHECK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/audit_chain.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::cli {

// A head that was kept outside of the store: in a notification, in a log.
struct KeptHead {
  int64_t number = 0;
  std::string hash;
};

// Takes the entries of a log in order, and keeps what is wrong with them. Goes on behind what is wrong, so
// that all of it is found. Not thread-safe.
class AuditCheck {
 public:
  explicit AuditCheck(std::optional<KeptHead> kept) : kept_(std::move(kept)) {}

  void Add(const v1::AuditEntry& entry);
  // After the last entry: against the head that the controller gave with the first ones.
  void Finish(const v1::AuditHead& head);

  // The last entry's; 0 for none.
  int64_t number() const { return number_; }
  // What is wrong, in whole sentences without a full stop; empty where nothing is.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  const std::optional<KeptHead> kept_;
  int64_t number_ = 0;
  std::string hash_{base::kNoAuditHash};
  std::vector<std::string> problems_;
};

}  // namespace curlew::cli

#endif  // CURLEW_CLI_AUDIT_CHECK_H_
