#include "agent/backfill/range_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/attempt/leaves.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

constexpr absl::Duration kFirstReturn = absl::Milliseconds(50);
constexpr absl::Duration kLongestReturn = absl::Seconds(2);

absl::Duration ReturnAfter(int tries) {
  return std::min(kLongestReturn, kFirstReturn * (1 << std::clamp(tries - 1, 0, 10)));
}

// Blocks of a range that are not behind the walk, passes counted in parts.
double BlocksLeft(const WalkRange& range, const Walker& walker) {
  if (range.single) return 0;
  const double whole = walker.Blocks(range.first, range.last);
  const double here = walker.Blocks(range.first, range.next);
  return whole - (whole * range.pass + here) / std::max(range.passes, 1);
}

}  // namespace

RangeQueue::RangeQueue(const RunContext& context, const RowWork& work, Options options)
    : context_(context), work_(work), options_(options) {}

absl::Status RangeQueue::Load(pg::Connection* connection, Begin begin) {
  const StepAttempt& attempt = context_.attempt;
  ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, ListLeaves(connection, work_.table()));
  {
    absl::MutexLock lock(&mutex_);
    leaf_count_ = static_cast<int>(leaves.size());
  }
  // Each is begun when its turn has come, whatever the journal says.
  if (begin == Begin::kAnew) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<WalkedLeaf> walked,
                   ReadWalkedLeaves(connection, attempt.run, attempt.step));
  ASSIGN_OR_RETURN(const std::vector<WalkRange> ranges,
                   ReadOpenRanges(connection, attempt.run, attempt.step));
  std::map<uint32_t, State> states;
  for (const WalkedLeaf& known : walked) {
    const auto leaf = std::find_if(leaves.begin(), leaves.end(),
                                   [&](const Leaf& other) { return other.oid == known.leaf; });
    State state{.walked = known};
    if (leaf != leaves.end()) {
      ASSIGN_OR_RETURN(state.walk, PlanLeaf(connection, *leaf, work_, known.by_key));
      state.walked.leaf_name = leaf->name;
    } else {
      // It has gone: what was written in it counts, and nothing is left to do.
      state.walked.claimed = state.walked.bound;
    }
    states.emplace(known.leaf, std::move(state));
  }
  absl::MutexLock lock(&mutex_);
  states_ = std::move(states);
  for (const WalkRange& range : ranges) {
    const auto state = states_.find(range.leaf);
    if (state == states_.end() || state->second.walk == nullptr) continue;
    WalkRange& live = live_.emplace(range.id, range).first->second;
    live.restarts = state->second.walked.restarts;
    if (range.aside) {
      aside_.push_back({live, absl::InfinitePast()});
    } else {
      open_.push_back(range.id);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> RangeQueue::Start(pg::Connection* connection, const Leaf& leaf) {
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection, context_.attempt.fence(), {}));
  // The lock keeps name, file and size together.
  const absl::Status locked =
      transaction.Execute(absl::StrCat("LOCK TABLE ONLY ", leaf.name, " IN ACCESS SHARE MODE")).status();
  if (absl::IsNotFound(locked)) return false;
  RETURN_IF_ERROR(locked);
  ASSIGN_OR_RETURN(const pg::Result same, transaction.Execute("SELECT to_regclass($1) = $2::oid",
                                                              {leaf.name, absl::StrCat(leaf.oid)}));
  if (!same.Bool(0, 0)) return false;
  ASSIGN_OR_RETURN(std::shared_ptr<const LeafWalk> walk, PlanLeaf(connection, leaf, work_, options_.by_key));
  ASSIGN_OR_RETURN(const Place bound, walk->walker->Bound(connection, leaf));
  RETURN_IF_ERROR(StartLeaf(transaction, context_.attempt, leaf, options_.by_key, bound));
  base::FaultPoint("bound.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  base::FaultPoint("bound.after_commit");
  ASSIGN_OR_RETURN(const std::vector<WalkedLeaf> walked,
                   ReadWalkedLeaves(connection, context_.attempt.run, context_.attempt.step));
  options_.on_anew(leaf.oid);
  absl::MutexLock lock(&mutex_);
  Forget(leaf.oid);
  for (const WalkedLeaf& known : walked) {
    if (known.leaf == leaf.oid) states_[leaf.oid] = State{.walked = known, .walk = std::move(walk)};
  }
  exhausted_ = false;
  ++changes_;
  return true;
}

void RangeQueue::Forget(uint32_t leaf) {
  std::erase_if(aside_, [&](const Aside& aside) { return aside.range.leaf == leaf; });
  std::erase_if(open_, [&](int64_t id) { return live_.at(id).leaf == leaf; });
  std::erase_if(live_, [&](const auto& entry) { return entry.second.leaf == leaf; });
}

std::optional<RangeQueue::Item> RangeQueue::Next() {
  int64_t id = 0;
  if (!open_.empty()) {
    id = open_.front();
    open_.pop_front();
  } else {
    const absl::Time now = absl::Now();
    const auto due = std::find_if(aside_.begin(), aside_.end(), [&](const Aside& a) { return a.due <= now; });
    if (due == aside_.end()) return std::nullopt;
    id = due->range.id;
    aside_.erase(due);
  }
  out_.insert(id);
  const WalkRange& range = live_.at(id);
  return Item{range, states_.at(range.leaf).walk};
}

absl::StatusOr<std::optional<RangeQueue::Item>> RangeQueue::Take(pg::Connection* connection,
                                                                 absl::Duration wait) {
  const absl::Time deadline = absl::Now() + wait;
  while (true) {
    bool exhausted;
    {
      absl::MutexLock lock(&mutex_);
      // New ranges come before those that were put aside: time heals them.
      if (!open_.empty() || exhausted_) {
        if (std::optional<Item> item = Next()) return item;
      }
      exhausted = exhausted_;
      if (FinishedLocked()) return std::optional<Item>();
    }
    if (!exhausted) {
      absl::MutexLock claim(&claim_mutex_);
      ASSIGN_OR_RETURN(std::optional<Item> item, Claim(connection));
      if (item.has_value()) return item;
      continue;
    }
    absl::MutexLock lock(&mutex_);
    const absl::Time now = absl::Now();
    absl::Time until = deadline;
    for (const Aside& aside : aside_)
      until = std::min(until, std::max(aside.due, now + absl::Milliseconds(1)));
    const int64_t seen = changes_;
    const auto changed = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return changes_ != seen; };
    mutex_.AwaitWithDeadline(absl::Condition(&changed), until);
    if (absl::Now() >= deadline) return std::optional<Item>();
  }
}

