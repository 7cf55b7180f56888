// How a fuzz target says that a promise was broken.
#ifndef CURLEW_TESTS_FUZZ_PROMISE_H_
#define CURLEW_TESTS_FUZZ_PROMISE_H_

#include <cstdio>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/utf8.h"

namespace curlew::fuzz {

// Ends the process with `what`, which libFuzzer and ctest take for a crash, unless `kept`.
inline void Promise(bool kept, absl::string_view what) {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

// What is promised of every refusal of a person's input: its code, and words that can be sent on.
inline void PromiseRefusal(const absl::Status& status, absl::string_view what) {
  Promise(status.code() == absl::StatusCode::kInvalidArgument,
          absl::StrCat(what, " gave ", status.ToString()));
  Promise(!status.message().empty(), absl::StrCat(what, " gave no reason"));
  Promise(base::FindInvalidUtf8(status.message()) == absl::string_view::npos,
          absl::StrCat(what, " cut a character of its reason in two: ", status.message()));
}

}  // namespace curlew::fuzz

#endif  // CURLEW_TESTS_FUZZ_PROMISE_H_
