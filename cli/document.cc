#include "cli/document.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/text.h"

namespace curlew::cli {
namespace {

bool IsWord(absl::string_view text, size_t i) {
  return i < text.size() && (absl::ascii_isalnum(static_cast<unsigned char>(text[i])) ||
                             static_cast<unsigned char>(text[i]) >= 0x80);
}

// A text within a line of Markdown.
std::string MarkdownText(absl::string_view foreign) {
  const std::string text = Printable(foreign);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool in_word = i > 0 && IsWord(text, i - 1) && IsWord(text, i + 1);
    // What only counts at the beginning of a line.
    const bool first = i == 0 && (c == '-' || c == '+' || c == '=');
    const bool number = (c == '.' || c == ')') && i > 0 &&
                        std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(i), [](char d) {
                          return absl::ascii_isdigit(static_cast<unsigned char>(d));
                        });
    if (absl::string_view("\\`*[]<>|#&~").find(c) != absl::string_view::npos || (c == '_' && !in_word) ||
        first || number) {
      out += '\\';
    }
    out += c;
  }
  return out;
}

std::string MarkdownRow(const std::vector<std::string>& cells) {
  return absl::StrCat("| ",
                      absl::StrJoin(cells, " | ",
                                    [](std::string* out, const std::string& cell) {
                                      out->append(cell.empty() ? "-" : MarkdownText(cell));
                                    }),
                      " |\n");
}

// Longer than any run of backticks within.
std::string Fence(absl::string_view text) {
  size_t longest = 0, run = 0;
  for (char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return std::string(std::max<size_t>(longest + 1, 3), '`');
}

std::string HtmlText(absl::string_view foreign, LineEnds lines = LineEnds::kFlatten) {
  return absl::StrReplaceAll(
      Printable(foreign, lines),
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string HtmlRow(absl::string_view tag, const std::vector<std::string>& cells) {
  std::string out = "<tr>";
  for (const std::string& cell : cells) {
    absl::StrAppend(&out, "<", tag, ">", cell.empty() ? "-" : HtmlText(cell), "</", tag, ">");
  }
  return absl::StrCat(out, "</tr>\n");
}

constexpr char kHtmlHead[] = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>";
constexpr char kHtmlStyle[] =
    "</title>\n<style>\nbody { font: 15px/1.45 sans-serif; margin: 2em auto; max-width: 70em; padding: 0 "
    "1em; }\n"
    "table { border-collapse: collapse; margin: 0.8em 0; }\n"
    "th, td { border: 1px solid #bbb; padding: 0.25em 0.6em; text-align: left; vertical-align: top; }\n"
    "th { background: #eee; }\npre { background: #f4f4f4; overflow-x: auto; padding: 0.6em; }\n"
    "</style>\n</head>\n<body>\n";

}  // namespace

void Document::AddHeading(int level, std::string text) {
  blocks_.push_back({.kind = Block::Kind::kHeading, .level = level, .text = std::move(text)});
}

void Document::AddText(std::string text) {
  blocks_.push_back({.kind = Block::Kind::kText, .text = std::move(text)});
}

void Document::AddList(std::vector<std::string> items) {
  if (items.empty()) return;
  blocks_.push_back({.kind = Block::Kind::kList, .items = std::move(items)});
}

void Document::AddTable(std::vector<std::string> headings, std::vector<std::vector<std::string>> rows) {
  if (rows.empty()) return;
  blocks_.push_back({.kind = Block::Kind::kTable, .items = std::move(headings), .rows = std::move(rows)});
}

void Document::AddCode(std::string language, std::string text) {
  blocks_.push_back({.kind = Block::Kind::kCode, .text = std::move(text), .language = std::move(language)});
}

std::string Document::Markdown() const {
  std::string out;
  for (const Block& block : blocks_) {
    if (!out.empty()) out += '\n';
    switch (block.kind) {
      case Block::Kind::kHeading:
        absl::StrAppend(&out, std::string(block.level, '#'), " ", MarkdownText(block.text), "\n");
        break;
      case Block::Kind::kText:
        absl::StrAppend(&out, MarkdownText(block.text), "\n");
        break;
      case Block::Kind::kList:
        for (const std::string& item : block.items) absl::StrAppend(&out, "* ", MarkdownText(item), "\n");
        break;
      case Block::Kind::kTable:
        absl::StrAppend(&out, MarkdownRow(block.items), "|");
        for (size_t i = 0; i < block.items.size(); ++i) out += "---|";
        out += '\n';
        for (const auto& row : block.rows) out += MarkdownRow(row);
        break;
      case Block::Kind::kCode: {
        const std::string fence = Fence(block.text);
        absl::StrAppend(&out, fence, block.language, "\n", Printable(block.text, LineEnds::kKeep), "\n",
                        fence, "\n");
        break;
      }
    }
  }
  return out;
}

std::string Document::Html() const {
  std::string title;
  std::string body;
  for (const Block& block : blocks_) {
    switch (block.kind) {
      case Block::Kind::kHeading:
        if (title.empty()) title = block.text;
        absl::StrAppend(&body, "<h", block.level, ">", HtmlText(block.text), "</h", block.level, ">\n");
        break;
      case Block::Kind::kText:
        absl::StrAppend(&body, "<p>", HtmlText(block.text), "</p>\n");
        break;
      case Block::Kind::kList:
        body += "<ul>\n";
        for (const std::string& item : block.items) {
          absl::StrAppend(&body, "<li>", HtmlText(item), "</li>\n");
        }
        body += "</ul>\n";
        break;
      case Block::Kind::kTable:
        absl::StrAppend(&body, "<table>\n", HtmlRow("th", block.items));
        for (const auto& row : block.rows) body += HtmlRow("td", row);
        body += "</table>\n";
        break;
      case Block::Kind::kCode:
        absl::StrAppend(&body, "<pre>", HtmlText(block.text, LineEnds::kKeep), "</pre>\n");
        break;
    }
  }
  return absl::StrCat(kHtmlHead, HtmlText(title), kHtmlStyle, body, "</body>\n</html>\n");
}

}  // namespace curlew::cli
