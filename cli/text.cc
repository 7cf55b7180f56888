#include "cli/text.h"

#include <array>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace curlew::cli {
namespace {

constexpr absl::string_view kResetColour = "\033[0m";

struct Range {
  uint32_t first, last;
};

// Unicode's East Asian Wide and Fullwidth blocks, and emoji, coarsely.
constexpr std::array kWide = {Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},  Range{0x3041, 0xA4CF},
                              Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},  Range{0xFE30, 0xFE6F},
                              Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},  Range{0x1F300, 0x1F64F},
                              Range{0x1F900, 0x1FAFF}, Range{0x20000, 0x3FFFD}};
constexpr std::array kZeroWidth = {Range{0x0300, 0x036F}, Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF},
                                   Range{0x200B, 0x200F}, Range{0x20D0, 0x20FF}, Range{0xFE00, 0xFE0F},
                                   Range{0xFE20, 0xFE2F}};

template <typename Ranges>
bool In(const Ranges& ranges, uint32_t c) {
  for (const Range& range : ranges) {
    if (c >= range.first && c <= range.last) return true;
  }
  return false;
}

// A piece of text: one character, or one colour sequence.
struct Piece {
  absl::string_view bytes;
  int width = 0;
  bool colour = false;
};

// Takes one piece off the front of `text`, which is not empty.
Piece Take(absl::string_view& text) {
  const auto take = [&](size_t n, int width, bool colour = false) {
    Piece piece{text.substr(0, n), width, colour};
    text.remove_prefix(n);
    return piece;
  };
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.size() > 2 && text[0] == '\033' && text[1] == '[') {
    if (const size_t end = text.find('m'); end != text.npos) return take(end + 1, 0, true);
  }
  if (byte(0) < 0x80) return take(1, absl::ascii_iscntrl(byte(0)) ? 0 : 1);
  const size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : byte(0) >= 0xC2 ? 2 : 1;
  if (length == 1 || text.size() < length) return take(1, 1);
  uint32_t c = byte(0) & (0xFF >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return take(1, 1);
    c = c << 6 | (byte(i) & 0x3F);
  }
  return take(length, In(kZeroWidth, c) ? 0 : In(kWide, c) ? 2 : 1);
}

}  // namespace

std::string Paint(absl::string_view text, Tone tone, const Style& style) {
  if (style.colour == Style::Colour::kOff || text.empty()) return std::string(text);
  absl::string_view start;
  switch (tone) {
    case Tone::kPlain:
      return std::string(text);
    case Tone::kStrong:
      start = "\033[1m";
      break;
    case Tone::kFaint:
      start = "\033[2m";
      break;
    case Tone::kGood:
      start = "\033[32m";
      break;
    case Tone::kBad:
      start = "\033[31m";
      break;
    case Tone::kBusy:
      start = "\033[33m";
      break;
  }
  return absl::StrCat(start, text, kResetColour);
}

int DisplayWidth(absl::string_view text) {
  int width = 0;
  while (!text.empty()) width += Take(text).width;
  return width;
}

std::string Printable(absl::string_view text, LineEnds lines) {
  std::string out;
  while (!text.empty()) {
    // Colour sequences in foreign text are no colours: look at its bytes.
    if (absl::ascii_iscntrl(static_cast<unsigned char>(text[0]))) {
      const char c = text[0];
      text.remove_prefix(1);
      if (c == '\n' && lines == LineEnds::kKeep) {
        out += '\n';
      } else {
        out += (c == '\n' || c == '\t') ? ' ' : '?';
      }
      continue;
    }
    const absl::string_view bytes = Take(text).bytes;
    // U+0080 to U+009F steer terminals as well.
    const bool steers =
        bytes.size() == 2 && bytes[0] == '\xC2' && static_cast<unsigned char>(bytes[1]) < 0xA0;
    const bool broken = bytes.size() == 1 && static_cast<unsigned char>(bytes[0]) >= 0x80;
    absl::StrAppend(&out, (steers || broken) ? absl::string_view("?") : bytes);
  }
  return out;
}

std::string PadRight(absl::string_view text, int width) {
  const int missing = width - DisplayWidth(text);
  return missing <= 0 ? std::string(text) : absl::StrCat(text, std::string(missing, ' '));
}

std::string PadLeft(absl::string_view text, int width) {
  const int missing = width - DisplayWidth(text);
  return missing <= 0 ? std::string(text) : absl::StrCat(std::string(missing, ' '), text);
}

std::string Truncate(absl::string_view text, int width, const Style& style) {
  if (DisplayWidth(text) <= width) return std::string(text);
  const absl::string_view ellipsis = style.glyphs == Style::Glyphs::kUnicode ? "…" : "...";
  const int room = width - DisplayWidth(ellipsis);
  if (room < 0) return std::string(std::max(width, 0), '.');
  std::string out;
  bool coloured = false;
  for (int used = 0; !text.empty();) {
    const Piece piece = Take(text);
    if (used + piece.width > room) break;
    used += piece.width;
    absl::StrAppend(&out, piece.bytes);
    if (piece.colour) coloured = piece.bytes != kResetColour;
  }
  return absl::StrCat(out, ellipsis, coloured ? kResetColour : "");
}

std::vector<std::string> Wrap(absl::string_view text, int width) {
  std::vector<std::string> lines;
  for (absl::string_view paragraph : absl::StrSplit(text, '\n')) {
    std::string line;
    int used = 0;
    for (absl::string_view word : absl::StrSplit(paragraph, ' ', absl::SkipEmpty())) {
      const int word_width = DisplayWidth(word);
      if (used > 0 && used + 1 + word_width > width) {
        lines.push_back(std::move(line));
        line.clear();
        used = 0;
      }
      absl::StrAppend(&line, used > 0 ? " " : "", word);
      used += (used > 0 ? 1 : 0) + word_width;
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string Indent(absl::string_view text, int indent) {
  std::string out;
  const std::string spaces(indent, ' ');
  bool first = true;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(&out, first ? "" : "\n", line.empty() ? "" : spaces, line);
    first = false;
  }
  return out;
}

}  // namespace curlew::cli