absl::StatusOr<std::optional<RangeQueue::Item>> RangeQueue::Claim(pg::Connection* connection) {
  WalkedLeaf from;
  std::shared_ptr<const LeafWalk> walk;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [oid, state] : states_) {
      if (state.walk == nullptr || state.walked.handed_out()) continue;
      from = state.walked;
      walk = state.walk;
      break;
    }
  }
  if (walk == nullptr) {
    ASSIGN_OR_RETURN(const bool more, StartNext(connection));
    absl::MutexLock lock(&mutex_);
    exhausted_ = !more;
    ++changes_;
    return std::optional<Item>();
  }
  const int64_t units = walk->walker->RangeUnits(from.blocks, options_.workers, from.claimed, from.bound);
  absl::StatusOr<Place> end = walk->walker->Advance(connection, walk->leaf, from.claimed, from.bound, units);
  if (absl::IsNotFound(end.status())) {
    ASSIGN_OR_RETURN(const bool missing, Missing(connection, walk->leaf));
    if (missing) return std::optional<Item>();
  }
  RETURN_IF_ERROR(end.status());
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection, context_.attempt.fence(), {}));
  ASSIGN_OR_RETURN(const WalkRange range,
                   ClaimRange(transaction, context_.attempt, from, *end, walk->passes, units));
  base::FaultPoint("range.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  base::FaultPoint("range.after_commit");
  absl::MutexLock lock(&mutex_);
  states_.at(from.leaf).walked.claimed = *end;
  live_.emplace(range.id, range);
  out_.insert(range.id);
  return std::optional<Item>(Item{range, std::move(walk)});
}

