#include "controller/store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error_detail.h"
#include "common/base/id.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::store {
namespace {

constexpr absl::string_view kMagic = "curlew-backup\n";
// 2: with the audit log, notifications and records of targets. 3: with bearer tokens.
constexpr int kFormat = 3;
constexpr size_t kDigestSize = 32;
// No row comes near it: gRPC and SQLite refuse far smaller ones.
constexpr uint32_t kLargestRecord = 1u << 30;

absl::Status Failed(const std::string& path, absl::string_view what, int error) {
  return absl::UnavailableError(
      absl::StrCat("the backup ", path, " cannot be ", what, ": ", strerror(error)));
}

absl::Status Damaged(const std::string& path, absl::string_view why) {
  return base::WithDetail(absl::DataLossError(absl::StrCat("the backup ", path, " is damaged, or no backup: ",
                                                           why, "; nothing was restored; use another one")),
                          base::kReason, "BACKUP_DAMAGED");
}

absl::Status Exists(const std::string& path) {
  return absl::AlreadyExistsError(
      absl::StrCat(path, " is there already; backups never overwrite: name another file"));
}

std::string LengthOf(absl::string_view bytes) {
  const auto size = static_cast<uint32_t>(bytes.size());
  return {static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8),
          static_cast<char>(size)};
}

}  // namespace

