#include "tests/simulation/story.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace curlew::simulation {
namespace {

constexpr size_t kMostViolations = 20;

uint64_t Mix(uint64_t hash, uint64_t value) { return (hash ^ value) * 1099511628211u; }

void AddAll(const std::map<std::string, int64_t>& from, std::map<std::string, int64_t>* to) {
  for (const auto& [name, count] : from) (*to)[name] += count;
}

std::string Listed(const std::map<std::string, int64_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", name, " ", count);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

void Figures::Add(const Figures& more) {
  seeds += more.seeds;
  events += more.events;
  commits += more.commits;
  fenced_in_db += more.fenced_in_db;
  fenced_in_store += more.fenced_in_store;
  watched += more.watched;
  violations += more.violations;
  AddAll(more.faults, &faults);
  AddAll(more.ends, &ends);
}

std::string Figures::Line() const {
  int64_t total = 0;
  for (const auto& [name, count] : faults) total += count;
  return absl::StrCat("simulation: ", seeds, " seeds, ", events, " events, ", commits, " commits of work, ",
                      total, " faults (", Listed(faults), "), rejected by fencing: ", fenced_in_db,
                      " in databases, ", fenced_in_store, " in the store; ", watched,
                      " events watched; rollouts: ", Listed(ends), "; ", violations, " violations");
}

void Story::Tell(absl::Duration when, std::string what) {
  hash_ = Mix(hash_, static_cast<uint64_t>(absl::ToInt64Nanoseconds(when)));
  for (const char c : what) hash_ = Mix(hash_, static_cast<unsigned char>(c));
  if (what.empty()) return;
  last_.push_back(absl::StrFormat("%11.6f  %s", absl::ToDoubleSeconds(when), what));
  if (last_.size() > keep) last_.pop_front();
}

void Story::Violate(std::string what) {
  ++figures.violations;
  last_.push_back(absl::StrCat("             VIOLATION: ", what));
  if (violations_.size() < kMostViolations) violations_.push_back(std::move(what));
}

}  // namespace curlew::simulation