absl::StatusOr<std::vector<Leaf>> RangeQueue::Fresh(pg::Connection* connection) {
  ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, ListLeaves(connection, work_.table()));
  std::vector<Leaf> fresh;
  absl::MutexLock lock(&mutex_);
  leaf_count_ = static_cast<int>(leaves.size());
  for (const Leaf& leaf : leaves) {
    if (!states_.contains(leaf.oid)) fresh.push_back(leaf);
  }
  return fresh;
}

absl::StatusOr<bool> RangeQueue::StartNext(pg::Connection* connection) {
  ASSIGN_OR_RETURN(const std::vector<Leaf> fresh, Fresh(connection));
  // One at a time: each is begun when its turn has come.
  if (fresh.empty()) return false;
  // Where it has gone meanwhile, the next look does not find it.
  RETURN_IF_ERROR(Start(connection, fresh.front()).status());
  return true;
}

absl::StatusOr<bool> RangeQueue::Refresh(pg::Connection* connection) {
  ASSIGN_OR_RETURN(const std::vector<Leaf> fresh, Fresh(connection));
  if (fresh.empty()) return false;
  absl::MutexLock lock(&mutex_);
  exhausted_ = false;
  return true;
}

absl::StatusOr<bool> RangeQueue::StartRewritten(pg::Connection* connection) {
  ASSIGN_OR_RETURN(const std::vector<uint32_t> leaves,
                   ReadRewrittenLeaves(connection, context_.attempt.run, context_.attempt.step));
  bool any = false;
  for (const uint32_t leaf : leaves) {
    int restarts;
    {
      absl::MutexLock lock(&mutex_);
      const auto state = states_.find(leaf);
      if (state == states_.end() || state->second.walk == nullptr) continue;
      restarts = state->second.walked.restarts;
    }
    RETURN_IF_ERROR(StartAnew(connection, leaf, restarts));
    any = true;
  }
  return any;
}

absl::Status RangeQueue::StartAnew(pg::Connection* connection, uint32_t oid, int restarts) {
  absl::MutexLock claim(&claim_mutex_);
  Leaf leaf;
  {
    absl::MutexLock lock(&mutex_);
    const auto state = states_.find(oid);
    if (state == states_.end() || state->second.walk == nullptr) return absl::OkStatus();
    if (state->second.walked.restarts != restarts) return absl::OkStatus();
    leaf = state->second.walk->leaf;
  }
  ASSIGN_OR_RETURN(const bool begun, Start(connection, leaf));
  return begun ? absl::OkStatus() : Missing(connection, leaf).status();
}

absl::StatusOr<bool> RangeQueue::Missing(pg::Connection* connection, const Leaf& as_it_was) {
  const uint32_t oid = as_it_was.oid;
  ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, ListLeaves(connection, work_.table()));
  const auto leaf = std::find_if(leaves.begin(), leaves.end(), [&](const Leaf& l) { return l.oid == oid; });
  std::shared_ptr<const LeafWalk> walk;
  {
    absl::MutexLock lock(&mutex_);
    const auto state = states_.find(oid);
    if (state == states_.end()) return true;
    if (leaf == leaves.end()) {
      Forget(oid);
      state->second.walk = nullptr;
      state->second.walked.claimed = state->second.walked.bound;
      ++changes_;
      return true;
    }
    if (state->second.walk == nullptr) return true;
    if (leaf->name == as_it_was.name) return false;
    // Another worker has seen it.
    if (state->second.walk->leaf.name == leaf->name) return true;
    auto renamed = std::make_shared<LeafWalk>(*state->second.walk);
    renamed->leaf = *leaf;
    state->second.walk = std::move(renamed);
    state->second.walked.leaf_name = leaf->name;
  }
  return true;
}

