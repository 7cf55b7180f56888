#include "tests/harness/case.h"

namespace curlew::testing {

std::vector<Case> AllCases() {
  std::vector<Case> all;
  for (const auto& cases : {ColumnCases(), ConstraintCases(), DataCases(), IndexCases(), ObjectCases(),
                            TableCases(), TypeCases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

}  // namespace curlew::testing
