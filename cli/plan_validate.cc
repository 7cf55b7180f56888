#include <memory>
#include <vector>

#include "cli/errors.h"
#include "cli/files.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/plan/plan_reader.h"

namespace curlew::cli {

void AddPlanValidate(CLI::App& group, Context& context) {
  auto files = std::make_shared<std::vector<std::string>>();
  const VerbInfo info = {
      "validate", "Check plans without a database or a controller",
      "Reads each file and reports what can be judged without a schema: syntax, names, types, expressions, "
      "duplicates, each with file, line and column. All files are checked, also after an error.",
      "# Check one plan\n"
      "curlew plan validate examples/plans/rename-contact-phone.yaml\n"
      "# Check all plans of a folder\n"
      "curlew plan validate plans/*.yaml\n"
      "# Check a plan from a pipe\n"
      "generate-plan | curlew plan validate -"};
  CLI::App* verb = AddVerb(group, context, info, [&context, files]() -> absl::StatusOr<ExitCode> {
    ExitCode worst = ExitCode::kOk;
    for (const std::string& file : *files) {
      const absl::StatusOr<v1::Plan> plan = ReadPlanFile(file);
      if (plan.ok()) {
        context.out << file << ": " << Printable(plan->name()) << ", " << plan->operations_size()
                    << (plan->operations_size() == 1 ? " operation" : " operations") << ", digest "
                    << plan::Digest(*plan) << std::endl;
        continue;
      }
      context.err << RenderError(plan.status(), context.terminal.style);
      worst = ExitCodeOf(plan.status());
    }
    return worst;
  });
  verb->add_option(kFileType, *files, "Plans in YAML; - is the standard input")
      ->type_name(kFileType)
      ->required();
}

}  // namespace curlew::cli
