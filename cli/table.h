// Tables of text.
#ifndef CURLEW_CLI_TABLE_H_
#define CURLEW_CLI_TABLE_H_

#include <string>
#include <vector>

#include "cli/text.h"

namespace curlew::cli {

// A table like kubectl's: a line of headings, two spaces between columns, no rules. Cells hold one line each.
// Not thread-safe.
class Table {
 public:
  // A column. The headings are upper case; a column whose heading begins with '>' is aligned to the right.
  explicit Table(std::vector<std::string> headings);

  // One row, of as many cells as there are headings. Control characters but colours must be gone already.
  void AddRow(std::vector<std::string> cells);

  // The table. Where `width` is above 0, the last column is wrapped so that lines fit, as far as the others
  // leave it 20 columns. `indent` spaces stand before each line.
  std::string Render(const Style& style, int width = 0, int indent = 0) const;

  // The headings' line and one line for each row, nothing wrapped, without line ends.
  std::vector<std::string> RenderLines(const Style& style) const;

 private:
  std::vector<int> Widths() const;
  void AppendRow(const std::vector<std::string>& cells, const std::vector<int>& widths, int width, int indent,
                 std::vector<std::string>& lines) const;

  std::vector<std::string> headings_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace curlew::cli

#endif  // CURLEW_CLI_TABLE_H_
