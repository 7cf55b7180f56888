// The oracle: a table beside {t} in which the test itself keeps what every row has to be.
#ifndef CURLEW_TESTS_HARNESS_TWIN_H_
#define CURLEW_TESTS_HARNESS_TWIN_H_

#include <string>
#include <vector>

#include "tests/harness/case.h"
#include "tests/harness/names.h"

namespace curlew::testing {

// SQL about the table of a case and its twin. Immutable; thread-safe. Both references must outlive it.
class Twin {
 public:
  Twin(const Case& the_case, const Names& names) : case_(the_case), names_(names) {}

  // Everything before the plan: schema, parent, {t} with its rows, the case's setup, the twin. To be run by a
  // superuser.
  std::string Setup() const;
  // Gives the columns that follow the old client's their values again, in every row: before a run.
  std::string Refresh() const;

  // The columns to compare.
  std::vector<Compared> BeforeThePlan() const;
  std::vector<Compared> AtTheGate() const;
  std::vector<Compared> AtTheEnd() const;
  // One row of text for each of the first few rows that differ. One statement, and so of one snapshot.
  std::string Differences(const std::vector<Compared>& columns) const;

 private:
  std::vector<Compared> Own(bool with_new) const;
  std::string CreateTable() const;
  const Case& case_;
  const Names& names_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_HARNESS_TWIN_H_
