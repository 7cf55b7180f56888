#include "common/operations/sequence.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/schema/schema.h"
#include "common/sql/type_name.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

struct Range {
  int64_t least, greatest;
};

template <typename Int>
constexpr Range RangeOf() {
  return {std::numeric_limits<Int>::min(), std::numeric_limits<Int>::max()};
}

absl::StatusOr<Range> RangeOfType(absl::string_view type) {
  if (type == "bigint") return RangeOf<int64_t>();
  if (type == "integer") return RangeOf<int32_t>();
  if (type == "smallint") return RangeOf<int16_t>();
  return absl::InvalidArgumentError(
      absl::StrCat("type ", type, ": a sequence is of type bigint, integer or smallint"));
}

}  // namespace

v1::Scope SequenceScope(absl::string_view name) {
  v1::Scope scope;
  scope.add_sequences(std::string(name));
  return scope;
}

absl::StatusOr<v1::Sequence*> NamedSequence(v1::Schema* schema, const sql::TableName& name) {
  v1::Sequence* sequence = schema::FindSequence(schema, name.Quoted());
  if (sequence != nullptr) return sequence;
  const std::string kind = KindOf(*schema, name);
  return absl::FailedPreconditionError(
      kind.empty()
          ? absl::StrCat("sequence ", name.Quoted(),
                         " does not exist; check the name and its schema (public where none is written)")
          : absl::StrCat(name.Quoted(), " is no sequence but a ", kind, "; name another one"));
}

absl::StatusOr<v1::Sequence> NewSequence(absl::string_view type, const v1::SequenceSettings& settings) {
  v1::Sequence sequence;
  sequence.set_type("bigint");
  if (!type.empty()) {
    ASSIGN_OR_RETURN(*sequence.mutable_type(), sql::CanonicalType(type));
  }
  ASSIGN_OR_RETURN(const Range range, RangeOfType(sequence.type()));
  const bool ascends = !settings.has_increment() || settings.increment() > 0;
  sequence.set_increment(1);
  sequence.set_minimum(ascends ? 1 : range.least);
  sequence.set_maximum(ascends ? range.greatest : -1);
  sequence.set_cache(1);
  ApplySettings(settings, &sequence);
  if (!settings.has_start()) sequence.set_start(ascends ? sequence.minimum() : sequence.maximum());
  return sequence;
}

void ApplySettings(const v1::SequenceSettings& settings, v1::Sequence* sequence) {
  if (settings.has_start()) sequence->set_start(settings.start());
  if (settings.has_increment()) sequence->set_increment(settings.increment());
  if (settings.has_minimum()) sequence->set_minimum(settings.minimum());
  if (settings.has_maximum()) sequence->set_maximum(settings.maximum());
  if (settings.has_cache()) sequence->set_cache(settings.cache());
  if (settings.has_cycle()) sequence->set_cycle(settings.cycle());
}

absl::Status CheckSequence(const v1::Sequence& sequence) {
  ASSIGN_OR_RETURN(const Range range, RangeOfType(sequence.type()));
  if (sequence.increment() == 0) return absl::InvalidArgumentError("settings.increment is 0; choose a step");
  if (sequence.cache() < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("settings.cache is ", sequence.cache(), "; 1 is the least"));
  }
  if (sequence.minimum() < range.least || sequence.maximum() > range.greatest) {
    return absl::InvalidArgumentError(absl::StrCat("settings: type ", sequence.type(), " holds values from ",
                                                   range.least, " to ", range.greatest,
                                                   "; choose minimum and maximum between them"));
  }
  if (sequence.minimum() >= sequence.maximum()) {
    return absl::InvalidArgumentError(absl::StrCat("settings: minimum ", sequence.minimum(),
                                                   " is not below maximum ", sequence.maximum(),
                                                   "; give both as they shall be in the end"));
  }
  if (sequence.start() < sequence.minimum() || sequence.start() > sequence.maximum()) {
    return absl::InvalidArgumentError(absl::StrCat("settings: start ", sequence.start(), " is not between ",
                                                   sequence.minimum(), " and ", sequence.maximum(),
                                                   "; give one that is"));
  }
  return absl::OkStatus();
}

SqlText SequenceClauses(const v1::Sequence& sequence, const v1::SequenceSettings& settings, Clauses which) {
  SqlText clauses;
  const auto number = [](int64_t value) { return SqlText::Verified(absl::StrCat(value)); };
  if (settings.has_increment()) clauses.Append({" INCREMENT BY ", number(sequence.increment())});
  if (which == Clauses::kAll) {
    if (settings.has_minimum()) clauses.Append({" MINVALUE ", number(sequence.minimum())});
    if (settings.has_maximum()) clauses.Append({" MAXVALUE ", number(sequence.maximum())});
    if (settings.has_start()) clauses.Append({" START WITH ", number(sequence.start())});
  }
  if (settings.has_cache()) clauses.Append({" CACHE ", number(sequence.cache())});
  if (settings.has_cycle()) {
    if (sequence.cycle()) {
      clauses.Append({" CYCLE"});
    } else {
      clauses.Append({" NO CYCLE"});
    }
  }
  return clauses;
}

}  // namespace curlew::operations
