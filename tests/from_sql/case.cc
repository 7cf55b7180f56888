#include "tests/from_sql/case.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace curlew::from_sql {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> List(absl::string_view text) {
  std::vector<std::string> list;
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    list.emplace_back(absl::StripAsciiWhitespace(part));
  }
  return list;
}

Case Read(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  Case read;
  read.name = path.stem().string();
  read.hazards = "*";
  std::string* part = nullptr;
  for (absl::string_view line : absl::StrSplit(content.str(), '\n')) {
    if (line == "--- before") {
      part = &read.before;
    } else if (line == "--- migration") {
      part = &read.migration;
    } else if (part != nullptr) {
      absl::StrAppend(part, line, "\n");
    } else if (absl::ConsumePrefix(&line, "-- expect:")) {
      read.expect = List(line);
    } else if (absl::ConsumePrefix(&line, "-- volatile:")) {
      read.volatile_columns = List(line);
    } else if (absl::ConsumePrefix(&line, "-- sql:")) {
      std::vector<std::string> hazards = List(line);
      std::sort(hazards.begin(), hazards.end());
      read.hazards = absl::StrJoin(hazards, ",");
      if (read.hazards == "none") read.hazards.clear();
    } else if (absl::StartsWith(line, "-- offline: refused")) {
      read.offline_refused = true;
    } else if (absl::StartsWith(line, "-- offline: differs")) {
      read.offline_differs = true;
    }
  }
  return read;
}

}  // namespace

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (const auto& entry : fs::directory_iterator(CURLEW_SOURCE "/tests/from_sql/cases")) {
    if (entry.path().extension() == ".sql") cases.push_back(Read(entry.path()));
  }
  std::sort(cases.begin(), cases.end(), [](const Case& a, const Case& b) { return a.name < b.name; });
  return cases;
}

std::vector<std::string> OperationNames(const v1::Plan& plan) {
  std::vector<std::string> names;
  for (const v1::Operation& operation : plan.operations()) {
    const auto* field = operation.GetReflection()->GetOneofFieldDescriptor(
        operation, v1::Operation::descriptor()->oneof_decl(0));
    names.push_back(field == nullptr ? "" : field->name());
  }
  return names;
}

std::string NormalDump(absl::string_view dump) {
  std::vector<std::string> statements;
  std::vector<std::string> lines;
  auto finish = [&] {
    if (lines.empty()) return;
    if (absl::StartsWith(lines[0], "CREATE TABLE ")) std::sort(lines.begin() + 1, lines.end());
    statements.push_back(absl::StrJoin(lines, "\n"));
    lines.clear();
  };
  for (absl::string_view line : absl::StrSplit(dump, '\n')) {
    // A header stands before each object.
    if (absl::StartsWith(line, "--")) {
      finish();
      continue;
    }
    if (line.empty()) continue;
    const bool in_table = !lines.empty() && absl::StartsWith(lines[0], "CREATE TABLE ");
    std::string normal(in_table ? absl::StripSuffix(line, ",") : line);
    // Nor does the order of storage parameters.
    if (in_table && absl::StartsWith(normal, "WITH (")) {
      std::vector<std::string> options = List(normal.substr(6, normal.rfind(')') - 6));
      std::sort(options.begin(), options.end());
      normal = absl::StrCat("WITH (", absl::StrJoin(options, ", "), ");");
    }
    lines.push_back(std::move(normal));
  }
  finish();
  std::sort(statements.begin(), statements.end());
  return absl::StrJoin(statements, "\n");
}

std::string TestName(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace curlew::from_sql
