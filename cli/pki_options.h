// What the verbs of `curlew pki` have in common.
#ifndef CURLEW_CLI_PKI_OPTIONS_H_
#define CURLEW_CLI_PKI_OPTIONS_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/pki/certificate.h"

namespace curlew::cli {

inline constexpr char kDefaultPkiFolder[] = "pki";

// Adds `--dir`, the folder of the CA, or `--days`, how long a certificate is valid; the values hold defaults.
void AddPkiFolder(CLI::App& verb, std::string& folder);
void AddPkiDays(CLI::App& verb, int32_t& days, std::string description);

// "valid until 2027-02-26 12:00:00 UTC (90 days)"; "expired at …", "not valid before …".
std::string Validity(absl::Time begins, absl::Time ends, absl::Time now);

// "spiffe://curlew/agent/crm" with its other names in brackets: what a certificate is for, safe to print.
std::string NamesOf(const pki::CertificateFacts& facts);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_PKI_OPTIONS_H_
