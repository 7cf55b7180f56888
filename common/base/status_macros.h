// Early returns for absl::Status and absl::StatusOr.
#ifndef CURLEW_COMMON_BASE_STATUS_MACROS_H_
#define CURLEW_COMMON_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the calling function with the status of `expr` unless it is OK.
#define RETURN_IF_ERROR(expr)                                                           \
  do {                                                                                  \
    if (absl::Status status_macro_ = (expr); !status_macro_.ok()) return status_macro_; \
  } while (false)

// Assigns the value of `expr`, a StatusOr, to `lhs`, which may be a declaration; returns its status where it
// holds none.
#define ASSIGN_OR_RETURN(lhs, expr) CURLEW_ASSIGN_OR_RETURN_(CURLEW_CONCAT_(status_or_, __LINE__), lhs, expr)
#define CURLEW_ASSIGN_OR_RETURN_(statusor, lhs, expr)      \
  auto statusor = (expr);                                  \
  if (!statusor.ok()) return std::move(statusor).status(); \
  lhs = *std::move(statusor)
#define CURLEW_CONCAT_(a, b) CURLEW_CONCAT_INNER_(a, b)
#define CURLEW_CONCAT_INNER_(a, b) a##b

#endif  // CURLEW_COMMON_BASE_STATUS_MACROS_H_
