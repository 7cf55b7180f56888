// Numbers as people read them.
#ifndef CURLEW_AGENT_EXECUTOR_WORDS_H_
#define CURLEW_AGENT_EXECUTOR_WORDS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace curlew::agent {

// "1 row", "1,000,000 rows".
std::string CountOf(int64_t count, absl::string_view noun);
// "640 kB", "66 MB", "1.2 GB".
std::string SizeOf(int64_t bytes);
// "0.4 s", "12 s", "1h2m3s".
std::string TimeOf(absl::Duration duration);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_WORDS_H_
