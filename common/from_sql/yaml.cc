#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/from_sql/from_sql.h"
#include "common/plan/plan_reader.h"

namespace curlew::from_sql {
namespace {

// A comment of YAML: one line, nothing that a terminal or a reader could stumble over.
void AppendComment(absl::string_view text, absl::string_view indent, std::string* out) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(out, indent, "# ");
    for (char c : line) {
      if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) out->push_back(c);
    }
    out->push_back('\n');
  }
}

// What a hazard means, in a few words.
absl::string_view Meaning(absl::string_view hazard) {
  if (hazard == "rewrites-table")
    return "the table is written anew under a lock that stops readers and writers";
  if (hazard == "scans-under-lock") return "the whole table is read under a lock";
  if (hazard == "blocks-writes") return "writers wait until it is done";
  if (hazard == "unbatched-data") return "rows are written in one go";
  if (hazard == "breaks-applications")
    return "something that applications use goes, or gets another name or meaning";
  if (hazard == "unknown-effect") return "the statement alone does not tell what it does";
  if (hazard == "published-table") return "the table is published: add the columns on every subscriber first";
  return "accepted";
}

// "- add_column:" and what belongs to it, two columns in.
std::string Item(const v1::Operation& operation) {
  std::string item;
  for (absl::string_view line : absl::StrSplit(plan::ToYaml(operation), '\n')) {
    if (line.empty() && item.empty()) continue;
    absl::StrAppend(&item, line.empty() ? "" : item.empty() ? "  - " : "    ", line, "\n");
  }
  while (absl::EndsWith(item, "\n\n")) item.pop_back();
  return item;
}

}  // namespace

std::string ToYaml(const Conversion& conversion) {
  std::string out;
  std::vector<std::string> files;
  for (const Origin& origin : conversion.origins) {
    const std::string file = origin.place.substr(0, origin.place.find(':'));
    if (std::count(files.begin(), files.end(), file) == 0) files.push_back(file);
  }
  AppendComment(
      absl::StrCat("Made by `curlew plan from-sql` from ", absl::StrJoin(files, ", "),
                   conversion.knew_database ? ", for a database that was looked at."
                                            : ", from the text alone; with --database it knows more."),
      "", &out);
  AppendComment(
      absl::StrCat(conversion.became_operations, " of ", conversion.statements,
                   " statements became operations. Review the plan, then `curlew plan explain` it."),
      "", &out);
  for (const std::string& line : conversion.left_out)
    AppendComment(absl::StrCat("Left out: ", line), "", &out);
  v1::Plan head;
  head.set_name(conversion.plan.name());
  absl::StrAppend(&out, plan::ToYaml(head), "operations:\n");
  for (int i = 0; i < conversion.plan.operations_size(); ++i) {
    const Origin& origin = conversion.origins[i];
    AppendComment(absl::StrCat(origin.place, ": ", origin.statement), "  ", &out);
    if (!origin.why.empty()) AppendComment(absl::StrCat("sql, because ", origin.why), "  ", &out);
    for (const std::string& note : origin.notes) AppendComment(note, "  ", &out);
    out += Item(conversion.plan.operations(i));
  }
  if (conversion.hazards.empty()) return out;
  out += "settings:\n  acknowledge:\n";
  for (const auto& [hazard, operations] : conversion.hazards) {
    for (int i : operations) {
      AppendComment(absl::StrCat(conversion.origins[i].place, ": ", conversion.origins[i].statement, ": ",
                                 Meaning(hazard)),
                    "    ", &out);
    }
    absl::StrAppend(&out, "    - ", hazard, "\n");
  }
  return out;
}

}  // namespace curlew::from_sql
