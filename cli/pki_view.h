// How certificates are told about.
#ifndef CURLEW_CLI_PKI_VIEW_H_
#define CURLEW_CLI_PKI_VIEW_H_

#include <string>

#include "absl/time/time.h"
#include "common/pki/certificate.h"

namespace curlew::cli {

// "valid until 2027-02-26 12:00:00 UTC (90 days)"; "expired at …", "not valid before …".
std::string Validity(absl::Time begins, absl::Time ends, absl::Time now);

// "spiffe://curlew/agent/crm" with its other names in brackets: what a certificate is for, safe to print.
std::string NamesOf(const pki::CertificateFacts& facts);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_PKI_VIEW_H_
