// Whether a schema is what compiler::Apply said it would be.
#ifndef CURLEW_TESTS_HARNESS_PROMISE_H_
#define CURLEW_TESTS_HARNESS_PROMISE_H_

#include <string>
#include <vector>

#include "curlew/v1/schema.pb.h"

namespace curlew::testing {

// What differs, one line each: names, kinds, columns in any order, NOT NULL exactly; types by their canonical
// spelling; texts that PostgreSQL writes its own way (definitions, defaults, queries) by their meaning. An
// owner that is not promised may be anybody.
std::vector<std::string> BrokenPromises(v1::Schema promised, const v1::Schema& found);

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_HARNESS_PROMISE_H_
