#include "tests/simulation/database.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/executor/step_runner.h"

namespace curlew::simulation {
namespace {

bool MustBeUndone(const v1::Step& step) { return step.has_undo(); }

const char* Verb(v1::Direction direction) { return direction == v1::DIRECTION_DO ? "do" : "undo"; }

}  // namespace

void Database::Crash() {
  up_ = false;
  ++connections_;
  open_.clear();
}

bool Database::GoBack(absl::Duration now) {
  if (!snapshot_.has_value()) return false;
  state_ = *std::exchange(snapshot_, std::nullopt);
  state_.tenure.timeline = ++timelines_;
  open_.clear();
  went_back_ = now;
  return true;
}

Tenure Database::TakeOver(const std::string& instance) {
  ++state_.tenure.epoch;
  state_.tenure.instance = instance;
  if (mutations_->no_epoch_check) return state_.tenure;
  for (const auto& [transaction, tenure] : open_) ended_by_takeover_.insert(transaction);
  open_.clear();
  return state_.tenure;
}

bool Database::StillMine(const Tenure& tenure) const {
  const Tenure& now = state_.tenure;
  return now.epoch == tenure.epoch && now.instance == tenure.instance && now.timeline == tenure.timeline;
}

bool Database::Fenced(const Tenure& tenure, const char* what) {
  if (tenure.epoch == state_.tenure.epoch) return false;
  if (mutations_->no_epoch_check) return false;
  ++story_->figures.fenced_in_db;
  (void)what;
  return true;
}

absl::StatusOr<agent::Admission> Database::Admit(const v1::Dispatch& dispatch, const Tenure& tenure) {
  auto found = state_.runs.find(dispatch.run());
  if (found == state_.runs.end()) {
    if (!dispatch.has_compiled_plan()) {
      return agent::Admission(
          agent::Refusal{.reason = v1::NACK_REASON_NEED_PLAN, .message = "no plan is pinned"});
    }
    if (Fenced(tenure, "pin")) return absl::AbortedError("fenced");
    found = state_.runs.emplace(dispatch.run(), Run()).first;
    found->second.compiled = dispatch.compiled_plan();
    found->second.digest = dispatch.compiled_digest();
  }
  const Run& run = found->second;
  if (run.digest != dispatch.compiled_digest()) {
    return agent::Admission(
        agent::Refusal{.reason = v1::NACK_REASON_INVALID, .message = "another plan is pinned"});
  }
  std::vector<agent::StepRecord> records;
  for (const auto& [key, record] : run.records) records.push_back(record);
  agent::Admission admission = agent::Judge(run.compiled, records, dispatch);
  if (mutations_->no_journal_check && std::holds_alternative<agent::AlreadyDone>(admission)) {
    for (const v1::Step& step : run.compiled.steps()) {
      if (step.key() == dispatch.step()) admission = agent::Admitted{.step = step};
    }
  }
  return admission;
}

std::vector<v1::RunJournal> Database::Journal() const {
  std::vector<v1::RunJournal> journal;
  for (const auto& [name, run] : state_.runs) {
    v1::RunJournal& entry = journal.emplace_back();
    entry.set_run(name);
    entry.set_compiled_digest(run.digest);
    for (const auto& [key, record] : run.records) {
      if (!record.succeeded || record.step == agent::kRollbackGate) continue;
      *(record.direction == v1::DIRECTION_DO ? entry.add_done() : entry.add_undone()) = record.step;
    }
  }
  return journal;
}

absl::StatusOr<Database::Begun> Database::Begin(const Tenure& tenure, int connections, const Work& work) {
  if (connections != connections_) return absl::UnavailableError("the connection is broken");
  if (Fenced(tenure, "begin")) return absl::AbortedError("fenced");
  Begun begun{.transaction = next_transaction_++};
  open_[begun.transaction] = tenure;
  if (const auto run = state_.runs.find(work.run); run != state_.runs.end()) {
    const auto part = run->second.next_part.find({work.step.key(), work.direction});
    if (part != run->second.next_part.end()) begun.next_part = part->second;
  }
  return begun;
}

absl::Status Database::Commit(int64_t transaction, const Work& work) {
  const auto open = open_.find(transaction);
  if (open == open_.end()) {
    story_->figures.fenced_in_db += ended_by_takeover_.erase(transaction);
    return absl::UnavailableError("the backend was ended");
  }
  const Tenure tenure = open->second;
  open_.erase(open);
  Apply(tenure, work);
  return absl::OkStatus();
}

absl::Status Database::DoOutside(const Tenure& tenure, int connections, const Work& work) {
  if (connections != connections_) return absl::UnavailableError("the connection is broken");
  if (Fenced(tenure, "concurrently")) return absl::AbortedError("fenced");
  if (tenure.epoch != state_.tenure.epoch) {
    story_->Violate(absl::StrCat(target_, ": CONCURRENTLY of ", work.step.key(), " under epoch ",
                                 tenure.epoch, ", it is ", state_.tenure.epoch));
  }
  Run& run = state_.runs[work.run];
  // The catalogue decides: what is there already is not built a second time.
  const bool wanted = work.direction == v1::DIRECTION_DO;
  const auto there = run.there.find(work.step.key());
  if (there != run.there.end() && there->second == wanted) return absl::OkStatus();
  Count(run, work, 0);
  run.there[work.step.key()] = wanted;
  return absl::OkStatus();
}

void Database::Count(Run& run, const Work& work, int part) {
  const int times = ++run.effects[{work.step.key(), work.direction, part}];
  if (times <= 1) return;
  story_->Violate(absl::StrCat(target_, ": ", Verb(work.direction), " of ", work.step.key(), " (part ", part,
                               ") of ", work.run, " was done ", times, " times, now by attempt ",
                               work.attempt));
}

void Database::Apply(const Tenure& tenure, const Work& work) {
  ++story_->figures.commits;
  const auto violate = [&](absl::string_view what) {
    story_->Violate(absl::StrCat(target_, ": attempt ", work.attempt, " at ", work.step.key(), " of ",
                                 work.run, ": ", what));
  };
  if (tenure.epoch != state_.tenure.epoch) {
    violate(absl::StrCat("committed under epoch ", tenure.epoch, " though it is ", state_.tenure.epoch));
  }
  Run& run = state_.runs[work.run];
  const StepKey key{work.step.key(), work.direction};
  agent::StepRecord& record = run.records[key];
  record.step = work.step.key();
  record.direction = work.direction;
  if (work.step.key() == agent::kRollbackGate) {
    record.succeeded = true;
    return;
  }
  // Order, by the journal alone.
  bool after = false;
  for (const v1::Step& step : run.compiled.steps()) {
    if (step.key() == work.step.key()) {
      after = true;
      continue;
    }
    const auto done = run.records.find({step.key(), v1::DIRECTION_DO});
    const auto undone = run.records.find({step.key(), v1::DIRECTION_UNDO});
    const bool is_done = done != run.records.end() && done->second.succeeded;
    const bool is_undone = undone != run.records.end() && undone->second.succeeded;
    if (work.direction == v1::DIRECTION_DO) {
      if (!after && !is_done) violate(absl::StrCat("done before ", step.key()));
      if (is_undone) violate(absl::StrCat("done after the undo of ", step.key()));
    } else if (after && MustBeUndone(step) && is_done && !is_undone) {
      violate(absl::StrCat("undone before ", step.key()));
    }
  }
  if (work.direction == v1::DIRECTION_DO) {
    if (const std::string why = permission_(work.run, work.step); !why.empty()) violate(why);
  }
  const bool outside = work.step.action().has_execute_sql_concurrently();
  switch (work.kind) {
    case Work::kIntent:
      return;
    case Work::kPart:
      Count(run, work, work.part);
      run.next_part[key] = work.part + 1;
      run.there[work.step.key()] = work.direction == v1::DIRECTION_DO;
      return;
    case Work::kStep:
      Count(run, work, -1);
      record.succeeded = true;
      if (!outside) run.there[work.step.key()] = work.direction == v1::DIRECTION_DO;
      if (IsDone(work.run)) ever_done_.insert(work.run);
      return;
  }
}

bool Database::IsDone(const std::string& name) const {
  const auto run = state_.runs.find(name);
  if (run == state_.runs.end()) return false;
  return std::all_of(run->second.compiled.steps().begin(), run->second.compiled.steps().end(),
                     [&](const v1::Step& step) {
                       const auto done = run->second.records.find({step.key(), v1::DIRECTION_DO});
                       return done != run->second.records.end() && done->second.succeeded &&
                              run->second.records.count({step.key(), v1::DIRECTION_UNDO}) == 0;
                     });
}

bool Database::IsClean(const std::string& name) const {
  const auto run = state_.runs.find(name);
  if (run == state_.runs.end()) return true;
  return std::none_of(run->second.compiled.steps().begin(), run->second.compiled.steps().end(),
                      [&](const v1::Step& step) {
                        const auto there = run->second.there.find(step.key());
                        return there != run->second.there.end() && there->second && MustBeUndone(step);
                      });
}

}  // namespace curlew::simulation