void RangeQueue::Count(const WalkRange& range, int64_t rows) {
  WalkedLeaf& walked = states_.at(range.leaf).walked;
  // Who has begun the heap anew since has read them with the journal.
  if (walked.restarts == range.restarts) walked.rows += rows;
}

void RangeQueue::Update(const WalkRange& range, int64_t rows) {
  absl::MutexLock lock(&mutex_);
  Count(range, rows);
  if (const auto live = live_.find(range.id); live != live_.end()) live->second = range;
}

void RangeQueue::Done(const WalkRange& range, int64_t rows) {
  absl::MutexLock lock(&mutex_);
  Count(range, rows);
  live_.erase(range.id);
  out_.erase(range.id);
  ++changes_;
}

void RangeQueue::GiveBack(const WalkRange& range) {
  absl::MutexLock lock(&mutex_);
  ++changes_;
  out_.erase(range.id);
  if (!live_.contains(range.id)) return;  // its heap has gone, or was begun anew
  live_[range.id] = range;
  if (range.aside) {
    aside_.push_back({range, absl::InfinitePast()});
  } else {
    open_.push_front(range.id);
  }
}

void RangeQueue::PutAside(const WalkRange& range) {
  absl::MutexLock lock(&mutex_);
  ++changes_;
  const bool known = out_.erase(range.id) > 0;
  if (known && !live_.contains(range.id)) return;
  const State& state = states_.at(range.leaf);
  if (state.walk == nullptr || state.walked.restarts != range.restarts) return;
  live_[range.id] = range;
  aside_.push_back({range, absl::Now() + ReturnAfter(range.tries)});
}

bool RangeQueue::FinishedLocked() const {
  return exhausted_ && open_.empty() && aside_.empty() && out_.empty();
}

bool RangeQueue::Finished() const {
  absl::MutexLock lock(&mutex_);
  return FinishedLocked();
}

bool RangeQueue::OnlyAside() const {
  absl::MutexLock lock(&mutex_);
  if (!exhausted_ || live_.empty()) return false;
  return std::all_of(live_.begin(), live_.end(), [](const auto& entry) { return entry.second.aside; });
}

void RangeQueue::Wake() {
  absl::MutexLock lock(&mutex_);
  ++changes_;
}

RangeQueue::Totals RangeQueue::totals() const {
  absl::MutexLock lock(&mutex_);
  Totals totals{.leaves_known = static_cast<int>(states_.size()),
                .leaves = std::max(leaf_count_, static_cast<int>(states_.size())),
                .by_key = options_.by_key};
  for (const auto& [oid, state] : states_) {
    totals.rows += state.walked.rows;
    if (state.walk == nullptr) continue;
    totals.blocks_done += state.walk->walker->Blocks("", state.walked.claimed);
    totals.blocks_total += state.walk->walker->Blocks("", state.walked.bound);
  }
  for (const auto& [id, range] : live_) {
    totals.aside += range.aside ? 1 : 0;
    totals.blocks_done -= BlocksLeft(range, *states_.at(range.leaf).walk->walker);
  }
  totals.blocks_done = std::max(totals.blocks_done, 0.0);
  return totals;
}

std::vector<WalkedLeaf> RangeQueue::leaves() const {
  absl::MutexLock lock(&mutex_);
  std::vector<WalkedLeaf> leaves;
  for (const auto& [oid, state] : states_) leaves.push_back(state.walked);
  return leaves;
}

std::vector<std::shared_ptr<const LeafWalk>> RangeQueue::walks() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::shared_ptr<const LeafWalk>> walks;
  for (const auto& [oid, state] : states_) {
    if (state.walk != nullptr) walks.push_back(state.walk);
  }
  return walks;
}

int RangeQueue::restarts(uint32_t leaf) const {
  absl::MutexLock lock(&mutex_);
  const auto state = states_.find(leaf);
  return state == states_.end() ? 0 : state->second.walked.restarts;
}

}  // namespace curlew::agent
