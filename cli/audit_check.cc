#include "cli/audit_check.h"

#include "absl/strings/str_cat.h"

namespace curlew::cli {
namespace {

// "entry 3", "entries 3 to 5".
std::string Entries(int64_t first, int64_t last) {
  return first == last ? absl::StrCat("entry ", first) : absl::StrCat("entries ", first, " to ", last);
}

}  // namespace

void AuditCheck::Add(const v1::AuditEntry& entry) {
  if (!v1::AuditEntry::GetReflection()->GetUnknownFields(entry).empty()) {
    problems_.push_back(
        absl::StrCat("entry ", entry.number(),
                     " has fields that this version of curlew does not know, so its hash cannot be "
                     "recomputed; check with the controller's version"));
  } else if (const absl::Status status = base::CheckChain(number_, hash_, entry); !status.ok()) {
    problems_.emplace_back(status.message());
  }
  if (kept_.has_value() && entry.number() == kept_->number && entry.hash() != kept_->hash) {
    problems_.push_back(absl::StrCat("entry ", kept_->number,
                                     ", or one before it, was rewritten since the head was "
                                     "kept: its hash was ",
                                     kept_->hash, " and is ", entry.hash()));
  }
  number_ = entry.number();
  hash_ = entry.hash();
}

void AuditCheck::Finish(const v1::AuditHead& head) {
  if (number_ < head.number()) {
    problems_.push_back(absl::StrCat(Entries(number_ + 1, head.number()),
                                     " cannot be read: the head is entry ", head.number(),
                                     ", the last one that is there ", number_));
  } else if (number_ == head.number() && hash_ != head.hash()) {
    problems_.push_back(absl::StrCat("the head has another hash than entry ", number_, ": ", head.hash()));
  }
  if (kept_.has_value() && number_ < kept_->number) {
    problems_.push_back(absl::StrCat("the end is gone, ", Entries(number_ + 1, kept_->number),
                                     ": the log ends at ", number_, ", and had ", kept_->number,
                                     " when the head was kept"));
  }
}

}  // namespace curlew::cli
