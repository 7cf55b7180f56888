#include "controller/store/postgres_leader_lease.h"

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"
#include "controller/store/postgres_schema.h"

namespace curlew::store {
namespace {

constexpr char kDoing[] = "cannot take or renew the lease";

// What holds for the row now. clock_timestamp() everywhere: now() stands still in a transaction that waits. A
// lease from the future, after the clock was set back, has run out: it would last for who knows how long.
#define CURLEW_MINE "(instance = $1 AND NOT released)"
#define CURLEW_OVER \
  "(released OR clock_timestamp() > renewed_time + term OR clock_timestamp() < renewed_time - term)"

constexpr char kLook[] =
    "SELECT epoch, address, released, " CURLEW_MINE ", " CURLEW_OVER " FROM curlew_controller.leader";

// A row that somebody holds is passed by: a commit of the leader, or another contender, is at work.
constexpr char kLockUnlessHeld[] = "SELECT FROM curlew_controller.leader FOR UPDATE SKIP LOCKED";

constexpr char kRenew[] =
    "UPDATE curlew_controller.leader"
    " SET renewed_time = clock_timestamp(), address = $2, term = $3::interval WHERE " CURLEW_MINE
    " RETURNING epoch";

// Evaluated again on the newest row, if that changed since the look.
constexpr char kTake[] =
    "UPDATE curlew_controller.leader SET epoch = epoch + 1, instance = $1, address = $2,"
    " renewed_time = clock_timestamp(), term = $3::interval, released = false WHERE " CURLEW_OVER
    " RETURNING epoch";

#undef CURLEW_MINE
#undef CURLEW_OVER

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresLeaderLease>> PostgresLeaderLease::Open(
    const PostgresStoreOptions& options, const std::string& name, const LeaderIdentity& identity,
    absl::Duration term) {
  std::unique_ptr<PostgresLeaderLease> lease(new PostgresLeaderLease(options, name, identity, term));
  const std::vector<Migration> migrations = PostgresMigrations();
  ASSIGN_OR_RETURN(const int version,
                   ReadPostgresVersion(lease->session_, static_cast<int>(migrations.size())));
  if (version == 0) RETURN_IF_ERROR(MigratePostgres(lease->session_, migrations));
  return lease;
}

absl::StatusOr<Leadership> PostgresLeaderLease::Hold() {
  ASSIGN_OR_RETURN(PostgresWork work, session_.Begin(kDoing));
  ASSIGN_OR_RETURN(const pg::Result row, work.Execute(kLook, {identity_.instance}));
  if (row.empty()) {
    return base::WithDetail(absl::DataLossError(absl::StrCat(
                                "store ", session_.name(),
                                ": table curlew_controller.leader has lost its row; restore a backup "
                                "into another database")),
                            base::kReason, "STORE_DAMAGED");
  }
  const bool mine = row.Bool(0, 3);
  const bool over = row.Bool(0, 4);
  const Leadership other{
      .mine = false, .epoch = row.Int(0, 0), .address = row.Bool(0, 2) || over ? "" : row.Text(0, 1)};
  if (!mine && !over) return other;
  // One's own row is waited for: what holds it is a commit of one's own store, or a contender, and then the
  // answer is that it has been taken.
  if (!mine) {
    ASSIGN_OR_RETURN(const pg::Result locked, work.Execute(kLockUnlessHeld));
    if (locked.empty()) return other;
  }
  const std::vector<pg::Param> params = {identity_.instance, identity_.address,
                                         absl::StrCat(absl::ToInt64Milliseconds(term_), " milliseconds")};
  ASSIGN_OR_RETURN(const pg::Result taken, work.Execute(mine ? kRenew : kTake, params));
  if (taken.empty()) {
    ASSIGN_OR_RETURN(const pg::Result now, work.Execute(kLook, {identity_.instance}));
    return Leadership{.mine = false, .epoch = now.Int(0, 0), .address = now.Bool(0, 2) ? "" : now.Text(0, 1)};
  }
  mine ? base::FaultPoint("lease.before_renew") : base::FaultPoint("lease.before_take");
  RETURN_IF_ERROR(work.Commit());
  mine ? base::FaultPoint("lease.after_renew") : base::FaultPoint("lease.after_take");
  return Leadership{.mine = true, .epoch = taken.Int(0, 0), .address = identity_.address};
}

void PostgresLeaderLease::Release() {
  // Where this fails the lease ends by its term.
  auto work = session_.Begin("cannot release the lease");
  if (!work.ok()) return;
  if (work->Execute("UPDATE curlew_controller.leader SET released = true WHERE instance = $1",
                    {identity_.instance})
          .ok()) {
    base::FaultPoint("lease.before_release");
    (void)work->Commit();
    base::FaultPoint("lease.after_release");
  }
}

}  // namespace curlew::store
