#include "cli/steps_group.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/text.h"
#include "common/compiler/compiler.h"

namespace curlew::cli {

std::vector<StepsGroup> GroupBySteps(const std::vector<CompiledTarget>& targets) {
  std::vector<StepsGroup> groups;
  for (const CompiledTarget& target : targets) {
    std::string digest = compiler::StepsDigest(*target.compiled);
    auto group =
        std::find_if(groups.begin(), groups.end(), [&](const StepsGroup& g) { return g.digest == digest; });
    if (group == groups.end()) {
      StepsGroup made{.digest = std::move(digest), .compiled = *target.compiled};
      if (!groups.empty()) {
        made.differences = compiler::DiffSteps(groups.front().compiled, *target.compiled);
      }
      groups.push_back(std::move(made));
      group = std::prev(groups.end());
    }
    group->targets.push_back(target.target);
  }
  return groups;
}

std::string ListNames(const std::vector<std::string>& names, size_t most) {
  const size_t shown = names.size() <= most + 1 ? names.size() : most;
  std::string text = absl::StrJoin(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", ");
  if (shown < names.size()) absl::StrAppend(&text, " and ", names.size() - shown, " more");
  return Printable(text);
}

}  // namespace curlew::cli
