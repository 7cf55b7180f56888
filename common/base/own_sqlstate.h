// SQLSTATEs that PostgreSQL never gives: StepError.sqlstate where a person or a program must tell our own
// reasons apart.
#ifndef CURLEW_COMMON_BASE_OWN_SQLSTATE_H_
#define CURLEW_COMMON_BASE_OWN_SQLSTATE_H_

namespace curlew::base {

// A step failed because rows that it could not write wait for somebody to mend or accept them.
inline constexpr char kRowsQuarantined[] = "CW001";

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_OWN_SQLSTATE_H_
