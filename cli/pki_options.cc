#include "cli/pki_options.h"

#include <utility>

#include "cli/verb.h"

namespace curlew::cli {

void AddPkiFolder(CLI::App& verb, std::string& folder) {
  verb.add_option("--dir", folder, "Folder of the CA")->type_name("DIR")->default_str(folder);
}

void AddPkiDays(CLI::App& verb, int32_t& days, std::string description) {
  constexpr int32_t kMostDays = 36500;
  AddNumber(verb, "--days", 1, kMostDays, days, std::move(description));
}

}  // namespace curlew::cli
