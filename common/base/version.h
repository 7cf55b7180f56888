// Versions of Curlew's programs, and which of them work together.
#ifndef CURLEW_COMMON_BASE_VERSION_H_
#define CURLEW_COMMON_BASE_VERSION_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace curlew::base {

// "1.12.3". What stands behind the numbers ("-rc1", "+debian") does not count.
struct Version {
  int major = 0;
  int minor = 0;
  int patch = 0;
};

// Nothing where `text` does not begin with three numbers.
std::optional<Version> ParseVersion(absl::string_view text);

// Whether programs of these versions promise to work together: one minor version apart, either way. Another
// major version is never within.
bool WithinSkew(const Version& a, const Version& b);

// One of two programs that talk to each other.
struct Program {
  absl::string_view name;  // "agent"
  absl::string_view version;
};

// FAILED_PRECONDITION, with kReason kVersionSkewReason and what to do, where the two do not promise to work
// together. A version that cannot be read (a build of one's own, a client of before versions were told) is
// let through: it says nothing that could be compared.
absl::Status CheckSkew(const Program& here, const Program& peer);

inline constexpr absl::string_view kVersionSkewReason = "VERSION_SKEW";

// This program's version, "0.1.0".
absl::string_view OwnVersion();

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_VERSION_H_
