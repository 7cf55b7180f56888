// Backups of a store: one file, the same for every kind of store.
//
// The file holds the line "curlew-backup", records (a BackupRecord each: its length in four bytes, the
// highest first, then its bytes), and the SHA-256 of all that in 32 bytes. The first record is the header,
// the last the end; between them stand rows, so that each comes after those that it refers to.
#ifndef CURLEW_CONTROLLER_STORE_BACKUP_H_
#define CURLEW_CONTROLLER_STORE_BACKUP_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "curlew/v1/store.pb.h"

namespace curlew::store {

// Gets one row after another; a status that is not OK ends that.
using RowVisitor = absl::FunctionRef<absl::Status(const v1::StoreRow&)>;

class Sha256;

// Writes a backup beside its place and moves it there when it is complete and on the disk. Without Finish
// nothing is left.
class BackupWriter {
 public:
  // ALREADY_EXISTS where `path` is there; UNAVAILABLE where it cannot be written.
  static absl::StatusOr<std::unique_ptr<BackupWriter>> Create(const std::string& path, int schema_version);
  ~BackupWriter();
  BackupWriter(const BackupWriter&) = delete;
  BackupWriter& operator=(const BackupWriter&) = delete;

  // UNAVAILABLE where it cannot be written.
  absl::Status Add(const v1::StoreRow& row);
  // Completes it. ALREADY_EXISTS where somebody else has made `path` meanwhile.
  absl::Status Finish();

 private:
  explicit BackupWriter(const std::string& path);
  absl::Status Write(absl::string_view bytes);
  absl::Status Write(const v1::BackupRecord& record);

  const std::string path_;
  const std::string unfinished_;  // where it is written
  std::unique_ptr<Sha256> digest_;
  std::FILE* file_ = nullptr;
  int64_t rows_ = 0;
};

// Reads a backup: the whole of it first, to see that it is undamaged; then gives its rows to `visit`.
// NOT_FOUND; DATA_LOSS where it is damaged or no backup; FAILED_PRECONDITION where a newer Curlew wrote it,
// in another form; what `visit` returns.
absl::Status ReadBackup(const std::string& path, RowVisitor visit);

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_BACKUP_H_
