// The functions of Debian's libraries behind those that absl_sync.cc and grpc_sync.cc put before them.
#ifndef CURLEW_TESTS_SUPPORT_SANITIZERS_REAL_H_
#define CURLEW_TESTS_SUPPORT_SANITIZERS_REAL_H_

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace curlew::sanitizers {

// The next library's function of that (mangled) name; ends the process where there is none, as after a change
// of the libraries' version.
template <typename Function>
Function* Real(const char* name) {
  void* const found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) {
    std::fprintf(stderr, "no library has %s, which the thread sanitizer has to be told of\n", name);
    std::abort();
  }
  return reinterpret_cast<Function*>(found);
}

}  // namespace curlew::sanitizers

#endif  // CURLEW_TESTS_SUPPORT_SANITIZERS_REAL_H_
