// A primary and a standby that streams from it, of a test's own.
#ifndef CURLEW_TESTS_SUPPORT_STANDBY_H_
#define CURLEW_TESTS_SUPPORT_STANDBY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace curlew::testing {

// Two servers in a temporary folder; both listen on sockets only (the primary on 127.0.0.1 too). The standby
// streams asynchronously, as "crm_standby" with the slot "crm_slot". Both end, and their files go, with the
// object. Not thread-safe.
class PrimaryAndStandby {
 public:
  // Starts both; databases made before the standby is are in it from the start.
  static absl::StatusOr<std::unique_ptr<PrimaryAndStandby>> Start();
  ~PrimaryAndStandby();
  PrimaryAndStandby(const PrimaryAndStandby&) = delete;
  PrimaryAndStandby& operator=(const PrimaryAndStandby&) = delete;

  // A superuser's conninfo.
  std::string primary(const std::string& database = "postgres") const;
  std::string standby(const std::string& database = "postgres") const;
  // For whichever of them takes writes.
  std::string either(const std::string& database) const;

  absl::Status StartStandby();
  absl::Status StopStandby();
  // It takes writes from now on, in a timeline of its own.
  absl::Status Promote();
  // As a power cut would.
  absl::Status KillPrimary();

 private:
  PrimaryAndStandby() = default;
  absl::Status Make();
  std::string env_file() const { return folder_ + "/primary.env"; }
  std::string data() const { return folder_ + "/data"; }

  std::string folder_;
  std::string bin_;
  std::string primary_host_, primary_port_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_SUPPORT_STANDBY_H_
