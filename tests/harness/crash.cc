#include "tests/harness/crash.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace curlew::testing {

std::string Crash::Text() const {
  const char* in = where == Where::kAfter ? " after " : " in ";
  switch (when) {
    case When::kNever:
      return "never";
    case When::kDo:
      return absl::StrCat("do", in, step);
    case When::kDoThenUndo:
      return absl::StrCat("rollback", in, step);
    case When::kUndo:
      return absl::StrCat("undo", in, step);
    case When::kAnyInstant:
      return absl::StrCat("kill ", absl::ToInt64Milliseconds(delay));
  }
  return "";
}

Crash ParseCrash(const std::string& text) {
  const std::vector<std::string> words = absl::StrSplit(text, ' ', absl::SkipEmpty());
  int64_t milliseconds = 0;
  if (words.size() == 2 && words[0] == "kill" && absl::SimpleAtoi(words[1], &milliseconds)) {
    return {.when = Crash::When::kAnyInstant, .delay = absl::Milliseconds(milliseconds)};
  }
  if (words.size() != 3) return {};
  Crash crash{.where = words[1] == "in" ? Crash::Where::kIn : Crash::Where::kAfter, .step = words[2]};
  if (words[0] == "do") crash.when = Crash::When::kDo;
  if (words[0] == "rollback") crash.when = Crash::When::kDoThenUndo;
  if (words[0] == "undo") crash.when = Crash::When::kUndo;
  return crash;
}

std::vector<Crash> AllCrashes(const v1::CompiledPlan& plan) {
  std::vector<Crash> crashes;
  bool before_gate = true;
  for (const v1::Step& step : plan.steps()) {
    before_gate = before_gate && step.phase() < v1::PHASE_DROP;
    for (Crash::Where where : {Crash::Where::kAfter, Crash::Where::kIn}) {
      crashes.push_back({.when = Crash::When::kDo, .where = where, .step = step.key()});
      if (!before_gate || step.preflight()) continue;
      crashes.push_back({.when = Crash::When::kDoThenUndo, .where = where, .step = step.key()});
      if (step.has_undo())
        crashes.push_back({.when = Crash::When::kUndo, .where = where, .step = step.key()});
    }
  }
  return crashes;
}

}  // namespace curlew::testing
