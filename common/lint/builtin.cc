#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/lint/catalogue.h"

namespace curlew::lint {

// builtin.tsv, embedded.
std::string BuiltInRows();

Catalogue BuiltInCatalogue() {
  static const auto* const catalogue = [] {
    auto* made = new Catalogue();
    const std::string rows = BuiltInRows();
    for (absl::string_view line : absl::StrSplit(rows, '\n', absl::SkipEmpty())) {
      std::vector<std::string> fields = absl::StrSplit(line, '\t');
      const std::string table = fields[0];
      fields.erase(fields.begin());
      // The file is ours, and a test reads all of it.
      (void)made->Add(table, fields);
    }
    return made;
  }();
  return *catalogue;
}

}  // namespace curlew::lint
