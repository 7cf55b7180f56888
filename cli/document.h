// A text with headings, tables and lists, as Markdown or HTML.
#ifndef CURLEW_CLI_DOCUMENT_H_
#define CURLEW_CLI_DOCUMENT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace curlew::cli {

// Texts may hold anything: what means something in Markdown or HTML is escaped, and control characters are
// replaced. A value.
class Document {
 public:
  // From 1, the title, to 3.
  void AddHeading(int level, std::string text);
  void AddText(std::string text);
  // Nothing where there are no items.
  void AddList(std::vector<std::string> items);
  // Nothing where there are no rows. Rows have as many cells as there are headings.
  void AddTable(std::vector<std::string> headings, std::vector<std::vector<std::string>> rows);
  // Lines that stay as they are.
  void AddCode(std::string language, std::string text);

  // CommonMark with GitHub's tables.
  std::string Markdown() const;
  // A page that needs nothing else.
  std::string Html() const;

 private:
  struct Block {
    enum class Kind { kHeading, kText, kList, kTable, kCode } kind;
    int level = 0;
    // Text of a heading, a paragraph, code.
    std::string text;
    std::string language;
    // Items; headings of a table.
    std::vector<std::string> items;
    std::vector<std::vector<std::string>> rows;
  };
  std::vector<Block> blocks_;
};

}  // namespace curlew::cli

#endif  // CURLEW_CLI_DOCUMENT_H_
