// TLS sessions that are taken up again without a look at certificates: forbidden.
#ifndef CURLEW_COMMON_PKI_RESUMPTION_H_
#define CURLEW_COMMON_PKI_RESUMPTION_H_

#include "absl/status/status.h"

namespace curlew::pki {

// From now on no TLS server in this process hands out session tickets. A ticket would let its holder come
// back for hours, and get a new one each time, after his certificate was revoked or has expired: gRPC leaves
// them on, has no switch for them, and verifies nothing when a session is resumed. To be called before a
// server or channel is made; what was made before keeps its ways. What the system's openssl.cnf says for all
// of TLS (system_default) holds as before. Thread-safe; once is enough. INTERNAL where OpenSSL does not take
// it.
absl::Status ForbidResumption();

}  // namespace curlew::pki

#endif  // CURLEW_COMMON_PKI_RESUMPTION_H_
