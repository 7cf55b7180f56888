// What the verbs of `curlew pki` have in common.
#ifndef CURLEW_CLI_PKI_OPTIONS_H_
#define CURLEW_CLI_PKI_OPTIONS_H_

#include <cstdint>
#include <string>

#include "CLI/CLI.hpp"

namespace curlew::cli {

inline constexpr char kDefaultPkiFolder[] = "pki";

// Adds `--dir`, the folder of the CA, or `--days`, how long a certificate is valid; the values hold defaults.
void AddPkiFolder(CLI::App& verb, std::string& folder);
void AddPkiDays(CLI::App& verb, int32_t& days, std::string description);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_PKI_OPTIONS_H_
