#include "cli/terminal.h"

#include <map>

#include "cli/context.h"
#include "gtest/gtest.h"

namespace curlew::cli {
namespace {

Environment Env(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) {
    const auto it = variables.find(name);
    return it == variables.end() ? std::string() : it->second;
  };
}

TEST(TerminalTest, ColoursAreForScreensWithoutNoColor) {
  const auto colour = [](Terminal::Kind kind, std::map<std::string, std::string> variables) {
    return StyleFor(kind, Env(std::move(variables))).colour;
  };
  EXPECT_EQ(colour(Terminal::Kind::kScreen, {{"TERM", "xterm"}}), Style::Colour::kOn);
  EXPECT_EQ(colour(Terminal::Kind::kPipe, {{"TERM", "xterm"}}), Style::Colour::kOff);
  EXPECT_EQ(colour(Terminal::Kind::kScreen, {{"TERM", "dumb"}}), Style::Colour::kOff);
  EXPECT_EQ(colour(Terminal::Kind::kScreen, {{"TERM", "xterm"}, {"NO_COLOR", "1"}}), Style::Colour::kOff);
}

TEST(TerminalTest, GlyphsFollowTheFirstLocaleThatIsSet) {
  const auto glyphs = [](std::map<std::string, std::string> variables) {
    return StyleFor(Terminal::Kind::kPipe, Env(std::move(variables))).glyphs;
  };
  EXPECT_EQ(glyphs({}), Style::Glyphs::kAscii);
  EXPECT_EQ(glyphs({{"LANG", "de_DE.UTF-8"}}), Style::Glyphs::kUnicode);
  EXPECT_EQ(glyphs({{"LANG", "C.utf8"}}), Style::Glyphs::kUnicode);
  EXPECT_EQ(glyphs({{"LC_ALL", "C"}, {"LANG", "de_DE.UTF-8"}}), Style::Glyphs::kAscii);
}

TEST(TerminalTest, FlagsComeFromTheEnvironment) {
  EXPECT_EQ(DefaultFlags(Env({})).controller, "127.0.0.1:7441");
  EXPECT_FALSE(DefaultFlags(Env({})).actor.empty());
  const GlobalFlags flags = DefaultFlags(Env({{"CURLEW_CONTROLLER", "[::1]:1"}, {"USER", "ann"}}));
  EXPECT_EQ(flags.controller, "[::1]:1");
  EXPECT_EQ(flags.actor, "ann");
}

}  // namespace
}  // namespace curlew::cli
