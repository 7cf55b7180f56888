// Random ids.
#ifndef CURLEW_COMMON_BASE_ID_H_
#define CURLEW_COMMON_BASE_ID_H_

#include <string>

namespace curlew::base {

// `length` characters of [a-z0-9], the first a letter, from the system's random source. Thread-safe.
std::string RandomId(int length);

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_ID_H_
