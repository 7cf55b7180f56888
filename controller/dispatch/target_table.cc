#include "controller/dispatch/target_table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"

namespace curlew::dispatch {

void TargetTable::SetEnvironments(std::vector<v1::Environment> environments) {
  environments_ = std::move(environments);
  std::map<std::string, TargetEntry> entries;
  names_.clear();
  for (const v1::Environment& environment : environments_) {
    for (const std::string& target : environment.targets()) {
      names_.push_back(target);
      auto old = entries_.find(target);
      TargetEntry& entry = entries[target];
      if (old != entries_.end()) entry = std::move(old->second);
      entry.environment = environment.name();
      entry.labels.clear();
    }
    for (const v1::TargetLabels& labelled : environment.labels()) {
      for (const std::string& target : labelled.targets()) {
        const auto entry = entries.find(target);
        if (entry == entries.end()) continue;
        for (const auto& [key, value] : labelled.labels()) entry->second.labels[key] = value;
      }
    }
  }
  entries_ = std::move(entries);
}

TargetEntry* TargetTable::Find(const std::string& target) {
  auto it = entries_.find(target);
  return it == entries_.end() ? nullptr : &it->second;
}

v1::Target TargetTable::Describe(const std::string& target) const {
  const TargetEntry& entry = entries_.at(target);
  v1::Target resource;
  resource.set_name(absl::StrCat("targets/", target));
  resource.set_environment(entry.environment);
  resource.set_served(entry.ready);
  resource.set_agent_id(entry.agent_id);
  resource.set_agent_version(entry.agent_version);
  resource.set_requires_signatures(entry.requires_signatures);
  resource.set_epoch(entry.facts.epoch());
  resource.set_server_version_num(entry.facts.server_version_num());
  resource.set_database(entry.facts.database());
  const absl::Time seen = entry.link != nullptr ? entry.link->last_heard() : entry.last_seen;
  if (seen != absl::InfinitePast()) *resource.mutable_last_seen_time() = base::ToProto(seen);
  if (!entry.ready) resource.set_problem(WhyNotServed(target));
  for (const auto& [key, value] : entry.labels) (*resource.mutable_labels())[key] = value;
  resource.set_drift(entry.drift);
  if (entry.drift_time != absl::InfinitePast()) {
    *resource.mutable_drift_time() = base::ToProto(entry.drift_time);
  }
  return resource;
}

std::string TargetTable::WhyNotServed(const std::string& target) const {
  const auto it = entries_.find(target);
  if (it == entries_.end()) {
    return absl::StrCat("target \"", target,
                        "\" is in no environment; add it to one with `curlew env apply -f FILE`");
  }
  const TargetEntry& entry = it->second;
  if (!entry.problem.empty()) return entry.problem;
  if (entry.link != nullptr) {
    return absl::StrCat("agent \"", entry.agent_id, "\" is connected and is preparing the database");
  }
  if (!entry.agent_id.empty()) {
    return absl::StrCat("agent \"", entry.agent_id, "\" is gone; start it again, it resumes by itself");
  }
  return absl::StrCat("no agent serves it; start one with `curlew-agent --target ", target, "=DATABASE`");
}

}  // namespace curlew::dispatch
