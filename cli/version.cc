#include "common/base/version.h"

#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/compiler/compiler.h"

namespace curlew::cli {

void AddVersion(CLI::App& root, Context& context) {
  AddVerb(root, context,
          {"version", "Print the version of this program",
           "The compiler's version is part of the digest of every compiled plan.",
           "# Which version is this?\n"
           "curlew version"},
          [&context]() -> absl::StatusOr<ExitCode> {
            context.out << "curlew " << base::OwnVersion() << ", compiler " << compiler::kCompilerVersion
                        << std::endl;
            return ExitCode::kOk;
          });
}

}  // namespace curlew::cli
