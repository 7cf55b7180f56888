#include "cli/lint_snippet.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace curlew::cli {
namespace {

constexpr int kFirstLines = 3;
constexpr int kBefore = 20;  // columns that stay visible before a caret

// One line, and the bytes of it that carets stand under.
struct Line {
  absl::string_view text;
  int number = 0;
  std::set<size_t> marks;
};

std::vector<Line> LinesToShow(const lint::Finding& finding) {
  std::vector<Line> lines;
  const absl::string_view text = finding.statement;
  std::set<size_t> places;
  for (const lint::Hazard& hazard : finding.report.hazards) {
    places.insert(std::min(static_cast<size_t>(hazard.offset), text.size()));
  }
  size_t begin = 0;
  for (int i = 0; begin <= text.size(); ++i) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    Line line{.text = absl::StripTrailingAsciiWhitespace(text.substr(begin, end - begin)),
              .number = finding.place.line + i};
    for (auto place = places.lower_bound(begin); place != places.end() && *place <= end; ++place)
      line.marks.insert(std::min(*place - begin, line.text.size()));
    if (i < kFirstLines || !line.marks.empty()) lines.push_back(std::move(line));
    begin = end + 1;
    if (i >= kFirstLines) {
      // Straight to the next line with a place: statements may have a million lines.
      const auto next = places.lower_bound(begin);
      if (next == places.end()) break;
      const size_t line_begin = text.rfind('\n', *next == 0 ? 0 : *next - 1) + 1;
      if (line_begin > begin) {
        i += static_cast<int>(std::count(text.begin() + static_cast<long>(begin),
                                         text.begin() + static_cast<long>(line_begin), '\n'));
        begin = line_begin;
      }
    }
  }
  return lines;
}

int WidthTo(absl::string_view text, size_t bytes) { return DisplayWidth(Printable(text.substr(0, bytes))); }

}  // namespace

std::string LintSnippet(const lint::Finding& finding, int width, const Style& style) {
  std::string out;
  const std::vector<Line> lines = LinesToShow(finding);
  const int gutter = static_cast<int>(absl::StrCat(lines.back().number).size());
  int expected = lines.front().number;
  for (Line line : lines) {
    const int room = width - gutter - 3;
    if (line.number != expected)
      absl::StrAppend(&out, Paint(std::string(gutter, '.'), Tone::kFaint, style), "\n");
    expected = line.number + 1;
    std::string lead;
    if (!line.marks.empty() && WidthTo(line.text, *line.marks.begin()) > room - kBefore) {
      size_t cut = *line.marks.begin();
      while (cut > 0 && WidthTo(line.text.substr(cut), *line.marks.begin() - cut) < kBefore) {
        do {
          --cut;
        } while (cut > 0 && (line.text[cut] & 0xC0) == 0x80);
      }
      lead = style.glyphs == Style::Glyphs::kUnicode ? "…" : "...";
      line.text.remove_prefix(cut);
      std::set<size_t> moved;
      for (const size_t mark : line.marks) moved.insert(mark - cut);
      line.marks = std::move(moved);
    }
    // What cannot be seen need not be measured.
    const absl::string_view visible = line.text.substr(0, static_cast<size_t>(room) * 4);
    absl::StrAppend(&out, Paint(absl::StrFormat("%*d | ", gutter, line.number), Tone::kFaint, style),
                    Truncate(lead + Printable(visible), room, style), "\n");
    if (line.marks.empty()) continue;
    std::string carets;
    for (const size_t mark : line.marks) {
      const int column = DisplayWidth(lead) + WidthTo(visible, mark);
      if (mark <= visible.size() && column < room) carets = PadRight(carets, column) + "^";
    }
    absl::StrAppend(&out, Paint(absl::StrCat(std::string(gutter, ' '), " | "), Tone::kFaint, style),
                    Paint(carets, Tone::kBad, style), "\n");
  }
  return out;
}

}  // namespace curlew::cli
