#include "common/lint/lint_script.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/utf8.h"
#include "common/lint/allow.h"
#include "common/lint/hazards.h"

namespace curlew::lint {
namespace {

using sql::ScriptComment;
using sql::ScriptError;
using sql::ScriptStatement;

// A comment that allows something.
struct Given {
  Allow allow;
  std::string text;
  sql::Place place;
  bool after_code = false;
  std::set<std::string> used;
};

bool Has(const Finding& finding, absl::string_view code) {
  return std::any_of(finding.report.hazards.begin(), finding.report.hazards.end(),
                     [&](const Hazard& hazard) { return hazard.code == code; });
}

Hazard HazardOf(const ScriptError& error) {
  using Kind = ScriptError::Kind;
  Hazard hazard;
  const bool psql = error.kind == Kind::kPsql || error.kind == Kind::kPsqlDisplay;
  hazard.code = std::string(error.kind == Kind::kEncoding ? kEncoding : psql ? kPsqlCommand : kSyntaxError);
  hazard.severity = error.kind == Kind::kPsqlDisplay ? Severity::kWarning : Severity::kError;
  hazard.message = error.message;
  // What is wrong may be the word behind the piece: then its end tells where.
  hazard.offset = static_cast<int>(std::min(error.place.offset - error.begin.offset, error.text.size()));
  return hazard;
}

// Holds one finding back, because a comment behind it in its last line may belong to it.
class Script {
 public:
  Script(absl::string_view file, const ScriptJudge& judge, const FindingSink& sink)
      : file_(file), judge_(judge), sink_(sink) {}

  void Comment(const ScriptComment& comment) {
    std::optional<Allow> allow = ParseAllow(comment.text);
    if (!allow.has_value()) return;
    Given given{std::move(*allow), std::string(comment.text), comment.place, comment.after_code, {}};
    Check(given);
    if (given.allow.reason.empty() || given.allow.hazards.empty()) return;
    (given.allow.scope == Allow::Scope::kFile ? file_wide_ : waiting_).push_back(std::move(given));
  }

  void Statement(const ScriptStatement& statement) {
    Finding finding = Make(Finding::Kind::kStatement, statement.text, statement.place);
    finding.report = judge_.lint(statement.tree, statement.text);
    if (judge_.operation) AddOperations(statement.text, &finding.report.hazards);
    Next(std::move(finding));
  }

  // The operations that say the statement, for the hazards that they are without.
  void AddOperations(absl::string_view statement, std::vector<Hazard>* hazards) {
    const auto avoidable = [](const Hazard& h) {
      return h.operation.empty() && h.code != "fails" && h.code != "no-lock-timeout";
    };
    if (std::none_of(hazards->begin(), hazards->end(), avoidable)) return;
    const std::string operation = judge_.operation(statement);
    for (Hazard& hazard : *hazards) {
      if (avoidable(hazard)) hazard.operation = operation;
    }
  }

  void Error(const ScriptError& error) {
    constexpr size_t kLongest = 2000;  // of what is no statement nobody needs all
    Finding finding = Make(Finding::Kind::kUnread, base::Utf8Prefix(error.text, kLongest), error.begin);
    finding.report.hazards.push_back(HazardOf(error));
    Next(std::move(finding));
  }

  void End() {
    TakeWaitingBehind(std::string::npos);
    Flush();
    for (const Given& given : waiting_) TellUnused(given, "no statement follows it");
    for (const Given& given : file_wide_) TellUnused(given, "no statement behind it has that hazard");
    for (Finding& comment : comments_) sink_(std::move(comment));
  }

 private:
  Finding Make(Finding::Kind kind, absl::string_view text, sql::Place place) const {
    Finding finding;
    finding.kind = kind;
    finding.file = file_;
    finding.statement = std::string(text);
    finding.place = place;
    return finding;
  }

  void Tell(const Given& given, absl::string_view code, std::string message) {
    Finding finding = Make(Finding::Kind::kComment, given.text, given.place);
    Hazard hazard;
    hazard.code = std::string(code);
    hazard.severity = Severity::kWarning;
    hazard.message = std::move(message);
    finding.report.hazards.push_back(std::move(hazard));
    comments_.push_back(std::move(finding));
  }

  void Check(Given& given) {
    if (given.allow.hazards.empty()) {
      Tell(given, kAllowUnknown, "names no hazard; write -- curlew:allow HAZARD REASON");
    } else if (given.allow.reason.empty()) {
      Tell(given, kAllowWithoutReason,
           "gives no reason, and so allows nothing; write -- curlew:allow HAZARD REASON");
    }
    std::erase_if(given.allow.hazards, [&](const std::string& code) {
      if (FindHazard(code) != nullptr) return false;
      std::string known;
      for (const HazardInfo& info : HazardInfos())
        absl::StrAppend(&known, known.empty() ? "" : ", ", info.code);
      Tell(given, kAllowUnknown, absl::StrCat("there is no hazard \"", code, "\"; there are ", known));
      return true;
    });
  }

  void TellUnused(const Given& given, absl::string_view why) {
    for (const std::string& code : given.allow.hazards) {
      if (given.used.count(code) == 0) {
        Tell(given, kAllowUnused, absl::StrCat("allows ", code, ", but ", why, "; take it out"));
      }
    }
  }

  static void Apply(Given& given, Finding& finding) {
    for (const std::string& code : given.allow.hazards) {
      if (!Has(finding, code)) continue;
      finding.allowed.emplace(code, given.allow.reason);
      given.used.insert(code);
    }
  }

  // Comments behind the held finding, in its last line and before byte `next`, are about it.
  void TakeWaitingBehind(size_t next) {
    if (!held_.has_value()) return;
    const int last_line = held_->place.line + static_cast<int>(std::count(held_->statement.begin(),
                                                                          held_->statement.end(), '\n'));
    std::erase_if(waiting_, [&](Given& given) {
      if (!given.after_code || given.place.line != last_line || given.place.offset > next) return false;
      Apply(given, *held_);
      TellUnused(given, "the statement has no such hazard");
      return true;
    });
  }

  void Next(Finding finding) {
    TakeWaitingBehind(finding.place.offset);
    Flush();
    for (Given& given : file_wide_) Apply(given, finding);
    for (Given& given : waiting_) Apply(given, finding);
    if (finding.kind == Finding::Kind::kStatement) {
      for (const Given& given : waiting_) TellUnused(given, "the statement has no such hazard");
      waiting_.clear();
    } else {
      // A command of psql between the comment and the statement takes only what names it.
      std::erase_if(waiting_,
                    [](const Given& given) { return given.used.size() == given.allow.hazards.size(); });
    }
    held_ = std::move(finding);
  }

  void Flush() {
    if (held_.has_value()) sink_(std::move(*held_));
    held_.reset();
    for (Finding& comment : std::exchange(comments_, {})) sink_(std::move(comment));
  }

  const std::string file_;
  const ScriptJudge& judge_;
  const FindingSink& sink_;
  std::optional<Finding> held_;
  std::vector<Given> waiting_, file_wide_;
  std::vector<Finding> comments_;
};

}  // namespace

void LintScript(absl::string_view text, absl::string_view file, const ScriptJudge& judge,
                const FindingSink& sink) {
  Script script(file, judge, sink);
  sql::ReadScript(text, {.statement = [&](const ScriptStatement& s) { script.Statement(s); },
                         .comment = [&](const ScriptComment& c) { script.Comment(c); },
                         .error = [&](const ScriptError& e) { script.Error(e); }});
  script.End();
}

}  // namespace curlew::lint
