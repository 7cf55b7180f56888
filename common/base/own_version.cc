// Alone in its file, so that a test links programs of other versions by another definition of it.
#include "common/base/version.h"

namespace curlew::base {

absl::string_view OwnVersion() { return CURLEW_VERSION; }

}  // namespace curlew::base
