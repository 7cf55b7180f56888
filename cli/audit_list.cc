#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/units.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::cli {
namespace {

constexpr int kPage = 1000;

struct Options {
  int64_t after = -1;
  int32_t limit = 50;
  std::string output = "table";
};

// The entries that are asked for, and the head.
absl::StatusOr<v1::ListAuditEntriesResponse> List(Context& context, const Options& options) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  v1::ListAuditEntriesRequest request;
  request.set_page_size(1);
  if (options.after < 0) {
    ASSIGN_OR_RETURN(const v1::ListAuditEntriesResponse first,
                     client->Call(&v1::AuditService::Stub::ListAuditEntries, request));
    request.set_after(std::max<int64_t>(0, first.head().number() - options.limit));
  } else {
    request.set_after(options.after);
  }
  v1::ListAuditEntriesResponse all;
  while (all.entries_size() < options.limit) {
    request.set_page_size(std::min(kPage, options.limit - all.entries_size()));
    ASSIGN_OR_RETURN(v1::ListAuditEntriesResponse page,
                     client->Call(&v1::AuditService::Stub::ListAuditEntries, request));
    *all.mutable_head() = page.head();
    if (page.entries().empty()) break;
    request.set_after(page.entries().rbegin()->number());
    all.mutable_entries()->MergeFrom(page.entries());
  }
  return all;
}

// Why, and what else was kept: "old app is gone (gate=staging/before-drop)".
std::string About(const v1::AuditEntry& entry) {
  std::vector<std::string> details;
  for (const auto& [key, value] :
       std::map<std::string, std::string>(entry.details().begin(), entry.details().end())) {
    details.push_back(absl::StrCat(key, "=", value));
  }
  std::string about = entry.reason();
  if (!details.empty()) {
    absl::StrAppend(&about, about.empty() ? "" : " ", "(", absl::StrJoin(details, ", "), ")");
  }
  return about.empty() ? "-" : Printable(about);
}

void Print(Context& context, const v1::ListAuditEntriesResponse& list) {
  if (list.entries().empty()) {
    context.out << "No entries; the newest is " << list.head().number() << "\n";
    return;
  }
  Table table({">NUMBER", "TIME", "ACTOR", "ACTION", "RESOURCE", "WHY"});
  for (const v1::AuditEntry& entry : list.entries()) {
    table.AddRow({absl::StrCat(entry.number()), ShortTime(base::FromProto(entry.time()), context.zone),
                  entry.actor().empty() ? "-" : Printable(entry.actor()), Printable(entry.action()),
                  Printable(entry.resource()), About(entry)});
  }
  context.out << table.Render(context.terminal.style, context.width());
  if (const int64_t left = list.head().number() - list.entries().rbegin()->number(); left > 0) {
    context.out << "\n"
                << FormatCount(left) << " more: curlew audit list --after "
                << list.entries().rbegin()->number() << "\n";
  }
}

}  // namespace

void AddAuditList(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "list", "List what somebody changed, the newest last",
      "Every accepted request that changes something: plans, environments, baselines, and each word "
      "of an operator about a rollout, with who asked and why. It only lists: curlew audit verify "
      "says whether the log is whole.",
      "# The newest entries\n"
      "curlew audit list\n"
      "# All that came after entry 412\n"
      "curlew audit list --after 412 -n 100000\n"
      "# Who approved what\n"
      "curlew audit list --after 0 -n 100000 -o json | jq -r '.entries[] | select(.action == "
      "\"rollout.approve\") | [.time, .actor, .resource, .details.gate] | @tsv'"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options]() -> absl::StatusOr<ExitCode> {
    ASSIGN_OR_RETURN(const v1::ListAuditEntriesResponse list, List(context, *options));
    if (options->output != "table") {
      context.out << Structured(list, options->output);
    } else {
      Print(context, list);
    }
    return ExitCode::kOk;
  });
  verb->add_option("--after", options->after, "Only entries after this number; default: the newest")
      ->type_name("NUMBER")
      ->check(CLI::NonNegativeNumber);
  AddNumber(*verb, "-n,--limit", 1, 1'000'000, options->limit, "At most so many");
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
