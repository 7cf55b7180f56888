// Linked before the library, this is what a program takes for its version.
#include "common/base/version.h"

namespace curlew::base {

absl::string_view OwnVersion() { return CURLEW_OTHER_VERSION; }

}  // namespace curlew::base
