// libFuzzer's entry for one target: CURLEW_FUZZ_TARGET names its function.
#include <cstddef>
#include <cstdint>

#include "spdlog/spdlog.h"
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  spdlog::set_level(spdlog::level::off);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  curlew::fuzz::CURLEW_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
