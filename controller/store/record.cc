#include "controller/store/record.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/base/audit_chain.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "controller/store/change.h"

namespace curlew::store {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr absl::string_view kTokenPrefix = "after-";
constexpr size_t kLongestAuditEntry = 16 << 10;

}  // namespace

// A proto with other bytes in a text could be written, but not read again.
absl::Status CheckTexts(const Message& message) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        RETURN_IF_ERROR(CheckTexts(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                                        : reflection->GetMessage(message, field)));
      }
      if (field->type() != FieldDescriptor::TYPE_STRING) continue;
      const std::string text = field->is_repeated() ? reflection->GetRepeatedString(message, field, i)
                                                    : reflection->GetString(message, field);
      if (base::FindInvalidUtf8(text) == absl::string_view::npos) continue;
      return absl::InvalidArgumentError(absl::StrCat(field->full_name(), " is not valid UTF-8: \"",
                                                     absl::CHexEscape(text), "\"; nothing was stored"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRecord(const Record& record) {
  for (const v1::AuditEntry& entry : record.audit) {
    RETURN_IF_ERROR(CheckTexts(entry));
    // What stands in the audit log never leaves it, and lists of it must fit into a message.
    if (entry.ByteSizeLong() > kLongestAuditEntry) {
      return absl::InvalidArgumentError(absl::StrCat(
          "who asks and why are ", entry.ByteSizeLong(), " bytes long together, and may be ",
          kLongestAuditEntry, ": give a reason in a few words, and a link; nothing was changed"));
    }
  }
  for (const v1::Notification& notification : record.notifications) {
    RETURN_IF_ERROR(CheckTexts(notification));
  }
  return absl::OkStatus();
}

absl::Status CheckNotification(const v1::Notification& notification) { return CheckTexts(notification); }

absl::Status CheckTargetRecord(const v1::TargetRecord& target_record) {
  if (target_record.target().empty()) {
    return absl::InvalidArgumentError("a record of a target without its name cannot be stored");
  }
  RETURN_IF_ERROR(CheckStorableText("the name of a target", target_record.target()));
  return CheckTexts(target_record);
}

v1::AuditHead EmptyAuditHead() {
  v1::AuditHead head;
  head.set_hash(std::string(base::kNoAuditHash));
  return head;
}

std::vector<v1::AuditEntry> FollowOn(const v1::AuditHead& head, std::vector<v1::AuditEntry> entries) {
  int64_t number = head.number();
  std::string hash = head.hash();
  for (v1::AuditEntry& entry : entries) {
    entry.set_number(++number);
    entry.set_previous_hash(hash);
    hash = base::HashOf(entry);
    entry.set_hash(hash);
  }
  return entries;
}

bool IsRecorded(const v1::TargetRecord& newest, const v1::TargetRecord& added) {
  return !added.rollout().empty() && newest.rollout() == added.rollout() && newest.kind() == added.kind();
}

TargetRecordBytes SplitTargetRecord(v1::TargetRecord target_record) {
  v1::TargetRecord schema;
  schema.set_schema_json(std::move(*target_record.mutable_schema_json()));
  target_record.clear_schema_json();
  return {.record = target_record.SerializeAsString(), .schema = schema.SerializeAsString()};
}

TargetRecordBytes SplitTargetRecord(const std::string& bytes) {
  v1::TargetRecord target_record;
  if (!target_record.ParseFromString(bytes)) return {.record = bytes, .schema = ""};
  return SplitTargetRecord(std::move(target_record));
}

absl::StatusOr<TargetRange> ReadTargetPage(const Page& page) {
  ASSIGN_OR_RETURN(const PageRange range, ReadPage({.size = page.size}));
  TargetRange targets{.limit = range.limit};
  if (page.token.empty()) return targets;
  absl::string_view after = page.token;
  if (!absl::ConsumePrefix(&after, kTokenPrefix) || after.empty() || !IsStorableText(after)) {
    return absl::InvalidArgumentError(
        absl::StrCat("page_token \"", page.token, "\" is not one of ours; begin the list again without it"));
  }
  targets.after = std::string(after);
  return targets;
}

std::string TargetPageToken(const std::string& target) { return absl::StrCat(kTokenPrefix, target); }

}  // namespace curlew::store