// SHA-256, piece by piece.
class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void Add(absl::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string Finish() {
    std::string digest(kDigestSize, '\0');
    EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr);
    return digest;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

namespace {

// A backup that is being read.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}
  ~Reader() {
    if (file_ != nullptr) fclose(file_);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Opens it, and sees where its records end.
  absl::Status Open() {
    file_ = fopen(path_.c_str(), "rbe");
    if (file_ == nullptr && errno == ENOENT) {
      return absl::NotFoundError(absl::StrCat("there is no backup ", path_));
    }
    struct stat status;
    if (file_ == nullptr || fstat(fileno(file_), &status) != 0) return Failed(path_, "opened", errno);
    if (!S_ISREG(status.st_mode)) return Damaged(path_, "it is no file");
    return Rewind();
  }

  // To the first record.
  absl::Status Rewind() {
    if (fseek(file_, 0, SEEK_END) != 0) return Failed(path_, "read", errno);
    left_ = ftell(file_) - static_cast<int64_t>(kDigestSize);
    rewind(file_);
    ASSIGN_OR_RETURN(const std::string magic, Read(kMagic.size()));
    return magic == kMagic ? absl::OkStatus() : Damaged(path_, "it does not begin as one");
  }

  // `size` bytes before the digest.
  absl::StatusOr<std::string> Read(size_t size) {
    if (static_cast<int64_t>(size) > left_) return Damaged(path_, "a record goes beyond its end");
    std::string bytes(size, '\0');
    if (fread(bytes.data(), 1, size, file_) != size) {
      return ferror(file_) != 0 ? Failed(path_, "read", errno) : Damaged(path_, "it is too short");
    }
    left_ -= static_cast<int64_t>(size);
    return bytes;
  }

  absl::StatusOr<v1::BackupRecord> ReadRecord() {
    ASSIGN_OR_RETURN(const std::string length, Read(4));
    uint32_t size = 0;
    for (const char c : length) size = size << 8 | static_cast<unsigned char>(c);
    if (size > kLargestRecord) return Damaged(path_, "a record is too long");
    ASSIGN_OR_RETURN(const std::string bytes, Read(size));
    v1::BackupRecord record;
    if (!record.ParseFromString(bytes)) return Damaged(path_, "a record cannot be read");
    return record;
  }

  // Digest at the end, once everything before has been read.
  absl::StatusOr<std::string> ReadDigest() {
    left_ = kDigestSize;
    return Read(kDigestSize);
  }

  int64_t left() const { return left_; }

 private:
  const std::string path_;
  std::FILE* file_ = nullptr;
  int64_t left_ = 0;  // before the digest
};

}  // namespace

BackupWriter::BackupWriter(const std::string& path)
    : path_(path),
      unfinished_(absl::StrCat(path, ".tmp-", base::RandomId(6))),
      digest_(std::make_unique<Sha256>()) {}

BackupWriter::~BackupWriter() {
  if (file_ == nullptr) return;
  fclose(file_);
  unlink(unfinished_.c_str());
}

absl::StatusOr<std::unique_ptr<BackupWriter>> BackupWriter::Create(const std::string& path,
                                                                   int schema_version) {
  struct stat ignored;
  if (lstat(path.c_str(), &ignored) == 0) return Exists(path);
  std::unique_ptr<BackupWriter> writer(new BackupWriter(path));
  // It holds plans and what agents reported: for its owner's eyes.
  const int fd = open(writer->unfinished_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Failed(path, "made", errno);
  writer->file_ = fdopen(fd, "wb");
  RETURN_IF_ERROR(writer->Write(kMagic));
  v1::BackupRecord record;
  record.mutable_header()->set_format(kFormat);
  record.mutable_header()->set_curlew_version(CURLEW_VERSION);
  *record.mutable_header()->mutable_time() = base::ToProto(absl::Now());
  record.mutable_header()->set_schema_version(schema_version);
  RETURN_IF_ERROR(writer->Write(record));
  return writer;
}

absl::Status BackupWriter::Write(absl::string_view bytes) {
  digest_->Add(bytes);
  if (fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) return Failed(path_, "written", errno);
  return absl::OkStatus();
}

absl::Status BackupWriter::Write(const v1::BackupRecord& record) {
  const std::string bytes = record.SerializeAsString();
  RETURN_IF_ERROR(Write(LengthOf(bytes)));
  return Write(bytes);
}

absl::Status BackupWriter::Add(const v1::StoreRow& row) {
  v1::BackupRecord record;
  *record.mutable_row() = row;
  ++rows_;
  return Write(record);
}

absl::Status BackupWriter::Finish() {
  v1::BackupRecord record;
  record.mutable_end()->set_rows(rows_);
  RETURN_IF_ERROR(Write(record));
  RETURN_IF_ERROR(Write(digest_->Finish()));
  if (fflush(file_) != 0 || fsync(fileno(file_)) != 0) return Failed(path_, "written", errno);
  // A second name, and then without the first: unlike a rename that never replaces a file.
  if (link(unfinished_.c_str(), path_.c_str()) != 0) {
    return errno == EEXIST ? Exists(path_) : Failed(path_, "put in its place", errno);
  }
  unlink(unfinished_.c_str());
  fclose(std::exchange(file_, nullptr));
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  const int fd = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed(path_, "made sure of", errno);
  const int synced = fsync(fd);
  const int error = errno;
  close(fd);
  return synced == 0 ? absl::OkStatus() : Failed(path_, "made sure of", error);
}

namespace {

// Reads `reader` to its end, from its first record on.
absl::Status ReadRecords(Reader& reader, const std::string& path, RowVisitor visit) {
  ASSIGN_OR_RETURN(v1::BackupRecord record, reader.ReadRecord());
  if (!record.has_header()) return Damaged(path, "it does not begin with a header");
  if (record.header().format() > kFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat("the backup ", path, " was written by Curlew ", record.header().curlew_version(),
                     " in form ", record.header().format(), ", and this one knows forms up to ", kFormat,
                     "; restore it with that version"));
  }
  int64_t rows = 0;
  for (;;) {
    ASSIGN_OR_RETURN(record, reader.ReadRecord());
    if (!record.has_row()) break;
    ++rows;
    RETURN_IF_ERROR(visit(record.row()));
  }
  if (!record.has_end()) return Damaged(path, "there is a record of a kind that is not known");
  if (record.end().rows() != rows || reader.left() != 0) return Damaged(path, "rows are missing");
  return absl::OkStatus();
}

// Reads `reader` to its end, and compares.
absl::Status VerifyDigest(Reader& reader, const std::string& path) {
  Sha256 digest;
  digest.Add(kMagic);
  while (reader.left() > 0) {
    ASSIGN_OR_RETURN(const std::string bytes, reader.Read(std::min<int64_t>(reader.left(), 1 << 20)));
    digest.Add(bytes);
  }
  ASSIGN_OR_RETURN(const std::string expected, reader.ReadDigest());
  return digest.Finish() == expected ? absl::OkStatus() : Damaged(path, "its digest is another");
}

}  // namespace

absl::Status ReadBackup(const std::string& path, RowVisitor visit) {
  Reader reader(path);
  RETURN_IF_ERROR(reader.Open());
  RETURN_IF_ERROR(VerifyDigest(reader, path));
  RETURN_IF_ERROR(reader.Rewind());
  return ReadRecords(reader, path, visit);
}

}  // namespace curlew::store
