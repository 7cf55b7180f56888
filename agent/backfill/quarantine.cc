#include "agent/backfill/quarantine.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/attempt/row_finder.h"
#include "common/base/error_detail.h"
#include "common/base/own_sqlstate.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

constexpr absl::Duration kRowLockTimeout = absl::Milliseconds(500);
constexpr int kDefaultLimit = 100;
constexpr size_t kMostKeys = 10;

bool Blames(const absl::Status& status) {
  return !status.ok() && !absl::IsCancelled(status) && pg::BlameFor(status) == pg::Blame::kWork;
}

int64_t LimitOf(const v1::BackfillSettings& settings) {
  return settings.row_error_limit() > 0 ? settings.row_error_limit() : kDefaultLimit;
}

}  // namespace

absl::Status Quarantine::Load(pg::Connection* connection) {
  ASSIGN_OR_RETURN(std::vector<QuarantinedRow> rows,
                   ReadQuarantine(connection, context_.attempt.run, context_.attempt.step));
  absl::MutexLock lock(&mutex_);
  rows_ = std::move(rows);
  return absl::OkStatus();
}

void Quarantine::Forget(uint32_t leaf) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(rows_, [&](const QuarantinedRow& row) { return row.leaf == leaf; });
}

int64_t Quarantine::size() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int64_t>(rows_.size());
}

int64_t Quarantine::CountIn(uint32_t leaf) const {
  absl::MutexLock lock(&mutex_);
  return std::count_if(rows_.begin(), rows_.end(), [&](const auto& row) { return row.leaf == leaf; });
}

std::string Quarantine::Excluding(const LeafWalk& walk) const {
  std::vector<Place> places;
  absl::MutexLock lock(&mutex_);
  for (const QuarantinedRow& row : rows_) {
    if (row.leaf == walk.leaf.oid) places.push_back(row.place);
  }
  return places.empty() ? "" : absl::StrCat(" AND ", walk.walker->Excluding(places));
}

absl::StatusOr<FencedTransaction> Quarantine::Begin(pg::Connection* connection, const LeafWalk& walk,
                                                    ActingRoles* roles, std::string* role) const {
  ASSIGN_OR_RETURN(*roles, ActingRoles::Of(connection));
  ASSIGN_OR_RETURN(*role, RoleForRows(*roles, connection, work_, walk.leaf));
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection, context_.attempt.fence(),
                                                              {.lock_timeout = kRowLockTimeout,
                                                               .search_path = work_.search_path()}));
  RETURN_IF_ERROR(BeginWrites(transaction, *roles, work_, *role));
  return transaction;
}

absl::Status Quarantine::Probe(pg::Connection* connection, const LeafWalk& walk,
                               const std::string& condition) const {
  RETURN_IF_ERROR(context_.cancel->Check());
  ActingRoles roles;
  std::string role;
  ASSIGN_OR_RETURN(auto transaction, Begin(connection, walk, &roles, &role));
  absl::Status status =
      work_.Write(transaction, walk.leaf, *walk.walker, condition, RowLocks::kWait).status();
  if (status.ok()) status = transaction.Execute("SET CONSTRAINTS ALL IMMEDIATE").status();
  transaction.Rollback();
  return status;
}

