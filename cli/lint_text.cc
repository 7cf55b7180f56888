#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/lint_output.h"
#include "cli/lint_snippet.h"

namespace curlew::cli {
namespace {

constexpr int kWidth = 100;

Tone ToneOf(lint::Severity severity) {
  switch (severity) {
    case lint::Severity::kError:
      return Tone::kBad;
    case lint::Severity::kWarning:
      return Tone::kBusy;
    case lint::Severity::kNotice:
      return Tone::kFaint;
  }
  return Tone::kPlain;
}

std::string Count(int n, absl::string_view what) { return absl::StrCat(n, " ", what, n == 1 ? "" : "s"); }

std::string Indented(absl::string_view text, int indent) {
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(absl::StripTrailingAsciiWhitespace(text), '\n')) {
    for (const std::string& part : DisplayWidth(line) > kWidth - indent
                                       ? Wrap(Printable(line), kWidth - indent)
                                       : std::vector<std::string>{Printable(line)}) {
      lines.push_back(part);
    }
  }
  return absl::StrCat(Indent(absl::StrJoin(lines, "\n"), indent), "\n");
}

// SQL, broken so that it can still be copied: comments stay comments.
std::string SqlLines(absl::string_view text, int indent) {
  const int width = kWidth - indent;
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(absl::StripTrailingAsciiWhitespace(text), '\n')) {
    if (DisplayWidth(line) <= width) {
      lines.push_back(Printable(line));
      continue;
    }
    const size_t comment = line.rfind("-- ");
    if (comment != absl::string_view::npos) {
      for (const std::string& part : Wrap(Printable(line.substr(comment + 3)), width - 3))
        lines.push_back(absl::StrCat("-- ", part));
      line = absl::StripTrailingAsciiWhitespace(line.substr(0, comment));
      if (line.empty()) continue;
    }
    for (std::string& part : Wrap(Printable(line), width)) lines.push_back(std::move(part));
  }
  return absl::StrCat(Indent(absl::StrJoin(lines, "\n"), indent), "\n");
}

// Who waits, and what it costs.
std::string Effect(const lint::Report& report) {
  std::vector<std::string> parts;
  parts.push_back(report.blocks_reads    ? "reads and writes wait for it"
                  : report.blocks_writes ? "writes wait for it, reads do not"
                                         : "nobody waits for it");
  if (report.rewrites) parts.push_back("rewrites a table");
  if (report.scans) parts.push_back("reads a whole table");
  if (!report.transactional) parts.push_back("runs outside a transaction only");
  return absl::StrJoin(parts, "; ");
}

class LintText : public LintOutput {
 public:
  LintText(std::ostream& out, const Style& style, LintVerbosity verbosity)
      : out_(out), style_(style), verbosity_(verbosity) {}

  void Add(const lint::Finding& finding) override {
    const bool counts =
        std::any_of(finding.report.hazards.begin(), finding.report.hazards.end(),
                    [&](const auto& hazard) { return AllowedReason(finding, hazard) == nullptr; });
    if (!counts && verbosity_ == LintVerbosity::kHazards) return;
    const sql::Place place = lint::PlaceOf(finding);
    out_ << Paint(absl::StrCat(Printable(finding.file), ":", place.line, ":", place.column), Tone::kStrong,
                  style_)
         << "\n";
    if (!finding.statement.empty()) out_ << Indent(LintSnippet(finding, kWidth - 2, style_), 2);
    if (finding.kind == lint::Finding::Kind::kStatement) Locks(finding.report);
    std::string operation;  // one says the whole statement
    for (const lint::Hazard& hazard : finding.report.hazards) {
      Show(finding, hazard);
      if (AllowedReason(finding, hazard) == nullptr && !hazard.operation.empty())
        operation = hazard.operation;
    }
    if (!operation.empty()) out_ << "  as an operation of a plan:\n" << Indented(operation, 4);
    out_ << "\n";
  }

  void Note(absl::string_view note) override { out_ << Indented(note, 0); }

  void Finish(const LintCounts& counts) override {
    std::vector<std::string> parts = {Count(counts.errors, "error"), Count(counts.warnings, "warning"),
                                      Count(counts.notices, "notice")};
    if (counts.allowed > 0) parts.push_back(absl::StrCat(counts.allowed, " allowed"));
    out_ << Count(counts.statements, "statement") << " in " << Count(counts.files, "file")
         << (counts.unread > 0 ? absl::StrCat(", ", Count(counts.unread, "piece"), " not read") : "") << ": "
         << absl::StrJoin(parts, ", ") << "\n";
  }

 private:
  void Locks(const lint::Report& report) {
    int width = 0;
    for (const lint::RelationLock& lock : report.locks)
      width = std::max(width, DisplayWidth(Printable(lock.relation)));
    width = std::min(width, 50);
    for (const lint::RelationLock& lock : report.locks) {
      out_ << "  locks " << PadRight(Printable(lock.relation), width) << "  " << lint::LockName(lock.mode)
           << (lock.held_before ? Paint("  held since an earlier statement", Tone::kFaint, style_) : "")
           << "\n";
    }
    out_ << Indented(Effect(report), 2);
  }

  void Show(const lint::Finding& finding, const lint::Hazard& hazard) {
    if (const std::string* reason = AllowedReason(finding, hazard)) {
      if (verbosity_ == LintVerbosity::kAll) {
        out_ << "  " << Paint(absl::StrCat("allowed: ", hazard.code), Tone::kFaint, style_) << "\n"
             << Indented(*reason, 4);
      }
      return;
    }
    out_ << "  "
         << Paint(absl::StrCat(lint::SeverityName(hazard.severity), ": ", hazard.code),
                  ToneOf(hazard.severity), style_)
         << "\n"
         << Indented(hazard.message, 4);
    if (!hazard.safe_sql.empty()) out_ << "    safe way:\n" << SqlLines(hazard.safe_sql, 6);
  }

  std::ostream& out_;
  const Style style_;
  const LintVerbosity verbosity_;
};

}  // namespace

std::unique_ptr<LintOutput> MakeLintText(std::ostream& out, const Style& style, LintVerbosity verbosity) {
  return std::make_unique<LintText>(out, style, verbosity);
}

}  // namespace curlew::cli
