// common/lint/builtin.tsv against a server. CURLEW_UPDATE_BUILTIN=1 writes it anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/lint/catalogue.h"
#include "common/pg/catalogue_queries.h"
#include "tests/support/pg_test.h"

namespace curlew::lint {
namespace {

constexpr char kFile[] = CURLEW_SOURCE_DIR "/common/lint/builtin.tsv";

class BuiltInTest : public testing::PgTest {
 protected:
  // Rows of PostgreSQL's own objects, as the file holds them.
  std::vector<std::string> FromServer() {
    const std::string conninfo = NewDatabase();
    const auto connection = Connect(conninfo);
    std::vector<std::string> lines;
    for (const pg::CatalogueQuery& query : pg::kCatalogueQueries) {
      const std::string table = query.table;
      if (table != "type" && table != "cast" && table != "function" && table != "opclass" &&
          table != "method")
        continue;
      const auto result = connection->Execute(absl::StrReplaceAll(
          query.sql, {{"{system}", "(n.nspname ~ '^pg_' OR n.nspname = 'information_schema')"}}));
      EXPECT_TRUE(result.ok()) << result.status();
      std::vector<std::string> rows;
      for (int64_t row = 0; row < result->size(); ++row) {
        // Row types of catalogues, and their arrays, are nobody's columns.
        if (table == "type" && (result->Text(row, 1) != "pg_catalog" || result->Text(row, 4) != "0" ||
                                result->Int(row, 0) > 9999))
          continue;
        if (table == "function" && result->Text(row, 1) != "pg_catalog") continue;
        std::string line = table;
        for (int column = 0; column < static_cast<int>(result->columns().size()); ++column)
          absl::StrAppend(&line, "\t", result->Text(row, column));
        rows.push_back(line);
      }
      std::sort(rows.begin(), rows.end());
      lines.insert(lines.end(), rows.begin(), rows.end());
    }
    return lines;
  }
};

TEST_F(BuiltInTest, TheFileHoldsWhatAServerHas) {
  const std::vector<std::string> server = FromServer();
  if (std::getenv("CURLEW_UPDATE_BUILTIN") != nullptr) {
    std::ofstream out(kFile);
    for (const std::string& line : server) out << line << "\n";
  }
  std::ifstream in(kFile);
  std::stringstream text;
  text << in.rdbuf();
  const std::vector<std::string> file = absl::StrSplit(text.str(), '\n', absl::SkipEmpty());
  ASSERT_EQ(file.size(), server.size());
  for (size_t i = 0; i < file.size(); ++i) ASSERT_EQ(file[i], server[i]);
}

TEST_F(BuiltInTest, EveryLineIsTaken) {
  std::ifstream in(kFile);
  std::string line;
  Catalogue catalogue;
  while (std::getline(in, line)) {
    std::vector<std::string> fields = absl::StrSplit(line, '\t');
    const std::string table = fields[0];
    fields.erase(fields.begin());
    ASSERT_TRUE(catalogue.Add(table, fields).ok()) << line;
  }
  EXPECT_EQ(catalogue.types.size(), BuiltInCatalogue().types.size());
  EXPECT_EQ(catalogue.FindType("pg_catalog", "int4")->oid, 23u);
}

}  // namespace
}  // namespace curlew::lint
