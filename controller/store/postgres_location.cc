#include "controller/store/postgres_location.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/store/backup.h"
#include "controller/store/care.h"
#include "controller/store/postgres_leader_lease.h"
#include "controller/store/postgres_rollout_store.h"
#include "controller/store/postgres_rows.h"
#include "controller/store/postgres_schema.h"
#include "controller/store/row_checker.h"

namespace curlew::store {
namespace {

int Newest() { return static_cast<int>(PostgresMigrations().size()); }

// For whoever works on a store by hand: a person waits, and a disk between two rows may be slow.
PostgresStoreOptions Patient(PostgresStoreOptions options) {
  options.statement_timeout = absl::Minutes(10);
  options.idle_timeout = absl::Minutes(10);
  if (options.instance.empty()) options.instance = "store";
  return options;
}

// The version of a store that is there. NOT_FOUND; errors as ReadPostgresVersion.
absl::StatusOr<int> VersionOf(PostgresSession& session) {
  ASSIGN_OR_RETURN(const int version, ReadPostgresVersion(session, Newest()));
  if (version == 0) return NoStore(session.name());
  return version;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LeaderLease>> PostgresLocation::OpenLease(const LeaderIdentity& identity) {
  options_.instance = identity.instance;
  ASSIGN_OR_RETURN(auto lease, PostgresLeaderLease::Open(options_, name_, identity, lease_term_));
  return lease;
}

absl::StatusOr<std::unique_ptr<RolloutStore>> PostgresLocation::OpenStore(int64_t epoch) {
  ASSIGN_OR_RETURN(auto store, PostgresRolloutStore::Open(options_, name_, {epoch, options_.instance}));
  return store;
}

absl::Status PostgresLocation::Backup(const std::string& path) {
  PostgresSession session(Patient(options_), name_);
  ASSIGN_OR_RETURN(const int version, VersionOf(session));
  ASSIGN_OR_RETURN(auto writer, BackupWriter::Create(path, version));
  ASSIGN_OR_RETURN(PostgresWork work, session.BeginSnapshot("cannot be backed up"));
  RETURN_IF_ERROR(ReadPostgresRows(work, [&](const v1::StoreRow& row) { return writer->Add(row); }));
  return writer->Finish();
}

absl::Status PostgresLocation::Restore(const std::string& path) {
  RETURN_IF_ERROR(CheckBackup(path));
  ASSIGN_OR_RETURN(const CareLease lease, CareLease::Take(*this, "store restore"));
  PostgresSession session(Patient(options_), name_);
  RETURN_IF_ERROR(MigratePostgres(session, PostgresMigrations()));
  ASSIGN_OR_RETURN(PostgresWork work,
                   session.BeginFenced("cannot be restored", {lease.epoch(), lease.instance()}));
  ASSIGN_OR_RETURN(const bool empty, IsEmptyPostgres(work));
  if (!empty) return NotEmpty(name_);
  RETURN_IF_ERROR(ReadBackup(path, [&](const v1::StoreRow& row) { return WritePostgresRow(work, row); }));
  return work.Commit();
}

absl::StatusOr<std::string> PostgresLocation::Check() {
  PostgresSession session(Patient(options_), name_);
  ASSIGN_OR_RETURN(const int version, VersionOf(session));
  ASSIGN_OR_RETURN(PostgresWork work, session.BeginSnapshot("cannot be checked"));
  RowChecker checker;
  RETURN_IF_ERROR(ReadPostgresRows(work, [&](const v1::StoreRow& row) {
    checker.Add(row);
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(checker.Finish(absl::StrCat("store ", name_)));
  ASSIGN_OR_RETURN(const pg::Result leader,
                   work.Execute("SELECT epoch, address, released OR clock_timestamp() > renewed_time + term"
                                " FROM curlew_controller.leader"));
  if (leader.empty()) {
    return absl::DataLossError(absl::StrCat("store ", name_, " is damaged: table leader has lost its row"));
  }
  return absl::StrCat("store ", name_, " (PostgreSQL, schema version ", version, ") is sound:\n  ",
                      checker.Counts(), "\n  ",
                      leader.Bool(0, 2) ? "no controller leads"
                                        : absl::StrCat("the controller at ", leader.Text(0, 1), " leads"),
                      " (epoch ", leader.Text(0, 0), ")");
}

absl::StatusOr<std::string> PostgresLocation::Migrate() {
  PostgresSession session(Patient(options_), name_);
  ASSIGN_OR_RETURN(const int from, VersionOf(session));
  if (from < Newest()) {
    ASSIGN_OR_RETURN(const CareLease lease, CareLease::Take(*this, "store migrate"));
    RETURN_IF_ERROR(MigratePostgres(session, PostgresMigrations()));
  }
  return Migrated(name_, from, Newest());
}

}  // namespace curlew::store