absl::Status Quarantine::Examine(pg::Connection* connection, const LeafWalk& walk, const Place& from,
                                 const Place& to, const absl::Status& failure) {
  // What fails without a single row is no row's fault: a function that does not exist, say.
  RETURN_IF_ERROR(Probe(connection, walk, "false"));
  const auto probe = [&](const Place& begin, const Place& end) {
    return Probe(connection, walk, absl::StrCat(walk.walker->Condition(begin, end), Excluding(walk)));
  };
  // The row lies between `begin` and `end`; what is probed begins at `start`, for a row may fail only beside
  // others before it: two with the same value in a unique column.
  Place start = from, begin = from, end = to;
  absl::Status status = probe(start, end), row_failure = failure;
  if (status.ok()) return status;
  while (Blames(status)) {
    row_failure = status;
    ASSIGN_OR_RETURN(const std::optional<Place> middle,
                     walk.walker->Middle(connection, walk.leaf, begin, end));
    if (!middle.has_value()) break;
    status = probe(start, *middle);
    if (Blames(status)) {
      end = *middle;
    } else if (status.ok()) {
      begin = *middle;
      status = probe(begin, end);
      if (!status.ok()) {
        start = begin;
        continue;
      }
      status = probe(start, end);
      // The row has been mended, or has gone, since.
      if (status.ok()) return status;
    }
  }
  if (!Blames(status)) return status;
  ASSIGN_OR_RETURN(const std::optional<Place> row, walk.walker->RowIn(connection, walk.leaf, begin, end));
  if (!row.has_value()) return absl::OkStatus();
  return ExamineRow(connection, walk, *row, row_failure);
}

absl::Status Quarantine::ExamineRow(pg::Connection* connection, const LeafWalk& walk, const Place& row,
                                    const absl::Status& failure) {
  ASSIGN_OR_RETURN(std::string key,
                   RowKey(connection, walk.leaf, walk.walker->RowCondition(row), absl::StrCat("at ", row)));
  const v1::BackfillSettings& settings = context_.settings.backfill();
  if (settings.on_row_error() != v1::ROW_ERROR_POLICY_QUARANTINE) {
    return Stop(connection, walk, row, failure, key, "");
  }
  if (size() >= LimitOf(settings)) {
    return Stop(connection, walk, row, failure, key,
                absl::StrCat("; ", size(),
                             " rows are quarantined already, which is the plan's limit"
                             " (settings.backfill.row_error_limit)"));
  }
  QuarantinedRow quarantined{.leaf = walk.leaf.oid,
                             .place = row,
                             .key = std::move(key),
                             .sqlstate = pg::Sqlstate(failure),
                             .message = std::string(failure.message())};
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection, context_.attempt.fence(), {}));
  RETURN_IF_ERROR(AddToQuarantine(transaction, context_.attempt, &quarantined));
  RETURN_IF_ERROR(transaction.Commit());
  absl::MutexLock lock(&mutex_);
  rows_.push_back(std::move(quarantined));
  return absl::OkStatus();
}

absl::Status Quarantine::Stop(pg::Connection* connection, const LeafWalk& walk, const Place& row,
                              const absl::Status& failure, const std::string& key,
                              absl::string_view addition) {
  std::string verb = "written";
  ASSIGN_OR_RETURN(const std::string culprit,
                   work_.Culprit(connection, walk.leaf, walk.walker->RowCondition(row), &verb));
  const std::string sqlstate = pg::Sqlstate(failure);
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection, context_.attempt.fence(), {}));
  RETURN_IF_ERROR(
      RecordProblem(transaction, context_.attempt, key, sqlstate, std::string(failure.message())));
  RETURN_IF_ERROR(transaction.Commit());

  const bool report = context_.row_keys == RowKeys::kReport;
  // What PostgreSQL says of a row may quote its values.
  absl::Status status = absl::InvalidArgumentError(
      absl::StrCat("a row of ", work_.table(), report ? absl::StrCat(", ", key, ",") : "", " cannot be ",
                   verb, ": ", culprit, " failed with SQLSTATE ", sqlstate,
                   report ? absl::StrCat(": ", std::string(failure.message())) : "", addition));
  status = base::WithDetail(status, base::kSqlstate, sqlstate);
  if (report) status = base::WithDetail(status, base::kRowKeys, key);
  return base::WithDetail(
      status, base::kHint,
      verb == "deleted"
          ? "the row stands in curlew.problem on the target: remove what holds it (a row that references it,"
            " say), then resume"
          : "the row stands in curlew.problem on the target: mend it, or roll back and mend the plan's"
            " expression, then resume");
}

