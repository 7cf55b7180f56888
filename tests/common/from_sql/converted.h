// A script converted by its text alone, for tests of the families of statements.
#ifndef CURLEW_TESTS_COMMON_FROM_SQL_CONVERTED_H_
#define CURLEW_TESTS_COMMON_FROM_SQL_CONVERTED_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/from_sql/from_sql.h"
#include "common/plan/plan_reader.h"

namespace curlew::from_sql {

// The conversion; the test fails where there is none.
inline Conversion Converted(absl::string_view script, const v1::Schema* schema = nullptr) {
  auto conversion = Convert({{"test.sql", std::string(script)}}, {.schema = schema});
  if (conversion.ok()) return *std::move(conversion);
  ADD_FAILURE() << conversion.status() << "\nof: " << script;
  return {};
}

// The names of the operations, in order, with the phase after those of `sql`: "add_column", "sql add".
inline std::vector<std::string> Names(const Conversion& conversion) {
  std::vector<std::string> names;
  for (const v1::Operation& operation : conversion.plan.operations()) {
    const auto* field = operation.GetReflection()->GetOneofFieldDescriptor(
        operation, v1::Operation::descriptor()->oneof_decl(0));
    std::string name = field->name();
    if (operation.has_sql()) {
      const v1::Phase phase = operation.sql().phase();
      name += phase == v1::PHASE_DROP ? " drop" : phase == v1::PHASE_CONSTRAIN ? " constrain" : " add";
    }
    names.push_back(name);
  }
  return names;
}
inline std::vector<std::string> Names(absl::string_view script) { return Names(Converted(script)); }

// Operation `i` as YAML.
inline std::string Yaml(absl::string_view script, int i = 0) {
  const Conversion conversion = Converted(script);
  return i < conversion.plan.operations_size() ? plan::ToYaml(conversion.plan.operations(i)) : "";
}

// The message of the refusal.
inline std::string Refusal(absl::string_view script) {
  return std::string(Convert({{"test.sql", std::string(script)}}, {}).status().message());
}

}  // namespace curlew::from_sql

#endif  // CURLEW_TESTS_COMMON_FROM_SQL_CONVERTED_H_
