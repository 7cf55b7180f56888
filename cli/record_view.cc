#include "cli/record_view.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/names.h"
#include "cli/units.h"
#include "common/base/proto_time.h"

namespace curlew::cli {
namespace {

using base::FromProto;

constexpr int kWidth = 100;

std::string OrDash(const std::string& text) { return text.empty() ? "-" : Printable(text); }

Tone ToneOf(v1::TargetRecordKind kind) {
  switch (kind) {
    case v1::TARGET_RECORD_KIND_SUCCEEDED:
      return Tone::kGood;
    case v1::TARGET_RECORD_KIND_ROLLED_BACK:
      return Tone::kBusy;
    default:
      return Tone::kPlain;
  }
}

// Why, and the labels.
std::string AboutText(const v1::TargetRecord& record) {
  std::vector<std::string> parts;
  if (!record.reason().empty()) parts.push_back(Printable(record.reason()));
  if (!record.labels().empty()) parts.push_back(LabelsText(record.labels()));
  return parts.empty() ? "-" : absl::StrJoin(parts, "; ");
}

void AppendWrapped(absl::string_view text, int indent, std::string& out) {
  for (const std::string& line : Wrap(text, kWidth - indent)) {
    absl::StrAppend(&out, std::string(indent, ' '), line, "\n");
  }
}

}  // namespace

std::string LabelsText(const google::protobuf::Map<std::string, std::string>& labels) {
  const std::map<std::string, std::string> sorted(labels.begin(), labels.end());
  return absl::StrJoin(sorted, ", ", [](std::string* out, const auto& label) {
    absl::StrAppend(out, Printable(label.first), "=", Printable(label.second));
  });
}

Table RecordTable(const google::protobuf::RepeatedPtrField<v1::TargetRecord>& records,
                  const ViewOptions& options) {
  Table table({">#", "WHEN", "WHAT", "PLAN", "ROLLOUT", ">TOOK", "BY", "ABOUT"});
  for (const v1::TargetRecord& record : records) {
    table.AddRow({absl::StrCat(record.number()), ShortTime(FromProto(record.time()), options.zone),
                  Paint(Word(record.kind()), ToneOf(record.kind()), options.style),
                  OrDash(Bare(record.plan())), OrDash(Bare(record.rollout())),
                  record.has_start_time()
                      ? ShortDuration(FromProto(record.time()) - FromProto(record.start_time()))
                      : "-",
                  OrDash(record.actor()), AboutText(record)});
  }
  return table;
}

Table CurrentTable(const google::protobuf::RepeatedPtrField<v1::Target>& targets,
                   const std::map<std::string, v1::TargetRecord>& newest, const ViewOptions& options) {
  Table table({"TARGET", "ENVIRONMENT", "PLAN", "ROLLOUT", "SINCE", "BY", "ABOUT"});
  for (const v1::Target& target : targets) {
    const auto it = newest.find(Bare(target.name()));
    std::vector<std::string> row = {
        Printable(Bare(target.name())), Printable(Bare(target.environment())), "-", "-", "-", "-",
        "nothing is on record"};
    if (it != newest.end()) {
      const v1::TargetRecord& record = it->second;
      const bool baseline = record.kind() == v1::TARGET_RECORD_KIND_BASELINE;
      row[2] = baseline ? "(baseline)" : OrDash(Bare(record.plan()));
      if (record.kind() == v1::TARGET_RECORD_KIND_ROLLED_BACK) absl::StrAppend(&row[2], ", rolled back");
      row[3] = OrDash(Bare(record.rollout()));
      row[4] = FormatAge(FromProto(record.time()), options.now);
      row[5] = OrDash(record.actor());
      row[6] = AboutText(record);
    }
    if (!target.drift().empty()) {
      const std::string drift =
          Paint(absl::StrCat("DRIFT: ", Printable(target.drift())), Tone::kBad, options.style);
      row[6] = row[6] == "-" ? drift : absl::StrCat(drift, "; ", row[6]);
    }
    table.AddRow(std::move(row));
  }
  return table;
}

std::string RenderDrift(const v1::CompareSchemasResponse& response, const Style& style) {
  std::string out;
  int same = 0, differ = 0, unknown = 0;
  for (const v1::SchemaComparison& comparison : response.comparisons()) {
    const std::string target = Printable(comparison.target());
    const std::string reference = Printable(comparison.reference());
    if (!comparison.error().empty()) {
      ++unknown;
      AppendWrapped(absl::StrCat(target, " ", Paint("could not be compared", Tone::kBusy, style), " with ",
                                 reference, ": ", Printable(comparison.error())),
                    0, out);
    } else if (comparison.differences().empty()) {
      ++same;
      absl::StrAppend(&out, target, " is as ", reference, "\n");
    } else {
      ++differ;
      absl::StrAppend(&out, target, " ", Paint("differs", Tone::kBad, style), " from ", reference, ":\n");
      for (const std::string& difference : comparison.differences()) {
        AppendWrapped(Printable(difference), 2, out);
      }
    }
  }
  absl::StrAppend(&out, same, " the same, ", differ, " different, ", unknown, " not compared\n");
  return out;
}

ExitCode DriftOutcome(const v1::CompareSchemasResponse& response) {
  ExitCode outcome = ExitCode::kOk;
  for (const v1::SchemaComparison& comparison : response.comparisons()) {
    if (!comparison.differences().empty()) return ExitCode::kError;
    if (!comparison.error().empty()) outcome = ExitCode::kPrecondition;
  }
  return outcome;
}

}  // namespace curlew::cli
