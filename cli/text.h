// Text on a terminal: widths of UTF-8, padding, cutting, wrapping, colours. Pure functions.
#ifndef CURLEW_CLI_TEXT_H_
#define CURLEW_CLI_TEXT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace curlew::cli {

// How text may look.
struct Style {
  // Whether ANSI colours are used.
  enum class Colour { kOff, kOn } colour = Colour::kOff;
  // Whether characters beyond ASCII are used for bars and ellipses.
  enum class Glyphs { kAscii, kUnicode } glyphs = Glyphs::kAscii;
};

// What a text means; colours follow from it.
enum class Tone { kPlain, kStrong, kFaint, kGood, kBad, kBusy };

// `text` in the colour of `tone`; as it is where the style has no colours.
std::string Paint(absl::string_view text, Tone tone, const Style& style);

// How many columns `text` takes: East Asian wide characters and emoji two, combining marks and ANSI colour
// sequences none. Bytes that are not UTF-8 count one each.
int DisplayWidth(absl::string_view text);

// `text` with control characters (but not line ends, where `lines` are kept) as '?', so that text from
// elsewhere cannot steer the terminal. Tabs become spaces.
enum class LineEnds { kKeep, kFlatten };
std::string Printable(absl::string_view text, LineEnds lines = LineEnds::kFlatten);

// `text` with spaces after (before) it up to `width` columns; as it is where it is wider.
std::string PadRight(absl::string_view text, int width);
std::string PadLeft(absl::string_view text, int width);

// The beginning of `text` that fits into `width` columns, with an ellipsis where something was cut. Colour
// sequences are kept and closed.
std::string Truncate(absl::string_view text, int width, const Style& style);

// `text` in lines of at most `width` columns, broken at spaces; words that are wider stay whole. Line ends in
// `text` are kept. At least one line.
std::vector<std::string> Wrap(absl::string_view text, int width);

// Each line of `text` with `indent` spaces before it.
std::string Indent(absl::string_view text, int indent);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_TEXT_H_