absl::StatusOr<bool> Quarantine::Retry(pg::Connection* connection, const LeafWalk& walk,
                                       const QuarantinedRow& row, int64_t* rows) {
  RETURN_IF_ERROR(context_.cancel->Check());
  ActingRoles roles;
  std::string role;
  ASSIGN_OR_RETURN(auto transaction, Begin(connection, walk, &roles, &role));
  absl::StatusOr<Written> written = work_.Write(transaction, walk.leaf, *walk.walker,
                                                walk.walker->RowCondition(row.place), RowLocks::kWait);
  if (written.ok() && (written->locked || !written->skipped.empty())) {
    written = absl::DeadlineExceededError(absl::StrCat(row.key, " is locked"));
  }
  absl::Status status = written.status();
  if (status.ok()) status = EndWrites(transaction, roles, role);
  if (status.ok()) status = ResolveQuarantined(transaction, row.id, "mended");
  if (status.ok()) status = transaction.Commit();
  if (status.ok()) *rows += written->rows;
  if (Blames(status)) return false;
  RETURN_IF_ERROR(status);
  return true;
}

absl::Status Quarantine::Accept(pg::Connection* connection, const LeafWalk& walk, const QuarantinedRow& row) {
  ActingRoles roles;
  std::string role;
  ASSIGN_OR_RETURN(auto transaction, Begin(connection, walk, &roles, &role));
  RETURN_IF_ERROR(work_.Accept(transaction, walk.leaf, walk.walker->RowCondition(row.place)));
  RETURN_IF_ERROR(EndWrites(transaction, roles, role));
  RETURN_IF_ERROR(ResolveQuarantined(transaction, row.id, "accepted", context_.override_wait->actor(),
                                     context_.override_wait->reason()));
  return transaction.Commit();
}

absl::StatusOr<int64_t> Quarantine::Settle(pg::Connection* connection,
                                           const std::vector<std::shared_ptr<const LeafWalk>>& walks) {
  std::vector<QuarantinedRow> waiting, left;
  {
    absl::MutexLock lock(&mutex_);
    waiting.swap(rows_);
  }
  int64_t rows = 0;
  std::string refusal;
  for (const QuarantinedRow& row : waiting) {
    const auto walk = std::find_if(walks.begin(), walks.end(),
                                   [&](const auto& other) { return other->leaf.oid == row.leaf; });
    if (walk == walks.end()) continue;  // its heap has gone
    ASSIGN_OR_RETURN(const bool mended, Retry(connection, **walk, row, &rows));
    if (mended) continue;
    const absl::Status accepted =
        context_.override_wait.has_value() ? Accept(connection, **walk, row) : absl::UnknownError("");
    if (accepted.ok()) continue;
    if (context_.override_wait.has_value()) {
      if (!Blames(accepted)) return accepted;
      refusal = absl::StrCat("; it cannot stay as it is: ", std::string(accepted.message()));
    }
    left.push_back(row);
  }
  {
    absl::MutexLock lock(&mutex_);
    rows_ = left;
  }
  if (left.empty()) return rows;
  const bool report = context_.row_keys == RowKeys::kReport;
  std::vector<std::string> keys;
  for (const QuarantinedRow& row : left) {
    if (keys.size() < kMostKeys) keys.push_back(row.key);
  }
  absl::Status status = absl::FailedPreconditionError(
      absl::StrCat(left.size(), left.size() == 1 ? " row of " : " rows of ", work_.table(),
                   " could not be written and ", left.size() == 1 ? "is" : "are", " quarantined",
                   report ? absl::StrCat(", for example ", left[0].key, ": ", left[0].message)
                          : absl::StrCat("; the first failed with SQLSTATE ", left[0].sqlstate),
                   report ? refusal : ""));
  status = base::WithDetail(status, base::kSqlstate, base::kRowsQuarantined);
  if (report) status = base::WithDetail(status, base::kRowKeys, absl::StrJoin(keys, "\n"));
  return base::WithDetail(
      status, base::kHint,
      "see `curlew rollout rows`; mend the rows and resume, or say by `curlew rollout override`"
      " that they may stay as they are");
}

}  // namespace curlew::agent
