#include "cli/table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace curlew::cli {
namespace {
constexpr int kGap = 2;
constexpr int kNarrowestLastColumn = 20;
}  // namespace

Table::Table(std::vector<std::string> headings) : headings_(std::move(headings)) {
  for (std::string& heading : headings_) {
    right_.push_back(!heading.empty() && heading[0] == '>');
    if (right_.back()) heading.erase(0, 1);
  }
}

void Table::AddRow(std::vector<std::string> cells) {
  cells.resize(headings_.size());
  rows_.push_back(std::move(cells));
}

std::vector<int> Table::Widths() const {
  std::vector<int> widths;
  for (const std::string& heading : headings_) widths.push_back(DisplayWidth(heading));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  return widths;
}

void Table::AppendRow(const std::vector<std::string>& cells, const std::vector<int>& widths, int width,
                      int indent, std::vector<std::string>& lines) const {
  std::string line(indent, ' ');
  const size_t last = cells.size() - 1;
  for (size_t i = 0; i < last; ++i) {
    absl::StrAppend(&line, right_[i] ? PadLeft(cells[i], widths[i]) : PadRight(cells[i], widths[i]),
                    std::string(kGap, ' '));
  }
  const int start = DisplayWidth(line);
  std::vector<std::string> wrapped = {right_[last] ? PadLeft(cells[last], widths[last]) : cells[last]};
  if (width > 0 && start + DisplayWidth(cells[last]) > width) {
    wrapped = Wrap(cells[last], std::max(width - start, kNarrowestLastColumn));
  }
  for (size_t i = 0; i < wrapped.size(); ++i) {
    std::string text = absl::StrCat(i == 0 ? line : std::string(start, ' '), wrapped[i]);
    absl::StripTrailingAsciiWhitespace(&text);
    lines.push_back(std::move(text));
  }
}

std::vector<std::string> Table::RenderLines(const Style& style) const {
  const std::vector<int> widths = Widths();
  std::vector<std::string> lines;
  AppendRow(headings_, widths, 0, 0, lines);
  lines[0] = Paint(lines[0], Tone::kFaint, style);
  for (const auto& row : rows_) AppendRow(row, widths, 0, 0, lines);
  return lines;
}

std::string Table::Render(const Style& style, int width, int indent) const {
  const std::vector<int> widths = Widths();
  std::vector<std::string> headings;
  AppendRow(headings_, widths, width, indent, headings);
  std::string out;
  for (const std::string& line : headings) absl::StrAppend(&out, Paint(line, Tone::kFaint, style), "\n");
  std::vector<std::string> lines;
  for (const auto& row : rows_) AppendRow(row, widths, width, indent, lines);
  for (const std::string& line : lines) absl::StrAppend(&out, line, "\n");
  return out;
}

}  // namespace curlew::cli
