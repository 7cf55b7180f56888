#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace curlew::cli {
namespace {
constexpr int kDefaultWidth = 80;
}  // namespace

std::string ReadEnvironment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

Style StyleFor(Terminal::Kind kind, const Environment& environment) {
  Style style;
  if (kind == Terminal::Kind::kScreen && environment("NO_COLOR").empty() && environment("TERM") != "dumb") {
    style.colour = Style::Colour::kOn;
  }
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string locale = absl::AsciiStrToLower(environment(name));
    if (locale.empty()) continue;
    if (absl::StrContains(locale, "utf-8") || absl::StrContains(locale, "utf8")) {
      style.glyphs = Style::Glyphs::kUnicode;
    }
    break;
  }
  return style;
}

Terminal DetectTerminal(int fd, const Environment& environment) {
  Terminal terminal;
  terminal.kind = isatty(fd) != 0 ? Terminal::Kind::kScreen : Terminal::Kind::kPipe;
  terminal.style = StyleFor(terminal.kind, environment);
  return terminal;
}

int TerminalWidth(const Terminal& terminal, int fd) {
  if (terminal.kind == Terminal::Kind::kPipe) return 0;
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultWidth;
  return size.ws_col;
}

}  // namespace curlew::cli
