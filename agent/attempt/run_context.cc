#include "agent/attempt/run_context.h"

#include "common/base/proto_time.h"

namespace curlew::agent {

v1::Progress WaitingFor(v1::WaitCause cause, const std::string& message, absl::Time since) {
  v1::Progress progress;
  progress.mutable_waiting()->set_cause(cause);
  progress.mutable_waiting()->set_message(message);
  *progress.mutable_waiting()->mutable_since() = base::ToProto(since);
  return progress;
}

absl::Duration MaxLockTimeout(const v1::PlanSettings& settings) {
  return settings.has_max_lock_timeout() ? base::FromProto(settings.max_lock_timeout())
                                         : absl::Milliseconds(500);
}

absl::Duration DdlStatementTimeout(const v1::PlanSettings& settings) {
  return settings.has_ddl_statement_timeout() ? base::FromProto(settings.ddl_statement_timeout())
                                              : absl::Seconds(1);
}

absl::Duration LockRetryDeadline(const v1::PlanSettings& settings) {
  return settings.has_lock_retry_deadline() ? base::FromProto(settings.lock_retry_deadline())
                                            : absl::Minutes(10);
}

}  // namespace curlew::agent
